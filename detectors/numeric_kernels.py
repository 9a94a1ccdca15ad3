"""The kernels of a bank of numeric series: choose the head, judge, then learn.

`time_ms` is a time, `local` is the same on the clock of the series' time zone: hours and days are the clock's.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.compiled import entry, inner, pasted
from detectors.core.layout import VALUE_MAX, WARM_UP, Record, Records
from detectors.core.scorer import learn_core
from detectors.few_values import (
    learn_value,
    leave_counts,
    take_prior,
    tell_values,
)
from detectors.free_places import take_place
from detectors.local_time import local_ms
from detectors.numeric_layout import (
    ACCEPTED,
    COUNTED,
    DEEP_BLOCK_BITS,
    DEEP_FREE,
    DEEP_TOP,
    FIRST,
    LIGHT_BLOCK_BITS,
    MODEL_BLOCK_BITS,
    MODEL_FREE,
    MODEL_TOP,
    ORDINARY,
    REFUSED,
    RUN_ROUTINE,
    RUNS,
    YOUNG_BLOCK_BITS,
    YOUNG_FREE,
    YOUNG_SAMPLES,
    YOUNG_TOP,
    Bank,
    Row,
)
from detectors.numeric_slots import give_young, in_use
from detectors.persistence import note_crossing
from detectors.pools import pool_of
from detectors.run_head import (
    from_log_scale,
    is_judged,
    is_to_tell,
    judge_run,
    learn_run,
    leave_pool,
    run_limits,
    tell_pool,
    to_log_scale,
)
from detectors.run_routines import disbelieve, routine_range
from detectors.run_tails import spread_of
from detectors.stuck import note_repeat
from detectors.tuned_limits import edges_for
from detectors.value_head import limits_of_value, value_row

_INTERVAL_START_S = 60.0
_INTERVAL_RATE = 0.01
YOUNG_RUNS = 2
"""Gaps that count in full: the pool of a new series depends on its pace."""


@inner
def _next_interval(interval_s: float, gap_ms: int, n: int, young: bool) -> float:
    """The usual time between samples after a gap, before which there were `n` samples; it counts in full if `young`."""
    if gap_ms <= 0:
        return interval_s
    gap_s = gap_ms / 1000.0
    bounded = gap_s if young else min(gap_s, 10 * interval_s + 60)
    return interval_s + max(_INTERVAL_RATE, 1.0 / (n + 1)) * (bounded - interval_s)


@inner
def _note_time(s: Record, time_ms: int) -> None:
    if s.n == 0:
        s.first_ms = time_ms
        s.interval_s = _INTERVAL_START_S
    else:
        young = s.kind == RUNS and s.n <= YOUNG_RUNS
        s.interval_s = _next_interval(s.interval_s, time_ms - s.last_ms, s.n, young)
    s.last_ms = time_ms


@pasted
def _keep_young(bank: Bank, s: Record, time_ms: int, x: float) -> None:
    """Keep one of the first values for the core, which does not learn yet."""
    if s.deep == 0:
        s.deep = -take_place(bank.young, bank.counters, YOUNG_TOP, YOUNG_FREE)
    young = bank.young[-s.deep]
    young.time_ms[s.n] = time_ms
    young.value[s.n] = x
    bank.young_dirty[-s.deep >> YOUNG_BLOCK_BITS] = 1


@pasted
def _seed(bank: Bank, s: Record, core: Record, young: Record) -> None:
    """Have the core learn the first values as it would have when they came."""
    interval_s = _INTERVAL_START_S
    for i in range(YOUNG_SAMPLES):
        if i > 0:
            interval_s = _next_interval(interval_s, young.time_ms[i] - young.time_ms[i - 1], i, False)
        local = local_ms(bank.zones, s.zone, young.time_ms[i])
        note_repeat(core, i, i > 0 and young.value[i] == young.value[i - 1])
        learn_core(core, local, young.value[i], interval_s, 0.0, int(s.season))


@pasted
def _earn_deep(bank: Bank, s: Record) -> None:
    """Give a series the scorer's state."""
    young = -s.deep
    s.deep = take_place(bank.deep, bank.counters, DEEP_TOP, DEEP_FREE)
    if young > 0:
        _seed(bank, s, bank.deep[s.deep], bank.young[young])
        give_young(bank, young)


@inner
def _refused(s: Record) -> Row:
    nan = math.nan
    return (
        0.0,
        nan,
        nan,
        nan,
        nan,
        s.n,
        s.first_ms,
        s.interval_s,
        REFUSED,
        False,
        s.n < WARM_UP,
        False,
        ORDINARY,
    )


@inner
def _run_row(s: Record, m: Record, pool: Record, time_ms: int, local: int, x: float, asked: bool) -> Row:
    """What the model of runs says of a run, which it then learns."""
    nan, pooled, y = math.nan, m.n < FIRST, to_log_scale(x)
    routines = routine_range(m, local, spread_of(m, 0), s.interval_s)
    score, expected, lower, upper, p_value, crosses, change = 0.0, nan, nan, nan, nan, False, ORDINARY
    if is_judged(m, pool):
        said = judge_run(s, m, time_ms, local, x, y, routines, asked)
        score, expected, lower, upper, p_value, crosses, change = said
        lower, upper = edges_for(s, expected, lower, upper)
        crosses = crosses and not (abs(expected) < s.min_volume and abs(x) <= s.min_volume)
    else:
        pooled, expected = False, from_log_scale(m.level) if m.n > 0 else nan
    anomalous = note_crossing(s, crosses)
    if not anomalous and abs(change) != ACCEPTED:
        change = ORDINARY
    learn_run(s, m, pool, time_ms, local, x, y, routines)
    disbelieve(m, int(s.season))
    warming = s.n < WARM_UP
    row = score, expected, lower, upper, p_value, s.n, s.first_ms, s.interval_s
    return (*row, RUN_ROUTINE, anomalous, warming, pooled, change)


@pasted
def _value_sample(bank: Bank, s: Record, time_ms: int, x: float, asked: bool) -> Row:
    """The head for few values or the core judges, then both learn."""
    local = local_ms(bank.zones, s.zone, time_ms)
    leave_counts(s, x)
    row, surprised = value_row(s, bank.deep[max(s.deep, 0)], time_ms, local, x, asked)
    if s.deep <= 0:
        if s.n >= YOUNG_SAMPLES:
            _earn_deep(bank, s)
            tell_values(s, bank.pools)
        else:
            _keep_young(bank, s, time_ms, x)
    place = max(s.deep, 0)
    bank.deep_dirty[place >> DEEP_BLOCK_BITS] |= place > 0
    core = bank.deep[place]
    if core.n < WARM_UP or s.scale == COUNTED:
        learn_value(s, x)
        take_prior(s, bank.pools)
    if place > 0:
        note_repeat(core, core.n, x == s.latest)
        learn_core(core, local, x, s.interval_s, surprised, int(s.season))
    return row


@pasted
def _run_sample(bank: Bank, s: Record, time_ms: int, x: float, asked: bool) -> Row:
    """The model of runs judges, then learns, and tells its pool."""
    local = local_ms(bank.zones, s.zone, time_ms)
    if s.deep == 0:
        s.deep = take_place(bank.models, bank.counters, MODEL_TOP, MODEL_FREE)
    bank.models_dirty[s.deep >> MODEL_BLOCK_BITS] = 1
    m, place = bank.models[s.deep], pool_of(s.pool, s.interval_s)
    row = _run_row(s, m, bank.pools[place], time_ms, local, x, asked)
    if is_to_tell(m):
        leave_pool(m, bank.pools[m.pool])
        m.pool = place
        tell_pool(m, bank.pools[place])
    return row


@pasted
def judge_sample(bank: Bank, slot: int, time_ms: int, value: float, asked: bool) -> Row:
    """Judge one sample of a slot in use, then learn it; of what is ordinary, limits and p-value only if `asked`."""
    s = bank.light[slot]
    said = _refused(s)
    if math.isfinite(value):
        bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1
        x = min(max(value, -VALUE_MAX), VALUE_MAX)
        _note_time(s, time_ms)
        if s.kind == RUNS:
            said = _run_sample(bank, s, time_ms, x, asked)
        else:
            said = _value_sample(bank, s, time_ms, x, asked)
        s.latest = x
        s.n += 1
    return said


@entry
def judge(bank: Bank, slot: int, time_ms: int, value: float) -> Row:
    """Judge one sample of one slot, then learn it. IndexError for a slot that is not in use."""
    if not in_use(bank, slot):
        raise IndexError("no series has this slot")
    return judge_sample(bank, slot, time_ms, value, True)


@entry
def judge_many(
    bank: Bank,
    slots: npt.NDArray[np.int64],
    times_ms: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    out: Records,
) -> None:
    """Judge and learn samples one after the other, in the order given; `out` has JUDGEMENT elements."""
    for i in range(len(slots)):
        row = judge_sample(bank, slots[i], times_ms[i], values[i], True)
        j = out[i]
        j.score, j.expected, j.lower, j.upper, j.p_value, j.n = row[0], row[1], row[2], row[3], row[4], row[5]
        j.since_ms, j.interval_s, j.method, j.anomalous, j.warming = row[6], row[7], row[8], row[9], row[10]
        j.pooled, j.change = row[11], row[12]


@inner
def _run_limits(s: Record, m: Record, pool: Record, local: int) -> tuple[float, float, float]:
    if m.reach == 0.0 or not is_judged(m, pool):
        return (from_log_scale(m.level) if m.n > 0 else math.nan), math.nan, math.nan
    expected, lower, upper = run_limits(s, m, local)
    lower, upper = edges_for(s, expected, lower, upper)
    return expected, lower, upper


@pasted
def limits_at(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """Expected, lower and upper of a slot at a time, NaN where nothing is known yet. Changes nothing."""
    s = bank.light[slot]
    local = local_ms(bank.zones, s.zone, time_ms)
    if s.kind == RUNS:
        said = _run_limits(s, bank.models[s.deep], bank.pools[pool_of(s.pool, s.interval_s)], local)
    else:
        said = limits_of_value(s, bank.deep[max(s.deep, 0)], time_ms, local)
    return said


@entry
def limits(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """`limits_at`; IndexError for a slot that is not in use."""
    if not in_use(bank, slot):
        raise IndexError("no series has this slot")
    return limits_at(bank, slot, time_ms)
