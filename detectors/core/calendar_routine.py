"""What a series does once a week or at a month's beginning or end: peaks of surprise kept longer than the last eight days.

A peak is a routine of a time of week when the same hours had it a week before and in some week before that; one of a month's
day when the last two such days had it. Peaks are kept in steps, in a byte; those that do not come again wear off. What is routine upwards is not so downwards,
so the lowest bit of a peak of the week says which it was: a weekly load that is left out is no routine.
"""

import numpy as np

from detectors.compiled import inner
from detectors.core.layout import (
    DAY_MS,
    DAYS_OF_MONTH,
    HOURS,
    WEEK_BLOCKS,
    Record,
)
from detectors.month_classes import BOTH_DAYS, BUSINESS_ONLY, NONE, month_end_class, month_start_class

_EPOCH_DAY_OF_WEEK = 4
"""1970-01-01 was a Thursday: day 4 of a week that starts on Sunday."""
_STEPS = 5.0
"""Of a kept peak for 1 of surprise."""
_MOST = 127
_WORN = 2
"""Steps by which a peak that does not come again wears off each time."""
_FIRST_DAY, _FIRST_BUSINESS_DAY, _LAST_DAY, _LAST_BUSINESS_DAY = range(DAYS_OF_MONTH)
_NOW, _LAST, _OLDER = 0, 1, 2


@inner
def _kept(peak: float) -> int:
    return int(min(max(peak * _STEPS, 0.0), _MOST))


@inner
def _worn(older: int, newer: int) -> int:
    return int(max(np.int64(newer), np.int64(older) - _WORN))


@inner
def _block_of_week(day: int, hour: int) -> int:
    return ((day + _EPOCH_DAY_OF_WEEK) % 7 * HOURS + hour) // 2


@inner
def keep_weekly(s: Record, day: int, hour: int, peak: float, down: bool) -> None:
    """Keep the peak of an hour that leaves the last eight days."""
    at, kept = _block_of_week(day, hour), _kept(peak)
    before = int(np.int64(s.week_peak[at]))
    older = before >> 1
    if hour % 2 == 0:
        older = max(older - _WORN, 0)
    s.week_peak[at] = 2 * kept + (1 if down else 0) if kept > older else 2 * older + (before & 1)


@inner
def weekly_routine(s: Record, day: int, hour: int, week_ago: float) -> float:
    """The routine peak around this hour of the week, given that of a week ago: negative downwards, 0 when there is none."""
    hour_of_week = _block_of_week(day, 0) * 2 + hour
    before = s.week_peak[(hour_of_week - 1) // 2 % WEEK_BLOCKS]
    after = s.week_peak[(hour_of_week + 1) // 2 % WEEK_BLOCKS]
    older = np.int64(max(before, after))
    peak = max(min(week_ago, (older >> 1) / _STEPS), 0.0)
    return -peak if older & 1 else peak


@inner
def _is(day: int, of_month: int) -> bool:
    """Whether a day is the first or last day or business day of its month."""
    at_start = of_month in (_FIRST_DAY, _FIRST_BUSINESS_DAY)
    which = month_start_class(day * DAY_MS) if at_start else month_end_class(day * DAY_MS)
    if which in (NONE, BOTH_DAYS):
        return which == BOTH_DAYS
    return (which == BUSINESS_ONLY) == (of_month in (_FIRST_BUSINESS_DAY, _LAST_BUSINESS_DAY))


@inner
def _may_be_special(day: int) -> bool:
    return month_start_class(day * DAY_MS) != NONE or month_end_class(day * DAY_MS) != NONE


@inner
def keep_monthly(s: Record, day: int, peak: float) -> None:
    """Keep the peak of an hour that has ended, on a day at a month's beginning or end."""
    if _may_be_special(day):
        for it in range(DAYS_OF_MONTH):
            if _is(day, it):
                s.month_peak[it, _NOW] = max(s.month_peak[it, _NOW], _kept(peak))


@inner
def begin_day(s: Record, day: int) -> None:
    """Begin the peak of a day at a month's beginning or end."""
    if _may_be_special(day):
        for it in range(DAYS_OF_MONTH):
            if _is(day, it):
                s.month_peak[it, _OLDER] = _worn(s.month_peak[it, _OLDER], s.month_peak[it, _LAST])
                s.month_peak[it, _LAST] = s.month_peak[it, _NOW]
                s.month_peak[it, _NOW] = 0


@inner
def monthly_routine(s: Record, day: int) -> float:
    """The routine peak of a day at a month's beginning or end; 0 when there is none."""
    best = np.uint8(0)
    if _may_be_special(day):
        for it in range(DAYS_OF_MONTH):
            if _is(day, it):
                best = max(best, min(s.month_peak[it, _LAST], s.month_peak[it, _OLDER]))
    return best / _STEPS
