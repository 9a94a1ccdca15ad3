"""Rules of days: on which days a run comes - weekdays, every n days, days of the month, its ends, the nth weekday of it.

Every rule is tried on the days on which runs came, newest first. A rule's error is the weight of the days that it names and
that had no run, plus that of the runs on days that it does not name; a day's weight halves with every 14 newer runs. The
rule with the least error wins, if that is at most 15 % of the runs' weight: so one run that was skipped changes no
rule once there are seven, and a new routine is taken over within weeks. Weekdays have weights of their own, by which a
weekday is dropped after its third or fourth miss in a row: it is due when its share of hits is above a half, the share being shrunk to
that of the other working days (or of the other weekend day) by one pseudo-day. A weekend that was not lived through yet is off.
Days within a gap of more than 8 days, and 2.5 times the usual, were an outage and say nothing.

Cost: a few hundred operations for each day looked at, once a run.
"""

import numpy as np
import numpy.typing as npt

from detectors.cadence_layout import Scratch
from detectors.civil_days import BUSINESS_DAYS, civil_from_days, day_of_month, days_in_month, weekday
from detectors.compiled import inner
from detectors.order_statistics import middle, sort_few

NO_RULE, WEEKDAYS, EVERY, MONTH_DAYS, MONTH_END, FIRST_BUSINESS, LAST_BUSINESS, NTH_WEEKDAY = range(8)
"""`days` of a rule: a mask of weekdays, n, a mask of days of the month, nothing, and 7 * nth + weekday (nth 4: the last)."""
HITS_MIN = 4
ERROR_MAX = 0.15
KEEP = 0.95
WEEKDAY_KEEP = 0.8
OUTAGE_DAYS, OUTAGE_GAPS = 8, 2.5
MONTHLY_GAP_DAYS = 6
MONTH_DAY_SHARE = 0.6
AHEAD_DAYS = 70
LAST = 4
_CANDIDATE_RULES = (
    WEEKDAYS,
    EVERY,
    MONTH_DAYS,
    MONTH_END,
    FIRST_BUSINESS,
    LAST_BUSINESS,
    NTH_WEEKDAY,
    NTH_WEEKDAY,
)
_CANDIDATES, _SHORT_CANDIDATES = 8, 2
"""The last candidate is the last weekday of the month. Monthly ones are only tried for what comes rarely."""

Days = npt.NDArray[np.float64]
_DIFFERENCES, _COUNTS = 6, 7


@inner
def is_due(rule: int, days: int, reference: int, day: int) -> bool:
    """Whether the rule names this day; `reference` is a day with a run."""
    if rule == WEEKDAYS:
        return (days >> weekday(day)) & 1 == 1
    if rule == EVERY:
        return (day - reference) % days == 0
    year, month, of_month = civil_from_days(day)
    if rule == MONTH_DAYS:
        return (days >> (of_month - 1)) & 1 == 1
    length, of_week = days_in_month(year, month), weekday(day)
    if rule == NTH_WEEKDAY:
        nth = days // 7
        return of_week == days % 7 and (of_month > length - 7 if nth == LAST else (of_month - 1) // 7 == nth)
    return _is_end_of_month(rule, of_month, length, of_week)


@inner
def _is_end_of_month(rule: int, of_month: int, length: int, of_week: int) -> bool:
    if rule == MONTH_END:
        return of_month == length
    if of_week >= BUSINESS_DAYS:
        return False
    if rule == FIRST_BUSINESS:
        return of_month == 1 or (of_week == 0 and of_month <= 3)
    return of_month == length or (of_week == BUSINESS_DAYS - 1 and of_month >= length - 2)


@inner
def find_rule(hits: Days, until: int, scratch: Scratch) -> tuple[int, int]:
    """The rule behind the days of `hits` (newest first, each once), as seen up to the day `until`."""
    if len(hits) < HITS_MIN:
        return NO_RULE, 0
    gaps = scratch[_DIFFERENCES][: len(hits) - 1]
    for i in range(len(gaps)):
        gaps[i] = hits[i] - hits[i + 1]
    sort_few(gaps)
    usual = middle(gaps)
    outage = max(float(OUTAGE_DAYS), OUTAGE_GAPS * usual)
    best, days, least = NO_RULE, 0, ERROR_MAX * (1 - KEEP ** len(hits)) / (1 - KEEP)
    for candidate in range(_CANDIDATES if usual >= MONTHLY_GAP_DAYS else _SHORT_CANDIDATES):
        rule = _CANDIDATE_RULES[candidate]
        named = _named(candidate, hits, until, outage, int(usual), scratch)
        error = _error(hits, until, outage, rule, named)
        if error < least or (error == least and best in (NO_RULE, EVERY)):
            best, days, least = rule, named, error
    return best, days


@inner
def _named(candidate: int, hits: Days, until: int, outage: float, usual: int, scratch: Scratch) -> int:
    """The days of a candidate rule that fit best."""
    rule = _CANDIDATE_RULES[candidate]
    if rule == WEEKDAYS:
        return _weekday_mask(hits, until, outage, scratch)
    if rule == EVERY:
        return max(usual, 1)
    if rule == MONTH_DAYS:
        return _month_mask(hits, scratch)
    of_month = day_of_month(int(hits[0]))
    nth = LAST if candidate == _CANDIDATES - 1 else (of_month - 1) // 7
    return 7 * nth + weekday(int(hits[0])) if rule == NTH_WEEKDAY else 0


@inner
def next_day(rule: int, days: int, reference: int, after: int) -> int:
    """The first day after `after` that the rule names, -1 if there is none soon."""
    for day in range(after + 1, after + 1 + AHEAD_DAYS):
        if is_due(rule, days, reference, day):
            return day
    return -1


@inner
def _error(hits: Days, until: int, outage: float, rule: int, days: int) -> float:
    error, weight, reference = 0.0, 1.0, int(hits[0])
    for day in range(reference + 1, until + 1):
        error += is_due(rule, days, reference, day)
    for i in range(len(hits)):
        hit = int(hits[i])
        error += 0.0 if is_due(rule, days, reference, hit) else weight
        before = int(hits[i + 1]) if i + 1 < len(hits) else hit
        if rule == EVERY and hit - before > outage:
            reference = before
        if hit - before <= outage:
            for day in range(before + 1, hit):
                error += weight if is_due(rule, days, reference, day) else 0.0
        weight *= KEEP
    return error


@inner
def _weekday_mask(hits: Days, until: int, outage: float, scratch: Scratch) -> int:
    counts = scratch[_COUNTS]
    weights, seen, hit_weights = counts[:7], counts[7:14], counts[14:21]
    weights[:], seen[:], hit_weights[:] = 1.0, 0.0, 0.0
    for day in range(until, int(hits[0]), -1):
        _count_day(day, 0.0, counts)
    for i in range(len(hits)):
        hit = int(hits[i])
        _count_day(hit, 1.0, counts)
        before = int(hits[i + 1]) if i + 1 < len(hits) else hit
        if hit - before <= outage:
            for day in range(hit - 1, before, -1):
                _count_day(day, 0.0, counts)
    mask = 0
    for of_week in range(7):
        first, end = (0, BUSINESS_DAYS) if of_week < BUSINESS_DAYS else (BUSINESS_DAYS, 7)
        others, others_hit = 0.0, 0.0
        for other in range(first, end):
            if other != of_week:
                others += seen[other]
                others_hit += hit_weights[other]
        prior = others_hit / others if others > 0 else 0.0
        if seen[of_week] + others > 0 and hit_weights[of_week] + prior >= 0.5 * (seen[of_week] + 1.0):
            mask |= 1 << of_week
    return mask


@inner
def _count_day(day: int, hit: float, counts: Days) -> None:
    of_week = weekday(day)
    counts[7 + of_week] += counts[of_week]
    counts[14 + of_week] += hit * counts[of_week]
    counts[of_week] *= WEEKDAY_KEEP


@inner
def _month_mask(hits: Days, scratch: Scratch) -> int:
    """The days of the month that had a run in most months between the first and the last run."""
    counts = scratch[_COUNTS]
    passed, hit = counts[:32], counts[32:64]
    passed[:], hit[:] = 0.0, 0.0
    for day in range(int(hits[-1]), int(hits[0]) + 1):
        of_month = day_of_month(day)
        passed[of_month] += 1
    for i in range(len(hits)):
        of_month = day_of_month(int(hits[i]))
        hit[of_month] += 1
    mask = 0
    for of_month in range(1, 32):
        if passed[of_month] >= 2 and hit[of_month] >= MONTH_DAY_SHARE * passed[of_month]:
            mask |= 1 << (of_month - 1)
    return mask
