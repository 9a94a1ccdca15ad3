"""Active hours: in which hours of the week does a series come at all, such as from 8 to 18 on working days?

A bit for each hour of the last four weeks says whether the series was active. An hour is expected to be active when more than half of the
evidence says so: the same hour of the three weeks before, each with weight 0.4, and the same hour of those of the six days before that are working
days, or weekend days, as well, each with 0.25. So an outage
does not teach silence, and a night is known from the second one on; a silence of 20 hours or more is no night, and only says something of its weekday. The first weekend of a series that was silent at other times too
is taken for silent. A week without any activity says nothing. By the series' own clock. 96 bytes a series; a few nanoseconds to mark, tens to ask.
"""

import numpy as np

from detectors.cadence_layout import HOUR_MS, WEEKS
from detectors.compiled import inner
from detectors.core.layout import Record

DAY_HOURS, WEEK_HOURS = 24, 168
_MONDAY_SHIFT = 72
_WEEK_WEIGHT, _DAY_WEIGHT = 0.4, 0.25
_NIGHT_HOURS = 20
_AROUND_THE_CLOCK = 0.9


@inner
def _week_of(hour: int) -> int:
    return (hour + _MONDAY_SHIFT) // WEEK_HOURS


@inner
def _is_weekend(hour: int) -> bool:
    return (hour + _MONDAY_SHIFT) % WEEK_HOURS >= 5 * DAY_HOURS


@inner
def mark_active(c: Record, hour: int) -> None:
    """Note activity in an hour, counted from 1970."""
    week, cell = _week_of(hour), (hour + _MONDAY_SHIFT) % WEEK_HOURS
    if week > c.week:
        for later in range(max(c.week + 1, week - WEEKS + 1), week + 1):
            for word in range(3):
                c.hours[later % WEEKS, word] = 0
        c.week = week
    if week > c.week - WEEKS:
        c.hours[week % WEEKS, cell >> 6] |= np.uint64(1) << np.uint64(cell & 63)


@inner
def _was_active(c: Record, hour: int) -> bool:
    week, cell = _week_of(hour), (hour + _MONDAY_SHIFT) % WEEK_HOURS
    if week > c.week or week <= c.week - WEEKS:
        return False
    return (c.hours[week % WEEKS, cell >> 6] >> np.uint64(cell & 63)) & np.uint64(1) == 1


@inner
def _says_something(c: Record, hour: int) -> bool:
    """Whether the week of an hour that was lived through had any activity."""
    week = _week_of(hour)
    if hour < c.first_hour or week <= c.week - WEEKS or week > c.week:
        return False
    return c.hours[week % WEEKS, 0] != 0 or c.hours[week % WEEKS, 1] != 0 or c.hours[week % WEEKS, 2] != 0


@inner
def expected_active(c: Record, hour: int) -> bool:
    """Whether the series is expected in an hour that has not passed."""
    seen, active, weeks = 0.0, 0.0, 0
    for week in range(1, WEEKS):
        before = hour - week * WEEK_HOURS
        if _says_something(c, before):
            weeks += 1
            seen += _WEEK_WEIGHT
            active += _WEEK_WEIGHT if _was_active(c, before) else 0.0
    for day in range(1, 7):
        before = hour - day * DAY_HOURS
        if _is_weekend(before) == _is_weekend(hour) and _says_something(c, before):
            if _was_active(c, before):
                seen += _DAY_WEIGHT
                active += _DAY_WEIGHT
            elif _was_a_night(c, before):
                seen += _DAY_WEIGHT
    if (
        weeks == 0
        and (hour + _MONDAY_SHIFT) % WEEK_HOURS >= 5 * DAY_HOURS
        and not _runs_around_the_clock(c, hour)
    ):
        return False
    return active >= 0.5 * seen


@inner
def _was_a_night(c: Record, hour: int) -> bool:
    """Whether an hour without activity was part of a silence of less than 20 hours."""
    first, last = hour, hour
    while hour - first < _NIGHT_HOURS and not _was_active(c, first - 1):
        first -= 1
    while last - first < _NIGHT_HOURS and not _was_active(c, last + 1):
        last += 1
    return last - first < _NIGHT_HOURS


@inner
def _runs_around_the_clock(c: Record, hour: int) -> bool:
    """Whether the series was active in nearly all hours of the working days before, as far as it was there."""
    monday = _week_of(hour) * WEEK_HOURS - _MONDAY_SHIFT
    seen, active = 0, 0
    for before in range(max(monday, c.first_hour), monday + 5 * DAY_HOURS):
        seen += 1
        active += _was_active(c, before)
    return active >= _AROUND_THE_CLOCK * seen


@inner
def next_active(c: Record, hour: int) -> int:
    """The first hour from this one on that is expected to be active; this one if none is within a week."""
    for later in range(hour, hour + WEEK_HOURS):
        if expected_active(c, later):
            return later
    return hour


@inner
def hour_of(clock_ms: float) -> int:
    """The hour of a clock time, counted from 1970."""
    return int(clock_ms // HOUR_MS)
