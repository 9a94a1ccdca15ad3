"""Triage: one incident is one episode, told in few words, with ids that are functions of what happened."""

import msgspec

from detectors.alerts import Alert, Mode, State
from detectors.series import Signal
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

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PLACES = (SourcePosition("pipeline.events", 0, 41, 41),)


def verdict(time_ms: int, anomalous: bool = True, severity: float = 5.0, pipeline: str = "orders") -> Verdict:
    return Verdict(
        signal=Signal.LATENCY,
        labels=(("pipeline", pipeline),),
        detector="huber_routine",
        time_ms=time_ms,
        window_start_ms=time_ms - 1000,
        window_end_ms=time_ms,
        anomalous=anomalous,
        reason=Reason.ABOVE_RANGE if anomalous else Reason.ORDINARY,
        change=Change.POINT,
        baseline=Baseline("huber_routine", 400, 0, time_ms),
        positions=PLACES,
        severity_score=severity,
        unit="ms",
        observed=9000.0,
        expected=1000.0,
        upper=1500.0,
        direction=Direction.UP,
    )


def batch(offset: int, *verdicts: Verdict, wall_ms: int = 0) -> bytes:
    orders_ms = tuple(it.time_ms for it in verdicts)
    return AnomalyBatch(VERSION, 0, offset, max(orders_ms) + 1, wall_ms, orders_ms, verdicts).to_bytes()


def told(*verdicts: Verdict, settings: Settings | None = None) -> list[Alert]:
    triage = Triage(settings or Settings(), Mode.LIVE)
    return [
        alert for offset, said in enumerate(verdicts) for alert in triage.step(offset, batch(offset, said))
    ]


def test_an_incident_is_told_when_it_opens_and_when_it_ends() -> None:
    alerts = told(verdict(0), verdict(MINUTE_MS), verdict(2 * HOUR_MS, False), verdict(3 * HOUR_MS, False))
    assert [alert.state for alert in alerts] == [State.FIRING, State.RESOLVED]
    assert len({alert.alert_id for alert in alerts}) == 1
    assert [alert.sequence for alert in alerts] == [1, 2]
    assert alerts[1].starts_at == alerts[0].starts_at
    assert alerts[1].ends_at == "1970-01-01T02:00:00.000Z"


def test_a_second_incident_has_another_id_and_the_same_fingerprint() -> None:
    first, _, second = told(verdict(0), verdict(2 * HOUR_MS, False), verdict(7 * HOUR_MS))
    assert first.alert_id != second.alert_id
    assert first.fingerprint == second.fingerprint


def test_getting_worse_is_told_under_the_same_id() -> None:
    alerts = told(verdict(0, severity=5), verdict(HOUR_MS, severity=5.1), verdict(2 * HOUR_MS, severity=8))
    assert [alert.transition_reason for alert in alerts] == ["opened: above_range", "worsened: above_range"]
    assert len({alert.event_id for alert in alerts}) == 2
    assert len({alert.alert_id for alert in alerts}) == 1


def test_a_repeated_batch_says_nothing_again() -> None:
    triage = Triage(Settings(), Mode.LIVE)
    assert len(triage.step(0, batch(7, verdict(0)))) == 1
    assert triage.step(1, batch(7, verdict(0))) == []
    assert triage.take_counts()["fenced", "anomalies"] == 1


def test_ids_are_functions_of_what_happened_and_not_of_when_it_was_noticed() -> None:
    early, late = (
        Triage(Settings(), Mode.LIVE).step(0, batch(0, verdict(0), wall_ms=wall)) for wall in (5, 900)
    )
    strip = {"detected_at": "", "detection_delay_ms": 0}
    assert msgspec.structs.replace(early[0], **strip) == msgspec.structs.replace(late[0], **strip)
    assert late[0].detection_delay_ms == 900


def test_who_is_told_comes_from_the_configuration() -> None:
    rule = Rule(
        {"pipeline": "ord*"}, Tuning(owner="data-platform", severity="critical", runbook_url="https://x")
    )
    (alert,) = told(verdict(0), settings=Settings(rules=(rule,)))
    assert (alert.owner, alert.severity, alert.runbook_url) == ("data-platform", "critical", "https://x")


def test_alerts_carry_the_labels_of_the_configuration_and_keep_those_of_the_series() -> None:
    rules = (
        Rule({"pipeline": "ord*"}, Tuning(labels=(("channel", "#data"), ("team", "data")))),
        Rule({"pipeline": "orders"}, Tuning(labels=(("channel", "#orders"), ("pipeline", "another")))),
    )
    (alert,) = told(verdict(0), settings=Settings(rules=rules))
    plain = dict(verdict(0).labels)
    assert alert.labels == {**plain, "kind": alert.kind, "team": "data", "channel": "#orders"}
    assert alert.series.labels == plain


def test_what_to_read_is_the_runbook_of_the_kind_unless_configured() -> None:
    (alert,) = told(verdict(0), settings=Settings(runbook_base_url="https://docs.example/runbooks"))
    assert alert.runbook_url == f"https://docs.example/runbooks/{alert.kind}.md"


def test_the_effect_is_the_distance_from_what_was_expected() -> None:
    (alert,) = told(verdict(0))
    assert (alert.effect.absolute, alert.effect.relative) == (8000.0, 8.0)


def test_episodes_survive_a_restart() -> None:
    triage, other = Triage(Settings(), Mode.LIVE), Triage(Settings(), Mode.LIVE)
    (opened,) = triage.step(0, batch(0, verdict(0)))
    other.load(triage.dump())
    assert other.dump() == triage.dump()
    (ended,) = other.step(1, batch(1, verdict(2 * HOUR_MS, False)))
    assert (ended.alert_id, ended.state) == (opened.alert_id, State.RESOLVED)
