"""Active hours: the first weekend of a series."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.active_hours import WEEK_HOURS, expected_active, mark_active
from detectors.cadence_layout import CADENCE

MONDAY = 2900 * WEEK_HOURS - 72
"""The first hour of one, counted from 1970."""
WORKING, DAY = 120, 24


@settings(deadline=None)  # the first example compiles
@given(
    first=st.integers(0, WEEK_HOURS - 1),
    idle=st.sets(st.integers(0, WORKING - 1), max_size=20),
    hour=st.integers(WORKING, WEEK_HOURS - 1),
)
def test_a_first_weekend_is_waited_for_only_after_working_days_around_the_clock(
    first: int, idle: set[int], hour: int
) -> None:
    cadence = np.zeros(1, CADENCE)[0]
    cadence["first_hour"] = MONDAY + first
    active = [at for at in range(first, WEEK_HOURS) if at not in idle]
    for at in active:
        mark_active(cadence, MONDAY + at)
    working = range(first, WORKING)
    around_the_clock = sum(at in active for at in working) >= 0.9 * len(working)
    assert expected_active(cadence, MONDAY + hour) == around_the_clock
