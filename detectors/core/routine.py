"""What a series routinely does: the peaks of surprise that come anyway, in general and at this hour of day.

In general: a ring of one week of overlapping four-hour maxima. Its 66th percentile is the routine peak and its spread
says how heavy the tail is; both are shrunk to the population. An incident would have to fill a third of the blocks to
move them. At this hour: the third lowest or so of the last seven days' peaks within this hour and its neighbours, so
that a nightly load stops alarming, and what comes once a week or month (`calendar_routine`).
"""

import math

import numpy as np

from detectors.compiled import inner
from detectors.core.calendar_routine import (
    begin_day,
    keep_monthly,
    keep_weekly,
    monthly_routine,
    weekly_routine,
)
from detectors.core.layout import (
    ANY,
    BLOCK_MS,
    DAILY,
    DAY_MS,
    DAYS,
    HOUR_DAYS_KEPT,
    HOUR_DAYS_MIN,
    HOUR_MS,
    HOUR_SHARE,
    HOURS,
    NEVER,
    POPULATION_BLOCKS,
    POPULATION_ROUTINE,
    POPULATION_TAIL,
    RING,
    ROUTINE_SHARE,
    TAIL_HIGH,
    TAIL_LOW,
    WEEKLY,
    Record,
)
from detectors.core.tail import learn_tail

UNKNOWN = -1.0
"""In place of a peak: nothing known there. Surprise is never negative."""


@inner
def start_routine(s: Record, time_ms: int) -> None:
    """Routine of a series before its first sample: the population's."""
    s.block = time_ms // BLOCK_MS
    s.block_peak_before = UNKNOWN
    s.routine, s.tail = POPULATION_ROUTINE, POPULATION_TAIL
    s.slot_hour = NEVER
    s.hour_routine = UNKNOWN
    s.hour_peak[:, :] = UNKNOWN


@inner
def _ranked(s: Record, rank: int) -> float:
    return float(np.float64(s.ring[s.ring_order[rank]]))


@inner
def _quantile(s: Record, share: float) -> float:
    place = share * (s.ring_filled - 1)
    rank = int(place)
    low = _ranked(s, rank)
    return low + (place - rank) * (_ranked(s, min(rank + 1, s.ring_filled - 1)) - low)


@inner
def _push_peak(s: Record, peak: float) -> None:
    """Put a peak in the place of the oldest one, and that place where it belongs in the order."""
    place = s.ring_next
    rank = s.ring_filled
    if s.ring_filled == RING:
        rank = 0
        while s.ring_order[rank] != place:
            rank += 1
    else:
        s.ring_filled += 1
    s.ring[place] = peak
    while rank + 1 < s.ring_filled and _ranked(s, rank + 1) < peak:
        s.ring_order[rank] = s.ring_order[rank + 1]
        rank += 1
    while rank > 0 and _ranked(s, rank - 1) > peak:
        s.ring_order[rank] = s.ring_order[rank - 1]
        rank -= 1
    s.ring_order[rank] = place
    s.ring_next = (place + 1) % RING


@inner
def _close_block(s: Record) -> None:
    peak, first = max(s.block_peak, s.block_peak_before), s.block_peak_before < 0
    if s.block_peak > 0.0:
        learn_tail(s, s.block_peak)
    s.block_peak_before = s.block_peak
    s.block_peak = 0.0
    if first:
        return
    _push_peak(s, peak)
    blocks = s.ring_filled / 2
    spread = _quantile(s, TAIL_HIGH) - _quantile(s, TAIL_LOW)
    total = blocks + POPULATION_BLOCKS
    s.tail = (blocks * spread + POPULATION_BLOCKS * POPULATION_TAIL) / total
    s.routine = (blocks * _quantile(s, ROUTINE_SHARE) + POPULATION_BLOCKS * POPULATION_ROUTINE) / total


@inner
def _peak_near(s: Record, day: int, hour: int) -> float:
    best = UNKNOWN
    for step in (-1, 0, 1):
        at = (hour + step) % HOURS
        if (s.hour_day[at] - day) % DAYS < HOUR_DAYS_KEPT:
            best = max(best, s.hour_peak[at, day % HOUR_DAYS_KEPT])
    return best


@inner
def hour_routines(s: Record, time_ms: int, season: int) -> tuple[float, float]:
    """Routine peaks around this hour: of the day and the month, or UNKNOWN; and of the week, negative if downwards. Those that `season` allows."""
    day, hour = time_ms // DAY_MS, (time_ms // HOUR_MS) % HOURS
    monthly = monthly_routine(s, day) if season >= ANY else 0.0
    daily = _daily_routine(s, day, hour) if season >= DAILY else UNKNOWN
    weekly = weekly_routine(s, day, hour, _peak_near(s, day - 7, hour)) if season >= WEEKLY else 0.0
    return max(daily, monthly) if monthly > 0.0 else daily, weekly


@inner
def routine_of_side(hourly: float, weekly: float, down: bool) -> float:
    """The routine peak of `hour_routines` for values on one side of what is expected."""
    return max(hourly, -weekly if down else weekly)


@inner
def _daily_routine(s: Record, day: int, hour: int) -> float:
    """Routine peak around this hour of day over the seven days before, or UNKNOWN with fewer than four known."""
    first = second = third = math.inf
    known = 0
    for back in range(1, HOUR_DAYS_KEPT):
        peak = _peak_near(s, day - back, hour)
        if peak >= 0:
            known += 1
            third = min(third, max(second, peak))
            second = min(second, max(first, peak))
            first = min(first, peak)
    if known < HOUR_DAYS_MIN:
        return UNKNOWN
    return third if int(HOUR_SHARE * known) == 2 else second


@inner
def _open_hour(s: Record, day: int, hour: int) -> None:
    """Begin the peak of an hour; those of days that are no longer among the last eight are kept by the week."""
    ahead = (day - s.hour_day[hour]) % DAYS
    if (s.hour_day[hour] - day) % DAYS >= HOUR_DAYS_KEPT:
        for back in range(min(ahead, HOUR_DAYS_KEPT) - 1, -1, -1):
            _leave_hour(s, day - back, hour, ahead - back)
        s.hour_day[hour] = day % DAYS
    s.hour_peak[hour, day % HOUR_DAYS_KEPT] = UNKNOWN


@inner
def _leave_hour(s: Record, day: int, hour: int, ahead: int) -> None:
    """Have the week keep an hour of eight days before `day`, which is `ahead` days after the last one with the hour."""
    place = day % HOUR_DAYS_KEPT
    if ahead <= HOUR_DAYS_KEPT:
        down = bool((np.int64(s.hour_down[hour]) >> place) & 1)
        keep_weekly(s, day - HOUR_DAYS_KEPT, hour, s.hour_peak[hour, place], down)
    s.hour_peak[hour, place] = UNKNOWN


@inner
def _leave_day(s: Record, day: int) -> None:
    """Keep what the last hour was for the month, and begin a day."""
    last_day, last_hour = s.slot_hour // HOURS, s.slot_hour % HOURS
    if s.slot_hour != NEVER:
        keep_monthly(s, last_day, s.hour_peak[last_hour, last_day % HOUR_DAYS_KEPT])
    if day > last_day:
        begin_day(s, day)


@inner
def roll_routine(s: Record, time_ms: int, season: int) -> None:
    """Move on to the block and the hour of `time_ms`, before its sample is judged."""
    block, slot_hour = time_ms // BLOCK_MS, time_ms // HOUR_MS
    if block != s.block:
        _close_block(s)
        s.block = block
    if slot_hour != s.slot_hour:
        day, hour = slot_hour // HOURS, slot_hour % HOURS
        _leave_day(s, day)
        s.slot_hour = slot_hour
        _open_hour(s, day, hour)
        s.hour_routine, s.week_routine = hour_routines(s, time_ms, season)


@inner
def learn_routine(s: Record, surprise: float, down: bool) -> None:
    """Take `surprise` by a value below or above what was expected into the current block and hour."""
    hour, kept = s.slot_hour % HOURS, (s.slot_hour // HOURS) % HOUR_DAYS_KEPT
    if surprise > s.hour_peak[hour, kept]:
        s.hour_peak[hour, kept] = surprise
        bit = np.int64(1) << kept
        others = np.int64(s.hour_down[hour]) & ~bit
        s.hour_down[hour] = others + bit if down else others
    s.block_peak = max(s.block_peak, surprise)


@inner
def heaviness(s: Record) -> float:
    """How much wider than the population's this series' spread of peaks is, at least 1."""
    return float(max(s.tail / POPULATION_TAIL, 1.0))
