"""Silences that come, go, begin and end: an incident is silenced exactly when one that is in force matches it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.commands import Cancel, Maintenance, Recurring, Silence
from detectors.desk import about
from tests.detectors import triage_log
from tests.detectors.triage_log import HOUR_MS, START_MS, Log, moment, verdict

GLOBS = st.fixed_dictionaries({"pipeline": st.sampled_from(["a", "b", "?", "*", "none"])})
HOURS = st.integers(0, 30)
Step = tuple[str, dict[str, str], int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["silence", "window", "cancel", "time", "opens"]), GLOBS, HOURS, HOURS),
    max_size=25,
)


def command(number: int, step: Step, now_ms: int) -> Any:
    what, match, after, hours = step
    if what == "cancel":
        return triage_log.given(Cancel, command_id=f"c{number}", cancels=f"c{after % (number + 1)}")
    if what == "window":
        window = Recurring(at=f"{after % 24:02}:30", minutes=60 + hours)
        return triage_log.given(Maintenance, command_id=f"c{number}", match=match, recurring=window)
    begin_ms = now_ms + after * HOUR_MS
    until = moment(begin_ms + (hours + 1) * HOUR_MS)
    return triage_log.given(
        Silence, command_id=f"c{number}", match=match, starts_at=moment(begin_ms), until=until
    )


@given(STEPS)
@settings(max_examples=150)
def test_an_incident_is_silenced_when_one_in_force_matches_it_and_by_the_first_of_them(
    steps: list[Step],
) -> None:
    log, now_ms = Log(), START_MS
    log.say(*(verdict(now_ms, pipeline) for pipeline in "ab"))
    for number, step in enumerate(steps):
        if step[0] == "time":
            now_ms += step[3] * HOUR_MS // 2
            log.pass_time(now_ms)
        elif step[0] == "opens":
            log.say(verdict(now_ms, f"{number}"), now_ms=now_ms)
        else:
            log.order(command(number, step, now_ms))
        assert_as_silences_say(log)


def assert_as_silences_say(log: Log) -> None:
    desk, teller, register = log.triage._desk, log.triage._teller, log.triage._register
    for incident in register.all_open():
        assert incident.silenced_by == desk.silences.matching(about(incident), teller.now_ms)
