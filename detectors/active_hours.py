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
from detectors.memory import bits_set

DAY_HOURS, WEEK_HOURS = 24, 168
_MONDAY_SHIFT = 72
_WORKING_HOURS = 5 * DAY_HOURS
_WORKING = np.uint64(2**64 - 1), np.uint64(2 ** (_WORKING_HOURS - 64) - 1)
"""The bits of a week's words that are hours of working days."""
_WEEK_WEIGHT, _DAY_WEIGHT = 0.4, 0.25
_NIGHT_HOURS = 20
_AROUND_THE_CLOCK = 0.9


@inner
def _week_of(hour: int) -> int:
    return (hour + _MONDAY_SHIFT) // WEEK_HOURS


@inner
def _is_weekend(hour: int) -> bool:
    return (hour + _MONDAY_SHIFT) % WEEK_HOURS >= _WORKING_HOURS


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
    if weeks == 0 and _is_weekend(hour) and not _runs_around_the_clock(c, hour):
        return False
    for day in range(1, 7):
        before = hour - day * DAY_HOURS
        if _is_weekend(before) == _is_weekend(hour) and _says_something(c, before):
            if _was_active(c, before):
                seen += _DAY_WEIGHT
                active += _DAY_WEIGHT
            elif _was_a_night(c, before):
                seen += _DAY_WEIGHT
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
    week = _week_of(hour)
    first = max(c.first_hour + _MONDAY_SHIFT - week * WEEK_HOURS, 0)
    seen = max(_WORKING_HOURS - first, 0)
    if week > c.week or week <= c.week - WEEKS:
        return seen == 0
    active = 0
    for word in range(2):
        skipped = min(max(first - 64 * word, 0), 64)
        kept = _WORKING[word] >> np.uint64(skipped) << np.uint64(skipped) if skipped < 64 else np.uint64(0)
        active += bits_set(c.hours[week % WEEKS, word] & kept)
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
