"""The fleet's ceiling: how unlikely a verdict has to be before it opens an episode, so that all series together stay within it.

A series alarms by chance at most as often as its own budget lets it, its capacity c_i: the budgeted alarms, or fewer where its head
uses less of them (`budget.alpha_for`, `run_model.alarms_of`), as for daily runs. The fleet's budget B is poured over the series like water: the allowance is the
x with sum(min(c_i, x)) = B, and infinite while sum(c_i) <= B. A verdict opens an episode only if its chance per day, how
often ordinary data of such a series gives something at least as surprising, is at most x. With equal capacities that is
chance x series <= B, an E-value in the sense of BLAST (Altschul et al. 1990), so a Bonferroni bound in time: it needs no
independence, and it is no quota: any number of verdicts may pass at once if each is unlikely enough.

Capacities are counted afresh at instants of event time, more often while the shard is young, over the series that can
alarm and whose follower had a row in the last 30 days. They are counted on a grid of quarter octaves, rounded up: integers add up
to the same in every order, so that nothing depends on where a series lies. Cost: some 0.1 us a follower and count.
"""

import math

from detectors.budget import alpha_for, chance_of_p_value
from detectors.compiled import inner, pasted
from detectors.core.layout import DAY_MS, Record, Records
from detectors.follower_layout import (
    DUPLICATES,
    FAILURES,
    FOLLOWERS_TOP,
    FREE,
    FRESHNESS,
    GRID,
    LATENESS,
    MEASURES,
    NOW_MS,
    Arrays,
)
from detectors.numeric_layout import FIRST, RUNS
from detectors.run_model import alarms_of

LIVE_MS = 30 * DAY_MS
COUNT_EVERY_MS = DAY_MS
COUNT_EVERY_MS_MIN = 600_000
YOUNG_SHARE = 8
"""While the shard is young it is counted anew whenever it has become an eighth older."""
_OFFSET = 40
"""Place of the grid for a capacity of 1 per day; place 0 is 1,024 a day."""


@inner
def capacity_per_day(false_alarms_per_day: float, interval_s: float) -> float:
    """How often a series alarms by chance at its own budget, with a sample every `interval_s` seconds."""
    if interval_s <= 0:
        return false_alarms_per_day
    return alpha_for(false_alarms_per_day, interval_s) * 86_400.0 / interval_s


@inner
def allowance(fleet: Record) -> float:
    """The chance per day up to which a verdict may open an episode, from the counted capacities."""
    left, remaining = 0, fleet.budget_per_day
    for place in range(GRID):
        left += fleet.counted[place]
    for place in range(GRID - 1, -1, -1):
        n = fleet.counted[place]
        each = 2.0 ** (0.25 * (_OFFSET - place))
        if n > 0 and each * left > remaining:
            return remaining / left
        remaining -= n * each
        left -= n
    return math.inf


@inner
def expected_per_day(fleet: Record) -> float:
    """Alarms by chance of all counted series, if all of them are ordinary."""
    expected = 0.0
    for place in range(GRID):
        expected += fleet.counted[place] * min(2.0 ** (0.25 * (_OFFSET - place)), fleet.allowed_per_day)
    return expected


@inner
def count_capacity(fleet: Record, per_day: float) -> None:
    """Count one series."""
    place = math.floor(-4.0 * math.log2(per_day)) + _OFFSET
    fleet.counted[min(max(place, 0), GRID - 1)] += 1
    fleet.series += 1


@pasted
def pass_time(a: Arrays, now_ms: int) -> None:
    """It is `now_ms`, the time of the row at hand; the fleet is counted if that is due.

    A timer that runs out is no such instant: of those that were set anew meanwhile a worker that was started again knows nothing.
    """
    a.counters[NOW_MS] = now_ms
    if now_ms >= a.fleet[0].due_ms:
        _count(a, now_ms)


@inner
def _count(a: Arrays, now_ms: int) -> None:
    fleet = a.fleet[0]
    if fleet.since_ms < 0:
        fleet.since_ms = now_ms
    age_ms = now_ms - fleet.since_ms
    fleet.due_ms = now_ms + min(max(age_ms // YOUNG_SHARE, COUNT_EVERY_MS_MIN), COUNT_EVERY_MS)
    fleet.series = 0
    for place in range(GRID):
        fleet.counted[place] = 0
    for place in range(a.counters[FOLLOWERS_TOP]):
        f = a.followers[place]
        if f.kind != FREE and f.seen_ms >= now_ms - LIVE_MS:
            _count_follower(a, f)
    fleet.allowed_per_day = allowance(fleet)
    fleet.expected_per_day = expected_per_day(fleet)


@pasted
def _count_follower(a: Arrays, f: Record) -> None:
    """Count those of its series that can alarm by now: of outcomes, those that were ever anything but no."""
    fleet = a.fleet[0]
    for part in range(MEASURES):
        if f.slots[part] > 0:
            s = a.bank.light[f.slots[part] - 1]
            if s.n >= FIRST:
                count_capacity(fleet, _capacity_of(a, s))
    interval_s = f.arrivals.cadence.typical_ms / 1000.0
    if _may_alarm(f.failures):
        _count_part(a, f, FAILURES, interval_s)
    if _may_alarm(f.duplicates):
        _count_part(a, f, DUPLICATES, interval_s)
    if _may_alarm(f.lateness):
        _count_part(a, f, LATENESS, interval_s)
    if f.arrivals.due_ms >= 0:
        _count_part(a, f, FRESHNESS, interval_s)


@inner
def _capacity_of(a: Arrays, s: Record) -> float:
    if s.kind != RUNS or s.interval_s <= 0.0:
        return capacity_per_day(s.false_alarms_per_day, s.interval_s)
    share = alarms_of(a.bank.models[s.deep], s.false_alarms_per_day, s.interval_s)
    return chance_of_p_value(share, s.interval_s)


@inner
def _may_alarm(o: Record) -> bool:
    """Whether a series of outcomes has ever had one that was not a no."""
    return o.rate.recent != 0 or o.rate.yes > 0


@pasted
def _count_part(a: Arrays, f: Record, part: int, interval_s: float) -> None:
    rate = a.tuned[f.tuned[part]].false_alarms_per_day
    count_capacity(a.fleet[0], capacity_per_day(rate, interval_s))


def budgeted(fleet: Records, budget_per_day: float | None, *, anew: bool) -> None:
    """Give the fleet its budget, None for no ceiling; `anew` has it counted with the next row."""
    fleet["budget_per_day"] = math.inf if budget_per_day is None else budget_per_day
    if anew:
        fleet["due_ms"] = 0
