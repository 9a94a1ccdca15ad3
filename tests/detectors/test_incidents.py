"""What goes wrong with one pipeline at one time is one alert that fires; what belongs to it joins, and nothing new goes unsaid."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Alert, Mode, State
from detectors.episodes import QUIET_MS
from detectors.incidents import JOIN_MS, LASTING_AGAIN_MS, POINT_AGAIN_MS
from detectors.paging import Paging
from detectors.series import Signal, group_of, shard_of
from detectors.settings import Rule, Settings, Tuning
from detectors.triage import Triage
from detectors.verdicts import (
    VERSION,
    AnomalyBatch,
    Baseline,
    Change,
    Direction,
    Reason,
    SourcePosition,
    Verdict,
)

HOUR_MS = 3_600_000
UNREMINDED = Settings(paging=Paging(remind_ms=None))
PLACES = (SourcePosition("pipeline.events", 0, 41, 41),)
SIGNALS = {
    "latency": Reason.ABOVE_RANGE,
    "volume": Reason.BELOW_RANGE,
    "failures": Reason.TOO_MANY_FAILURES,
}


def said(
    hour: float,
    signal: str = "latency",
    *,
    task: str = "",
    pipeline: str = "orders",
    ordinary: bool = False,
    severity: float = 5.0,
    owner: str = "",
    change: Change = Change.POINT,
    observed: float = 9.0,
    direction: Direction = Direction.UP,
    anew: bool = False,
) -> Verdict:
    time_ms = int(hour * HOUR_MS)
    return Verdict(
        signal=Signal(signal),
        labels=(("pipeline", pipeline), ("task", task)) if task else (("pipeline", pipeline),),
        detector="runs",
        time_ms=time_ms,
        window_start_ms=time_ms,
        window_end_ms=time_ms,
        anomalous=not ordinary,
        reason=Reason.ORDINARY if ordinary else SIGNALS[signal],
        change=change,
        baseline=Baseline("runs", 400, 0, time_ms),
        positions=PLACES,
        severity_score=severity,
        observed=1000 * observed,
        expected=1000.0,
        direction=direction,
        owner=owner,
        anew=anew,
    )


def told(*verdicts: Verdict, settings: Settings | None = None, triage: Triage | None = None) -> list[Alert]:
    triage = triage or Triage(settings or UNREMINDED, Mode.LIVE)
    first = triage.covered_offset + 1
    return [
        alert
        for offset, one in enumerate(verdicts, first)
        for alert in triage.step(offset, batch(offset, one.time_ms + 1, one))
    ]


def batch(offset: int, now_ms: int, *verdicts: Verdict) -> bytes:
    orders_ms = tuple(it.time_ms for it in verdicts)
    return AnomalyBatch(VERSION, 0, offset, now_ms, 0, orders_ms, verdicts).to_bytes()


def course(alerts: list[Alert]) -> list[str]:
    return [f"{it.state} {it.series.signal} {it.transition_reason}" for it in alerts]


def test_tasks_that_fail_together_are_one_alert_that_fires():
    alerts = told(said(1), said(1.01, task="load"), said(1.02, task="read"))
    assert [it.state for it in alerts] == [State.FIRING, State.SUPPRESSED, State.SUPPRESSED]
    causes = {it.root_cause.alert_id for it in alerts if it.root_cause}
    assert causes == {alerts[0].alert_id}


def test_another_signal_has_the_alert_told_again_with_its_child():
    first, joined, again = told(said(1), said(1.5, "volume"))
    assert course([joined, again]) == [
        "suppressed volume opened: below_range",
        "firing latency joined: below_range",
    ]
    assert (again.alert_id, again.sequence, again.children) == (first.alert_id, 2, [joined.alert_id])
    assert again.fingerprint == first.fingerprint
    assert again.updated_at == joined.updated_at


def test_more_of_the_same_is_told_again_half_an_hour_later_and_not_before():
    alerts = told(said(1), said(1.4, task="load"), said(1.6, task="read"), said(1.7, task="write"))
    firing = [it for it in alerts if it.state is State.FIRING]
    assert [it.transition_reason for it in firing] == ["opened: above_range", "joined: above_range"]
    assert len(firing[1].children) == 2


def test_the_alert_ends_when_everything_that_joined_it_has():
    alerts = told(said(1), said(1.1, "volume"), said(3, ordinary=True), said(5, "volume", ordinary=True))
    assert course(alerts)[-2:] == [
        "resolved volume resolved: ordinary",
        "resolved latency resolved: ordinary",
    ]
    assert alerts[-1].ends_at == "1970-01-01T05:00:00.000Z"
    assert alerts[-1].sequence == 3


def test_what_joined_ends_before_the_alert_if_it_is_over_before():
    alerts = told(said(1), said(1.1, "volume"), said(3, "volume", ordinary=True), said(5, ordinary=True))
    assert course(alerts)[-2:] == [
        "resolved volume resolved: ordinary",
        "resolved latency resolved: ordinary",
    ]


def test_a_lead_that_wavers_while_others_are_open_says_nothing():
    opening = [said(1), said(1.1, "volume")]
    wavering = [said(3, ordinary=True), said(4), said(6, ordinary=True), said(7)]
    assert told(*opening, *wavering) == told(*opening)


def test_a_lead_that_leaves_its_range_again_after_long_is_told_again():
    later = JOIN_MS / HOUR_MS + 4
    alerts = told(said(1), said(1.1, "volume"), said(3, ordinary=True), said(later))
    assert course(alerts)[-1] == "firing latency continued: above_range"


def drifting(hour: float, signal: str = "volume", task: str = "") -> Verdict:
    return said(hour, signal, task=task, change=Change.DRIFT, observed=0.8, direction=Direction.DOWN)


def vanished(hour: float, severity: float = 9.0) -> Verdict:
    return said(hour, "volume", severity=severity, observed=0.001, direction=Direction.DOWN)


def test_a_sample_far_beyond_a_drift_that_joined_is_told_by_the_alert_that_leads():
    opening = [said(1), drifting(1.1), drifting(10, "latency", "load")]
    first, *_, apart, again = told(*opening, vanished(10.1))
    assert course([apart, again]) == [
        "suppressed volume opened: below_range",
        "firing latency joined: below_range",
    ]
    assert again.alert_id == first.alert_id
    assert apart.alert_id in again.children


def test_a_sample_far_beyond_an_old_drift_is_an_alert_of_its_own():
    drift, apart = told(drifting(1), vanished(40))
    assert [drift.state, apart.state] == [State.FIRING, State.FIRING]
    assert drift.alert_id != apart.alert_id


def test_a_sample_on_the_other_side_of_a_drift_is_an_alert_of_its_own():
    assert course(told(drifting(1), said(40, "volume", severity=9.0)))[1:] == [
        "firing volume opened: below_range"
    ]


def test_a_sample_little_further_than_a_drift_makes_it_worse():
    further = said(40, "volume", severity=9.0, observed=0.6, direction=Direction.DOWN)
    assert course(told(drifting(1), further))[1:] == ["firing volume worsened: below_range"]


def test_what_stands_out_and_the_drift_have_stories_of_their_own_and_end_together():
    drift, apart, *rest = told(
        drifting(1), vanished(40), vanished(41, severity=12.0), said(43, "volume", ordinary=True)
    )
    assert [(it.alert_id, it.state) for it in rest] == [
        (apart.alert_id, State.FIRING),
        (drift.alert_id, State.RESOLVED),
        (apart.alert_id, State.RESOLVED),
    ]


def anew(hour: float, observed: float, signal: str = "latency") -> Verdict:
    side = Direction.UP if observed > 1 else Direction.DOWN
    return said(hour, signal, observed=observed, direction=side, anew=True)


def test_a_sample_that_comes_anew_is_an_alert_of_its_own_unless_it_is_nearer_than_what_was_told():
    first, second = told(said(1), anew(40, 10))
    assert second.transition_reason == "opened: above_range"
    assert second.alert_id != first.alert_id
    assert second.starts_at == "1970-01-02T16:00:00.000Z"
    assert told(said(1), anew(40, 8)) == [first]
    assert course(told(said(1), anew(40, 0.9)))[1:] == ["firing latency opened: above_range"]


def test_a_sample_far_outside_its_range_that_comes_anew_is_an_alert_of_its_own_even_if_it_is_nearer():
    at_the_edge, far_out = (msgspec.structs.replace(anew(40, 4), upper=upper) for upper in (2100.0, 1900.0))
    assert course(told(said(1), at_the_edge))[1:] == []
    assert course(told(said(1), far_out))[1:] == ["firing latency opened: above_range"]


def test_what_comes_anew_within_a_day_joins_and_is_told_once_for_all_series_in_which_it_shows():
    alerts = told(said(1), said(1, "volume"), anew(20, 0.1), anew(20, 0.2, "volume"))
    assert course(alerts)[2:] == [
        "firing latency joined: below_range",
        "suppressed latency opened: above_range",
        "firing latency joined: above_range",
        "suppressed volume opened: below_range",
    ]
    assert [it.notify for it in alerts] == [True, False, False, False, True, False]


def test_what_comes_anew_time_and_again_keeps_its_alert():
    first, joined, _, again, _ = told(said(1), anew(20, 0.1), anew(30, 0.1))
    assert (joined.alert_id, again.alert_id) == (again.alert_id, joined.alert_id)
    assert again.transition_reason == "reopened: above_range"
    old, own, reopened = told(said(1), anew(40, 0.1), anew(60, 0.1))
    assert (reopened.alert_id, reopened.state, reopened.notify) == (own.alert_id, State.FIRING, True)
    assert first.alert_id == old.alert_id


def test_what_comes_anew_again_in_several_series_is_told_once():
    alerts = told(
        said(1), *(anew(hour, 0.1, signal) for hour in (20, 30) for signal in ("latency", "volume"))
    )
    assert sum(it.notify for it in alerts) == 3


def test_all_sides_end_together():
    alerts = told(said(1), anew(40, 0.1), anew(60, 12), said(62, ordinary=True))
    assert len({it.alert_id for it in alerts}) == 3
    assert course(alerts)[4:] == ["resolved latency resolved: ordinary"] * 3


AGAIN = LASTING_AGAIN_MS / HOUR_MS


def test_a_lasting_change_that_comes_again_soon_is_the_same_alert():
    alerts = told(drifting(1), said(3, "volume", ordinary=True), drifting(3 + AGAIN))
    assert course(alerts)[1:] == [
        "resolved volume resolved: ordinary",
        "firing volume reopened: below_range",
    ]
    assert [(it.alert_id, it.sequence) for it in alerts] == [(alerts[0].alert_id, n) for n in (1, 2, 3)]
    assert alerts[2].starts_at == alerts[0].starts_at


def test_a_lasting_change_that_comes_again_later_is_another_alert():
    alerts = told(drifting(1), said(3, "volume", ordinary=True), drifting(3.1 + AGAIN))
    assert course(alerts)[-1] == "firing volume opened: below_range"


def test_a_sample_comes_again_for_some_hours_only():
    hours = POINT_AGAIN_MS / HOUR_MS
    ended = [said(1), said(3, ordinary=True)]
    assert course(told(*ended, said(3 + hours)))[-1] == "firing latency reopened: above_range"
    assert course(told(*ended, said(3.1 + hours)))[-1] == "firing latency opened: above_range"
    assert (
        course(told(*ended, said(3.5, direction=Direction.DOWN)))[-1] == "firing latency opened: above_range"
    )


def test_a_sample_long_after_the_last_that_was_heard_of_is_another_alert():
    seldom = JOIN_MS / HOUR_MS + 2
    alerts = told(said(1), said(seldom, ordinary=True), said(seldom + 1))
    assert course(alerts)[-1] == "firing latency opened: above_range"


def test_what_comes_again_far_worse_is_another_alert():
    ended = [drifting(1), said(3, "volume", ordinary=True)]
    assert course(told(*ended, vanished(4)))[-1] == "firing volume opened: below_range"


def test_what_comes_again_in_another_task_has_the_same_alert_told_again():
    first, over, again, joined = told(
        drifting(1), said(3, "volume", ordinary=True), drifting(5, "volume", "load")
    )
    assert over.state is State.RESOLVED
    assert (again.alert_id, again.state, again.children) == (first.alert_id, State.FIRING, [joined.alert_id])
    assert (
        again.transition_reason,
        joined.root_cause and joined.root_cause.alert_id,
    ) == ("reopened: below_range", first.alert_id)


def test_what_comes_again_ends_again():
    again = [drifting(1), said(3, "volume", ordinary=True), drifting(5, "volume", "load")]
    alerts = told(*again, said(7, "volume", task="load", ordinary=True))
    assert [it.state for it in alerts[-2:]] == [State.RESOLVED] * 2
    assert alerts[-1].alert_id == alerts[0].alert_id


def test_incidents_that_are_over_are_forgotten():
    triage = Triage(Settings(), Mode.LIVE)
    ended = [
        it for n in range(20) for it in (said(1, pipeline=f"{n}"), said(3, pipeline=f"{n}", ordinary=True))
    ]
    told(*ended, triage=triage)
    held = len(triage.dump()["incidents"])
    assert triage.gauges()["incidents"] == 0
    triage.step(len(ended), batch(len(ended), 40 * 24 * HOUR_MS))
    assert len(triage.dump()["incidents"]) < held / 10


def test_what_opens_long_after_is_an_alert_of_its_own():
    later = JOIN_MS / HOUR_MS + 1.01
    alerts = told(said(1), said(later, "volume"))
    assert [it.state for it in alerts] == [State.FIRING, State.FIRING]
    assert alerts[0].alert_id != alerts[1].alert_id


def test_other_pipelines_have_alerts_of_their_own():
    assert [it.state for it in told(said(1), said(1, pipeline="bills"))] == [State.FIRING] * 2


def test_what_is_graver_or_for_somebody_else_fires():
    grave = Settings(rules=(Rule({"signal": "volume"}, Tuning(severity="critical")),))
    assert [it.state for it in told(said(1), said(1.1, "volume"), settings=grave)] == [State.FIRING] * 2
    assert [it.state for it in told(said(1), said(1.1, "volume", owner="x"))] == [State.FIRING] * 2


def test_what_is_less_grave_joins():
    mild = Settings(rules=(Rule({"signal": "volume"}, Tuning(severity="info")),))
    assert told(said(1), said(1.1, "volume"), settings=mild)[1].state is State.SUPPRESSED


def test_all_series_of_a_pipeline_lie_in_one_shard():
    labels = [
        (("pipeline", "orders"),),
        (("measure", "rows"), ("pipeline", "orders"), ("task", "load")),
        (("name", "null_share"), ("pipeline", "orders")),
    ]
    assert {group_of(it) for it in labels} == {(("pipeline", "orders"),)}
    assert len({shard_of(it, 1000) for it in labels}) == 1
    assert group_of((("dataset", "a"), ("measure", "rows"))) == (("dataset", "a"),)


verdicts = st.lists(
    st.builds(
        said,
        st.integers(1, 200),
        st.sampled_from(sorted(SIGNALS)),
        task=st.sampled_from(["", "load", "read"]),
        ordinary=st.booleans(),
        severity=st.sampled_from([4.0, 6.0, 9.0]),
        owner=st.sampled_from(["", "x"]),
        change=st.sampled_from([Change.POINT, Change.SHIFT]),
        observed=st.sampled_from([0.001, 0.8, 9.0]),
        direction=st.sampled_from(Direction),
    ),
    max_size=40,
).map(lambda them: sorted(them, key=lambda it: it.time_ms))


@given(verdicts)
def test_of_what_joined_the_cause_is_open(them: list[Verdict]):
    open_: set[str] = set()
    for alert in told(*them):
        assert alert.root_cause is None or alert.root_cause.alert_id in open_
        assert (alert.state is State.SUPPRESSED) <= (alert.root_cause is not None)
        (open_.discard if alert.state is State.RESOLVED else open_.add)(alert.alert_id)


@given(verdicts)
def test_sequences_count_and_everything_that_opened_ends(them: list[Verdict]):
    end = (max(it.time_ms for it in them) + QUIET_MS) / HOUR_MS if them else 0
    endings = [
        said(end, signal, task=task, ordinary=True) for signal in SIGNALS for task in ("", "load", "read")
    ]
    alerts = told(*them, *endings)
    for alert_id in {it.alert_id for it in alerts}:
        mine = [it for it in alerts if it.alert_id == alert_id]
        assert [it.sequence for it in mine] == list(range(1, len(mine) + 1))
        assert mine[-1].state is State.RESOLVED
        after = [it for before, it in pairwise(mine) if before.state is State.RESOLVED]
        assert {it.transition_reason.partition(":")[0] for it in after} <= {"reopened"}
        assert {it.state for it in after} <= {State.FIRING}


@given(verdicts, st.integers(0, 40))
def test_a_restart_changes_nothing(them: list[Verdict], cut: int):
    before, after = Triage(UNREMINDED, Mode.LIVE), Triage(UNREMINDED, Mode.LIVE)
    first = told(*them[:cut], triage=before)
    after.load(before.dump())
    second = told(*them[cut:], triage=after)
    assert msgspec.json.encode(first + second) == msgspec.json.encode(told(*them))
