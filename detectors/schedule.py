"""Schedules: at which times of day, on which days, does a series run that runs a few times a day at most?

The latest arrivals (64 at most, of two years at most) fall into slots by their time of day: a new slot begins where 90 minutes
are empty, it has three arrivals or more, and there are four slots at most. A slot's time is the median of its arrivals. An arrival outside
all slots counts for the slot before it, as a late run. A slot that ended before another one began, which has three arrivals by now, has moved
there. A slot without an arrival for 8 days, and 2.5 usual gaps, has ended. Each other one has a rule of days (`day_rules`) and margins
(`margins`). There is no schedule when more than a quarter of the arrivals lie outside slots or in slots without a rule: then gaps say
more (`silence`).

All by the series' own clock. Cost: some 10 microseconds, once a run of a series that runs at most a few times a day.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.cadence_layout import GAPS_MAX, HOUR_MS, Scratch
from detectors.compiled import inner
from detectors.core.layout import DAY_MS, Record
from detectors.day_rules import NO_RULE, OUTAGE_DAYS, OUTAGE_GAPS, find_rule, next_day
from detectors.margins import margins
from detectors.order_statistics import sort_few, sort_pairs

SLOTS_MAX = 4
SLOT_APART_MS = 1.5 * HOUR_MS
SLOT_WIDTH_MS_MAX = 6 * HOUR_MS
SLOT_ARRIVALS_MIN = 3
OUTSIDE_MAX = 0.25
LATE_MS_MAX = 8 * HOUR_MS
REACH_BACK_MS = 730 * DAY_MS
_TIMES, _KEYS, _ORDER, _SLOTS, _HITS, _OF_SLOTS = range(6)
_OUTSIDE, _ENDED, _MOVED = -1.0, -2.0, 8.0
"""`_SLOTS` says of each arrival which slot it is of; of one that is not at the slot's time _MOVED more."""

Numbers = npt.NDArray[np.float64]


@inner
def lay_out(c: Record, scratch: Scratch, most: int) -> int:
    """Write down in the first row of `scratch` the clock times of the latest arrivals, up to `most`, newest first; returns how many."""
    times = scratch[_TIMES]
    times[0] = c.clock_ms
    n = 1
    while n <= min(c.learned, most):
        before = times[n - 1] - abs(c.gaps[(c.learned - n) % GAPS_MAX])
        if times[0] - before > REACH_BACK_MS:
            break
        times[n] = before
        n += 1
    return n


@inner
def within(time_ms: float, period_ms: int) -> float:
    """A time within its period: `%` of floats, to the bit for whole and half milliseconds, without the slow `fmod`."""
    return time_ms - math.floor(time_ms / period_ms) * period_ms


@inner
def _slot_of(said: float) -> float:
    """The slot of an arrival, less than 0 if it is of none."""
    return said - _MOVED if said >= _MOVED else said


@inner
def find_schedule(c: Record, false_alarms_per_day: float, scratch: Scratch) -> bool:
    """Work out from the arrivals when the next one is expected; False when they follow no schedule."""
    times = scratch[_TIMES][: lay_out(c, scratch, GAPS_MAX)]
    of = scratch[_SLOTS][: len(times)]
    centers = scratch[_OF_SLOTS][:SLOTS_MAX]
    slots = _cluster(times, of, centers, scratch)
    if slots == 0:
        return False
    _move(times, of, slots)
    _end(times, of, slots, max(float(OUTAGE_DAYS * DAY_MS), OUTAGE_GAPS * c.typical_ms))
    outside = _take_in(times, of, centers[:slots])
    return _expect(c, times, of, centers[:slots], outside, false_alarms_per_day, scratch)


@inner
def _cluster(times: Numbers, of: Numbers, centers: Numbers, scratch: Scratch) -> int:
    """Slots by time of day; returns how many, 0 for none or too many."""
    n = len(times)
    keys, order = scratch[_KEYS][:n], scratch[_ORDER][:n]
    for i in range(n):
        keys[i], order[i], of[i] = within(times[i], DAY_MS), i, _OUTSIDE
    sort_pairs(keys, order)
    start, widest = 0, keys[0] + DAY_MS - keys[n - 1]
    for k in range(1, n):
        if keys[k] - keys[k - 1] > widest:
            start, widest = k, keys[k] - keys[k - 1]
    slots, first = 0, 0
    for j in range(1, n + 1):
        if j < n and _key(keys, start + j) - _key(keys, start + j - 1) <= SLOT_APART_MS:
            continue
        width = _key(keys, start + j - 1) - _key(keys, start + first)
        if j - first >= SLOT_ARRIVALS_MIN:
            if slots == SLOTS_MAX or width > SLOT_WIDTH_MS_MAX:
                return 0
            low, high = first + (j - first - 1) // 2, first + (j - first) // 2
            centers[slots] = within(0.5 * (_key(keys, start + low) + _key(keys, start + high)), DAY_MS)
            for at in range(first, j):
                of[int(order[(start + at) % n])] = slots
            slots += 1
        first = j
    return slots


@inner
def _key(keys: Numbers, at: int) -> float:
    """A time of day, a day more from where the sorted ones begin anew."""
    n = len(keys)
    return keys[at] if at < n else keys[at - n] + DAY_MS


@inner
def _day(time_ms: float, center: float) -> int:
    """The day whose run the arrival at a time is."""
    return math.floor((time_ms - center) / DAY_MS + 0.5)


@inner
def _end(times: Numbers, of: Numbers, slots: int, idle_ms: float) -> None:
    """Leave out the arrivals of slots that had none for so long."""
    for slot in range(slots):
        newest = -math.inf
        for i in range(len(times)):
            if _slot_of(of[i]) == slot:
                newest = max(newest, times[i])
        if times[0] - newest > idle_ms:
            for i in range(len(times)):
                if _slot_of(of[i]) == slot:
                    of[i] = _ENDED


@inner
def _has(of: Numbers, slot: int) -> bool:
    members = 0
    for i in range(len(of)):
        members += of[i] == slot
    return members > 0


@inner
def _take_in(times: Numbers, of: Numbers, centers: Numbers) -> int:
    """Count arrivals outside for the slot before them on a day without another; returns how many lay outside."""
    n, outside = len(times), 0
    for i in range(n):
        if of[i] != _OUTSIDE:
            continue
        outside += 1
        best, nearest = 0, float(DAY_MS)
        for slot in range(len(centers)):
            behind = within(times[i] - centers[slot], DAY_MS)
            if behind < nearest and _has(of, slot):
                best, nearest = slot, behind
        if nearest > DAY_MS // 2:
            continue
        free = True
        for k in range(n):
            same = _slot_of(of[k]) == best
            free = free and not (same and _day(times[k], centers[best]) == _day(times[i], centers[best]))
        if free:
            of[i] = best + _MOVED
    return outside


@inner
def _move(times: Numbers, of: Numbers, slots: int) -> None:
    """Give the arrivals of a slot that ended before another began to that other one."""
    for old in range(slots):
        for new in range(slots):
            if old == new:
                continue
            last_old, first_new = -math.inf, math.inf
            for i in range(len(times)):
                if of[i] == old:
                    last_old = max(last_old, times[i])
                elif of[i] == new:
                    first_new = min(first_new, times[i])
            if math.inf > first_new > last_old > -math.inf:
                for i in range(len(times)):
                    if _slot_of(of[i]) == old:
                        of[i] = new + _MOVED


@inner
def _expect(
    c: Record,
    times: Numbers,
    of: Numbers,
    centers: Numbers,
    outside: int,
    false_alarms_per_day: float,
    scratch: Scratch,
) -> bool:
    expected, chosen, c.rule = math.inf, -1, NO_RULE
    for slot in range(len(centers)):
        hits = _hits(times, of, slot, centers[slot], scratch)
        if hits == 0:
            continue
        days = scratch[_HITS][:hits]
        until = max(int(days[0]), math.floor((times[0] - centers[slot]) / DAY_MS))
        rule, named = find_rule(days, until, scratch)
        if rule == NO_RULE:
            outside += hits
            continue
        day = next_day(rule, named, int(days[0]), until)
        if day >= 0 and day * DAY_MS + centers[slot] < expected:
            expected, chosen = day * DAY_MS + centers[slot], slot
            c.rule, c.rule_days = rule, named
    if chosen < 0 or outside > OUTSIDE_MAX * len(times):
        return False
    distances = scratch[_KEYS][: _distances(times, of, chosen, centers[chosen], scratch)]
    sort_few(distances)
    early, late = margins(distances, expected - times[0], false_alarms_per_day)
    c.center_ms, c.early_ms, c.late_ms = int(expected), int(early), int(late)
    return late <= LATE_MS_MAX


@inner
def _hits(times: Numbers, of: Numbers, slot: int, center: float, scratch: Scratch) -> int:
    """The days on which a slot had a run, newest first; returns how many."""
    hits, count = scratch[_HITS], 0
    for i in range(len(times)):
        if _slot_of(of[i]) == slot:
            day = _day(times[i], center)
            if count == 0 or day < hits[count - 1]:
                hits[count] = day
                count += 1
    return count


@inner
def _distances(times: Numbers, of: Numbers, slot: int, center: float, scratch: Scratch) -> int:
    """How far the arrivals at a slot's time were from it; returns how many there are."""
    distances, count = scratch[_KEYS], 0
    for i in range(len(times)):
        if of[i] == slot:
            distances[count] = times[i] - center - _day(times[i], center) * DAY_MS
            count += 1
    return count
