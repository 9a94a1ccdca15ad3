"""The numeric series of a follower: a slot in the bank, taken with the first sample, and what is found in it.

Of a series with a model of the user's (`asked`), each sample is a finding: `modelled` asks the model and decides whether triage
has to see it.
"""

import math

from detectors.budget import alpha_for, chance_of_p_value
from detectors.compiled import inner, pasted
from detectors.core.layout import WARM_UP, Record
from detectors.findings import NOWHERE, new_finding, place_finding
from detectors.follower_layout import (
    DELAY,
    HOURLY,
    MEASURES,
    NUMERIC,
    RUN_EVENTS,
    SERIES,
    TOO_LONG,
    VALUE,
    Arrays,
)
from detectors.interest import (
    awaited,
    begins_or_worsens,
    ends,
    is_anew,
    is_muted,
    note_single,
    tell_anew,
    wanted,
)
from detectors.numeric_kernels import judge_sample, limits_at
from detectors.numeric_layout import (
    ACCEPTED,
    LIGHT_BLOCK_BITS,
    NEW_UNIT,
    ORDINARY,
    POINT,
    PROPOSED,
    REFUSED,
    RUNS,
    VALUES,
)
from detectors.numeric_slots import take_slot
from detectors.persistence import would_persist
from detectors.run_model import points_of

TOO_LONG_FACTOR_MIN = 1.5
TOO_LONG_SEVERITY = 1.0
UNKNOWN = -1.0
TOLD, ANEW = 1, 2


@pasted
def _slot(a: Arrays, follower: int, part: int) -> int:
    f = a.followers[follower]
    if f.slots[part] == 0:
        kind = VALUES if f.kind == VALUE and part != HOURLY else RUNS
        of_windows = MEASURES + 1 if f.kind == DELAY else MEASURES + 2 if f.kind == VALUE else MEASURES
        pool = f.pool if kind == VALUES else part if f.kind == RUN_EVENTS else of_windows
        f.slots[part] = 1 + take_slot(a.bank, kind, pool, a.tuned[f.tuned[part]])
        a.counters[SERIES] += 1
    return f.slots[part] - 1


@inner
def _wide(number: int) -> int:
    """In 64 bits, whatever field it comes from, so that what takes it is compiled once."""
    return number + 0


@inner
def _told(s: Record, time_ms: int, anomalous: bool, severity: float, change: int, passes: bool) -> int:
    """Whether triage needs this finding (TOLD), as news beside what is known of the series (ANEW), or not (0).

    An accepted level ends an episode at once; a proposed one and a new unit are told once.
    """
    if abs(change) == ACCEPTED and s.interest_ms > 0:
        return TOLD if ends(s, time_ms, True) else 0
    single, interval_ms, was_told = anomalous and abs(change) == POINT, 1000.0 * s.interval_s, s.told_step > 0
    anew = single and is_anew(s, time_ms, change, passes)
    needed = wanted(s, time_ms, anomalous, severity, passes, interval_ms)
    _note_single(s, time_ms, change if single and passes else 0, interval_ms, was_told)
    if anew:
        tell_anew(s, time_ms, severity)
        return ANEW
    return TOLD if needed or (abs(change) in (PROPOSED, NEW_UNIT) and not is_muted(s)) else 0


@inner
def _note_single(s: Record, time_ms: int, side: int, interval_ms: float, was_told: bool) -> None:
    """Note a single sample outside its range, on no `side` if there was none, in an episode that was told before or was not."""
    if not was_told:
        s.single_min = 0
    if side != 0:
        note_single(s, time_ms, side, interval_ms)


@pasted
def judge_part(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    follower: int,
    part: int,
    time_ms: int,
    value: float,
    start_ms: int,
    sources: tuple[int, int],
    offsets: tuple[int, int],
) -> None:
    """Judge one sample of a series and learn it; `start_ms` is where the span it measures began.

    `sources` and `offsets` say where the one or two records behind it lie (source -1: nowhere).
    """
    places = _wide(sources[0]), _wide(sources[1]), _wide(offsets[0]), _wide(offsets[1])
    _judge_part(a, _wide(follower), _wide(part), _wide(time_ms), float(value), _wide(start_ms), places)


@inner
def _judge_part(
    a: Arrays,
    follower: int,
    part: int,
    time_ms: int,
    value: float,
    start_ms: int,
    places: tuple[int, int, int, int],
) -> None:
    slot = _slot(a, follower, part)
    s = a.bank.light[slot]
    last_ms = s.last_ms if s.n > 0 else -1
    said = judge_sample(a.bank, slot, time_ms, value, s.asked or awaited(s, time_ms))
    if said[8] == REFUSED:
        return
    chance, allowed = math.inf, a.fleet[0].allowed_per_day
    alarms, change = said[9], said[12]
    if (
        a.followers[follower].kind == VALUE
        and part == HOURLY
        and change != -POINT
        and abs(change) != ACCEPTED
    ):
        alarms, change = False, ORDINARY
    if alarms:
        chance = chance_of_p_value(said[4], said[7])
    told = TOLD if s.asked else _told(s, time_ms, alarms, said[0], change, chance <= allowed)
    if told == 0:
        return
    finding = new_finding(a, NUMERIC, part, follower, time_ms, start_ms)
    finding.observed, finding.score, finding.expected = value, said[0], said[1]
    finding.lower, finding.upper, finding.p_value = said[2], said[3], said[4]
    finding.n, finding.since_ms, finding.last_ms = said[5], said[6], last_ms
    finding.method, finding.anomalous, finding.pooled, finding.change = said[8], alarms, said[11], change
    finding.asked, finding.interval_s, finding.anew = s.asked, said[7], told == ANEW
    if alarms:
        finding.chance_per_day, finding.allowed_per_day, finding.muted = chance, allowed, is_muted(s)
    place_finding(finding, 0, places[0], places[2])
    place_finding(finding, 1, places[1], places[3])


@inner
def upper_limit(a: Arrays, f: Record, part: int, time_ms: int) -> float:
    """The greatest value that is ordinary at `time_ms`, and at least half above the expected; negative: not known.

    Ordinary under both budgets, the series' own and the fleet's: a run that goes on passes its limit only once.
    """
    if f.slots[part] == 0:
        return UNKNOWN
    s = a.bank.light[f.slots[part] - 1]
    own = s.false_alarms_per_day
    s.false_alarms_per_day = min(own, a.fleet[0].allowed_per_day)
    expected, _, upper = limits_at(a.bank, f.slots[part] - 1, time_ms)
    s.false_alarms_per_day = own
    return UNKNOWN if math.isnan(upper) else max(upper, TOO_LONG_FACTOR_MIN * expected)


@inner
def _limit_chance(a: Arrays, s: Record) -> float:
    """How likely an ordinary run goes beyond the limit of `upper_limit`, at most."""
    budget = min(s.false_alarms_per_day, a.fleet[0].allowed_per_day)
    if s.kind == RUNS and s.deep > 0:
        return points_of(a.bank.models[s.deep], budget, s.interval_s)
    return alpha_for(budget, s.interval_s)


@inner
def report_too_long(
    a: Arrays, follower: int, part: int, time_ms: int, start_ms: int, source: int, offset: int
) -> None:
    """Say that a run which began at `start_ms` is still open; it teaches nothing, and crosses its limit only once ended."""
    slot = _slot(a, follower, part)
    s = a.bank.light[slot]
    expected, _, _ = limits_at(a.bank, slot, time_ms)
    a.bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1
    interval_ms, was_told = 1000.0 * s.interval_s, s.told_step > 0
    if not would_persist(s):
        return
    if not s.asked and not begins_or_worsens(s, time_ms, TOO_LONG_SEVERITY, True, interval_ms):
        return
    _note_single(s, time_ms, 1, interval_ms, was_told)
    finding = new_finding(a, TOO_LONG, part, follower, time_ms, start_ms)
    finding.observed = finding.upper = float(time_ms - start_ms)
    finding.expected, finding.lower, finding.score, finding.anomalous = expected, 0.0, TOO_LONG_SEVERITY, 1
    if s.n > 0:
        finding.n, finding.since_ms, finding.last_ms = s.n, s.first_ms, s.last_ms
    finding.method, finding.asked = s.n < WARM_UP, s.asked
    finding.p_value = _limit_chance(a, s)
    place_finding(finding, 0, source, offset)


__all__ = ["NOWHERE", "judge_part", "report_too_long", "upper_limit"]
