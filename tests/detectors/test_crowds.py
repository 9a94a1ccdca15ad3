"""Crowds: when a pipeline runs more often than it ever does, and what that teaches its cadence."""

import random
from collections.abc import Iterable

import pytest

from detectors.alerts import Alert, State
from detectors.wording import time_text
from tests.detectors.scripted_log import Event, Pipeline, whole

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START_MS = 1_780_000_000_000


def regular(interval_ms: int, runs: int) -> list[int]:
    rng = random.Random(1)
    return [number * interval_ms + rng.randrange(20_000) for number in range(1, runs)]


def opened(times_ms: list[int]) -> list[Alert]:
    """The alerts that open when a pipeline runs at these times, for a second each."""
    events = [
        Event(START_MS + time_ms, "orders", run=f"run-{number}", duration_ms=1000.0)
        for number, time_ms in enumerate(times_ms)
    ]
    alerts = Pipeline().run(whole([events]))
    return [it for it in alerts if it.state is State.FIRING and it.sequence == 1]


def reasons(alerts: Iterable[Alert]) -> list[str]:
    return [it.transition_reason.removeprefix("opened: ") for it in alerts]


@pytest.mark.parametrize("interval_ms", [15 * MINUTE, HOUR, DAY])
def test_a_backfill_is_one_alert_and_teaches_no_cadence(interval_ms: int) -> None:
    times = regular(interval_ms, 60)
    ends_ms = times[39] + MINUTE
    backfill = [ends_ms + number * 15_000 for number in range(12)]
    alerts = opened(sorted(times + backfill))
    assert reasons(alerts) == ["too_many_runs"]
    assert alerts[0].series.signal == "volume"
    assert alerts[0].observed is not None
    assert 6 <= alerts[0].observed <= 8
    assert "orders ran 7 times from 2026-" in alerts[0].summary


def test_a_rerun_and_the_catching_up_after_an_outage_are_no_crowds() -> None:
    times = regular(HOUR, 100)
    rerun = times[60] + 10 * MINUTE
    missing = set(times[80:84])
    caught_up = [times[84] + number * MINUTE for number in range(1, 4)]
    alerts = opened(sorted([it for it in times if it not in missing] + [rerun, *caught_up]))
    assert reasons(alerts) == ["run_overdue"]


def test_runs_at_random_are_no_crowd() -> None:
    rng = random.Random(5)
    time_ms, times = 0, []
    for _ in range(3000):
        time_ms += int(rng.expovariate(1 / HOUR)) + 1
        times.append(time_ms)
    assert reasons(opened(times)).count("too_many_runs") <= 2


def test_a_pipeline_that_always_runs_in_crowds_may_do_so() -> None:
    times = [day * DAY + number * MINUTE for day in range(30) for number in range(12)]
    assert reasons(opened(times)).count("too_many_runs") == 0


def test_a_pipeline_that_runs_more_often_for_good_is_learned_anew() -> None:
    times = regular(HOUR, 100)
    more = [times[-1] + number * 5 * MINUTE for number in range(1, 1200)]
    said = reasons(opened([*times, *more, more[-1] + 30 * MINUTE]))
    assert said[0] == "too_many_runs"
    assert said[-1] == "run_overdue"
    assert len(said) <= 3


def test_a_crowd_is_over_with_the_next_ordinary_run() -> None:
    times = regular(DAY, 60)
    backfill = [times[39] + MINUTE + number * 15_000 for number in range(30)]
    events = [
        Event(START_MS + time_ms, "orders", run=f"run-{number}", duration_ms=1000.0)
        for number, time_ms in enumerate(sorted(times + backfill))
    ]
    alerts = [it for it in Pipeline().run(whole([events])) if it.series.signal == "volume"]
    assert alerts[-1].state is State.RESOLVED
    assert alerts[-1].updated_at < time_text(START_MS + times[40] + MINUTE)
