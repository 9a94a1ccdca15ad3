"""The cadence head: by when the next run is due."""

import random

from hypothesis import given
from hypothesis import strategies as st

from detectors.silence import ALLOWED_GAP_MS_MIN, Cadence

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PER_DAY = 1 / 30


def due_after(arrivals: list[int]) -> int | None:
    """When the arrival after the last of these is overdue, counted from it."""
    cadence = Cadence()
    due_ms = None
    for time_ms in arrivals:
        due_ms = cadence.arrive(time_ms, PER_DAY)
    return None if due_ms is None else due_ms - arrivals[-1]


def test_nothing_is_due_before_the_sixth_arrival() -> None:
    assert due_after([n * HOUR_MS for n in range(5)]) is None
    assert due_after([n * HOUR_MS for n in range(6)]) is not None


def test_a_nightly_run_is_due_within_a_day_and_a_half() -> None:
    due_ms = due_after([n * DAY_MS for n in range(30)])
    assert due_ms is not None
    assert DAY_MS < due_ms < 1.5 * DAY_MS


def test_the_weekend_of_a_weekday_job_is_no_silence() -> None:
    weekdays = [day * DAY_MS for day in range(61) if day % 7 < 5]
    due_ms = due_after(weekdays)
    assert due_ms is not None
    assert due_ms > 3 * DAY_MS


def test_one_outage_does_not_teach_that_outages_are_normal() -> None:
    monday_ms = 4 * DAY_MS
    regular = [monday_ms + n * HOUR_MS for n in range(20)]
    after_outage = regular + [regular[-1] + 30 * HOUR_MS + n * HOUR_MS for n in range(10)]
    due_ms = due_after(after_outage)
    assert due_ms is not None
    assert due_ms < 2 * HOUR_MS


def test_irregular_arrivals_are_given_time() -> None:
    rng = random.Random(5)
    now_ms, cadence, overdue = 0, Cadence(), 0
    due_ms = None
    for _ in range(3000):
        now_ms += int(rng.expovariate(1 / HOUR_MS)) + 1
        overdue += due_ms is not None and now_ms > due_ms
        due_ms = cadence.arrive(now_ms, PER_DAY)
    assert overdue <= 12


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_whatever_the_order_of_arrivals_the_due_time_lies_a_minute_ahead_at_least(times: list[int]) -> None:
    cadence = Cadence()
    for time_ms in times:
        due_ms = cadence.arrive(time_ms, PER_DAY)
        assert due_ms is None or due_ms >= cadence.last_ms + ALLOWED_GAP_MS_MIN
