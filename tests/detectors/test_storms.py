"""Very many incidents at once are one alert with a count; none of them is lost."""

import msgspec

from detectors.alerts import Kind, State
from detectors.paging import Paging
from detectors.register import TIMERS_SPARE
from detectors.series import Signal
from detectors.storms import LULL_MS
from detectors.verdicts import Reason, Verdict
from tests.detectors.triage_log import HOUR_MS, MINUTE_MS, START_MS, Log, course, verdict

PAGES = Paging().storm_pages


def storm(count: int, log: Log | None = None) -> Log:
    log = log or Log()
    log.say(
        *(
            verdict(START_MS + n * MINUTE_MS // count, f"p{n}", Signal.FAILURES, owner="data")
            for n in range(count)
        )
    )
    return log


def test_as_many_as_people_can_take_are_told_one_by_one():
    assert len(storm(PAGES).pages()) == PAGES


def test_ten_thousand_in_a_minute_are_five_notices_and_every_alert_is_on_the_topic():
    log = storm(10_000)
    log.pass_time(START_MS + 20 * MINUTE_MS)
    assert len(log.notices()) <= 5
    opened = [it for it in log.alerts if it.sequence == 1 and it.kind is Kind.FAILURES]
    assert len({it.alert_id for it in opened}) == 10_000
    latest = [it for it in log.alerts if it.kind is Kind.STORM][-1]
    assert latest.summary.startswith("10000 incidents of data at once")
    assert latest.observed == 10_000


def test_a_storm_is_told_when_it_opens_with_how_many_it_is():
    log = storm(PAGES + 1)
    told = log.pages()[-1]
    assert (told.kind, told.observed, told.owner) == (Kind.STORM, PAGES + 1, "data")
    assert log.alerts[-1].root_cause is not None
    assert log.alerts[-1].root_cause.alert_id == told.alert_id
    assert log.alerts[-1].state is State.SUPPRESSED


def test_a_storm_ends_with_the_last_of_it():
    log = storm(PAGES + 2)
    for n in range(PAGES + 2):
        log.say(verdict(START_MS + 2 * HOUR_MS + n, f"p{n}", Signal.FAILURES, anomalous=False))
    assert course(log.alerts)[-2:] == [f"resolved p{PAGES + 1} resolved", "resolved storm resolved"]
    assert log.triage.gauges()["incidents"] == 0


def test_after_a_lull_people_are_told_one_by_one_again():
    log = storm(PAGES + 2)
    later = verdict(START_MS + MINUTE_MS + LULL_MS + 1, "later", Signal.FAILURES, owner="data")
    (told,) = [it for it in log.say(later) if it.kind is not Kind.STORM]
    assert course([told]) == ["firing later opened"]


def test_others_are_told_of_theirs():
    log = storm(PAGES + 2)
    (told,) = log.say(verdict(START_MS + MINUTE_MS, "other", owner="finance"))
    assert course([told]) == ["firing other opened"]


def test_a_restart_in_the_middle_changes_nothing():
    whole, cut = storm(30), Log()
    for n in range(30):
        cut.say(verdict(START_MS + n * MINUTE_MS // 30, f"p{n}", Signal.FAILURES, owner="data"))
        cut.restart()
    facts = [[(it.event_id, it.state, it.children) for it in log.alerts] for log in (whole, cut)]
    assert facts[0] == facts[1]


def overdue(time_ms: int, pipeline: str, *, anomalous: bool) -> Verdict:
    said = verdict(time_ms, pipeline, Signal.FRESHNESS, anomalous=anomalous)
    return msgspec.structs.replace(said, reason=Reason.RUN_OVERDUE if anomalous else Reason.RUN_ARRIVED)


def test_a_month_of_storms_of_ever_other_pipelines_is_forgotten():
    """A storm a day, each of pipelines of which nothing is heard again, takes no more on the fortieth day than after a week."""
    log, sizes = Log(), []
    for day in range(40):
        at_ms, names = START_MS + day * 24 * HOUR_MS, [f"p{day}-{number}" for number in range(60)]
        log.say(*(overdue(at_ms + n, name, anomalous=True) for n, name in enumerate(names)))
        log.say(*(overdue(at_ms + HOUR_MS + n, name, anomalous=False) for n, name in enumerate(names)))
        sizes.append(len(log.triage.dump()["incidents"]))
        assert log.triage.gauges()["incidents"] == 0
    assert sizes[-1] < 1.1 * sizes[7]
    assert len(log.triage._register._timers) <= TIMERS_SPARE
