"""What a series routinely does: the peaks of surprise that come anyway, in general and at this hour of day.

In general: a ring of one week of overlapping four-hour maxima. Its 66th percentile is the routine peak and its spread
says how heavy the tail is; both are shrunk to the population. An incident would have to fill a third of the blocks to
move them. At this hour: the third lowest or so of the last seven days' peaks within this hour and its neighbours, so
that a nightly load stops alarming.
"""

import numpy as np
import numpy.typing as npt

from detectors.compiled import inner
from detectors.core.layout import (
    BLOCK_MS,
    DAY_MS,
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
    Record,
)

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
    s.hour_day[:, :] = NEVER


@inner
def _quantile(ordered: npt.NDArray[np.float64], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


@inner
def _close_block(s: Record) -> None:
    peak, first = max(s.block_peak, s.block_peak_before), s.block_peak_before < 0
    s.block_peak_before = s.block_peak
    s.block_peak = 0.0
    if first:
        return
    s.ring[s.ring_next] = peak
    s.ring_next = (s.ring_next + 1) % RING
    s.ring_filled = min(s.ring_filled + 1, RING)
    ordered = np.sort(s.ring[: s.ring_filled])
    blocks = len(ordered) / 2
    spread = _quantile(ordered, TAIL_HIGH) - _quantile(ordered, TAIL_LOW)
    total = blocks + POPULATION_BLOCKS
    s.tail = (blocks * spread + POPULATION_BLOCKS * POPULATION_TAIL) / total
    s.routine = (blocks * _quantile(ordered, ROUTINE_SHARE) + POPULATION_BLOCKS * POPULATION_ROUTINE) / total


@inner
def _peak_near(s: Record, day: int, hour: int) -> float:
    best = UNKNOWN
    for step in (-1, 0, 1):
        at = (hour + step) % HOURS
        if s.hour_day[at, day % HOUR_DAYS_KEPT] == day:
            best = max(best, s.hour_peak[at, day % HOUR_DAYS_KEPT])
    return best


@inner
def hour_routine(s: Record, time_ms: int) -> float:
    """Routine peak around this hour of day over the seven days before, or UNKNOWN with fewer than four known."""
    day, hour = time_ms // DAY_MS, (time_ms // HOUR_MS) % HOURS
    peaks = np.empty(HOUR_DAYS_KEPT - 1)
    known = 0
    for back in range(1, HOUR_DAYS_KEPT):
        peak = _peak_near(s, day - back, hour)
        if peak >= 0:
            peaks[known] = peak
            known += 1
    if known < HOUR_DAYS_MIN:
        return UNKNOWN
    return float(np.sort(peaks[:known])[int(HOUR_SHARE * known)])


@inner
def roll_routine(s: Record, time_ms: int, block_samples_min: int) -> None:
    """Move on to the block and the hour of `time_ms`, before its sample is judged.

    A block ends with its two hours, but not before it holds `block_samples_min` samples.
    """
    block, slot_hour = time_ms // BLOCK_MS, time_ms // HOUR_MS
    if block != s.block and s.block_samples >= block_samples_min:
        _close_block(s)
        s.block = block
        s.block_samples = 0
    s.block_samples += 1
    if slot_hour != s.slot_hour:
        s.slot_hour = slot_hour
        day, hour = slot_hour // HOURS, slot_hour % HOURS
        s.hour_day[hour, day % HOUR_DAYS_KEPT] = day
        s.hour_peak[hour, day % HOUR_DAYS_KEPT] = UNKNOWN
        s.hour_routine = hour_routine(s, time_ms)


@inner
def learn_routine(s: Record, surprise: float) -> None:
    """Take `surprise` into the current block and hour."""
    hour, kept = s.slot_hour % HOURS, (s.slot_hour // HOURS) % HOUR_DAYS_KEPT
    s.hour_peak[hour, kept] = max(s.hour_peak[hour, kept], surprise)
    s.block_peak = max(s.block_peak, surprise)


@inner
def heaviness(s: Record) -> float:
    """How much wider than the population's this series' spread of peaks is, at least 1."""
    return float(max(s.tail / POPULATION_TAIL, 1.0))
