"""What comes and goes at the threshold is told twice an hour at most, whatever its pattern; what stays wrong is told within the hour."""

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.alerts import State
from detectors.incidents import FLAPPING_MS
from detectors.series import Signal
from detectors.settings import Settings
from detectors.verdicts import Reason, Verdict
from stream.sources import Place
from tests.detectors.triage_log import HOUR_MS, MINUTE_MS, SECOND_MS, START_MS, Log, course, verdict
from tests.simulator.in_one_process import InOneProcess

MINUTES = 60
PATTERNS = st.lists(st.booleans(), min_size=MINUTES, max_size=MINUTES)
SIGNALS = st.sampled_from([Signal.LATENCY, Signal.VOLUME, Signal.FAILURES, Signal.FRESHNESS])
SPLIT = [minute % 2 == 0 for minute in range(MINUTES)]


def flap(signal: Signal, time_ms: int, anomalous: bool, severity: float = 5.0) -> Verdict:
    """A verdict at the threshold: of a run that is awaited, the ordinary one is that it has come."""
    said = verdict(time_ms, signal=signal, anomalous=anomalous)
    reason = Reason.RUN_ARRIVED if signal is Signal.FRESHNESS and not anomalous else said.reason
    return msgspec.structs.replace(said, reason=reason, severity_score=severity)


@given(PATTERNS, SIGNALS, st.lists(st.floats(4.1, 5.0), min_size=MINUTES, max_size=MINUTES))
@example(SPLIT, Signal.FRESHNESS, [5.0] * MINUTES)
@settings(max_examples=60)
def test_an_hour_of_flapping_is_two_notices_at_most(
    pattern: list[bool], signal: Signal, severities: list[float]
) -> None:
    log = Log()
    for minute, (anomalous, severity) in enumerate(zip(pattern, severities, strict=True)):
        log.say(flap(signal, START_MS + minute * MINUTE_MS, anomalous, severity))
    assert len(log.notices()) <= 2
    assert any(pattern) == bool(log.notices())


def late_again(log: Log) -> None:
    """A run is overdue, comes after five minutes, and is overdue again ten minutes later."""
    for minute, anomalous in ((0, True), (5, False), (15, True)):
        log.say(flap(Signal.FRESHNESS, START_MS + minute * MINUTE_MS, anomalous))


def test_an_outage_soon_after_a_late_run_waits_and_is_told_within_the_hour():
    log = Log()
    late_again(log)
    assert course(log.alerts) == [
        "firing orders opened",
        "resolved orders resolved",
        "pending orders reopened",
    ]
    assert len({it.alert_id for it in log.alerts}) == 1
    log.restart()
    assert log.pass_time(START_MS + FLAPPING_MS - 1) == []
    (told,) = log.pass_time(START_MS + FLAPPING_MS)
    assert (course([told]), told.notify) == (["firing orders released"], True)


def test_a_late_run_that_comes_while_it_waits_is_not_told():
    log = Log()
    late_again(log)
    log.say(flap(Signal.FRESHNESS, START_MS + 20 * MINUTE_MS, False))
    assert course(log.notices()) == ["firing orders opened", "resolved orders resolved"]
    assert log.latest("orders").state is State.RESOLVED


def test_what_is_overdue_an_hour_after_people_were_told_is_told_at_once_and_anew():
    log = Log()
    log.say(flap(Signal.FRESHNESS, START_MS, True), flap(Signal.FRESHNESS, START_MS + MINUTE_MS, False))
    (told,) = log.say(flap(Signal.FRESHNESS, START_MS + FLAPPING_MS, True))
    assert (course([told]), told.notify) == (["firing orders opened"], True)
    assert told.alert_id != log.alerts[0].alert_id


def event(time_ms: int) -> bytes:
    return json.dumps({"pipeline": "orders", "state": "succeeded", "time": time_ms}).encode()


@pytest.mark.parametrize("every_min", [9, 13])
def test_runs_that_are_late_for_an_hour_are_told_twice_over_all_stages(every_min: int) -> None:
    """Runs every five minutes for two days and then every nine or thirteen, read as they come: each is just too late."""
    begin_ms = START_MS + 576 * 5 * MINUTE_MS
    learned = [START_MS + number * 5 * MINUTE_MS + number * 7919 % 20 * SECOND_MS for number in range(576)]
    late = range(begin_ms, begin_ms + HOUR_MS, every_min * MINUTE_MS)
    stages = InOneProcess({"e": "events"}, {"e": 1}, Settings())
    place, offset = Place("e", 0), len(learned)
    stages.read(place, range(offset), [event(it) for it in learned], [0] * offset, learned[-1])
    for wall_ms in range(begin_ms - 4 * MINUTE_MS, begin_ms + HOUR_MS, MINUTE_MS):
        if wall_ms in late:
            stages.read(place, [offset], [event(wall_ms)], [0], wall_ms)
            offset += 1
        stages.mark(place, wall_ms)
    notices = [it for it in stages.alerts.values() if it.notify]
    assert [it.state for it in notices] == [State.FIRING, State.RESOLVED]
    assert len(stages.alerts) > 4, "it did not flap"
