"""The kernels of a bank of numeric series: choose the head, judge, then learn.

`time_ms` is a time, `local` is the same on the clock of the series' time zone: hours and days are the clock's.

Limits and p-values cost several times what a score costs, so they are worked out only for samples that may be anomalous
and where somebody asks.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.budget import (
    ALPHA_MAX,
    THRESHOLD,
    alpha_for,
    p_value_of_score,
    score_of_p_value,
    young_markup,
)
from detectors.compiled import entry, inner, pasted
from detectors.core.fall import p_value_of_fall
from detectors.core.layout import VALUE_MAX, WARM_UP, Record, Records
from detectors.core.scorer import core_limits, judge_core, learn_core, slow_centre
from detectors.core.tail import block_days, tail_known, tail_rate
from detectors.few_counts import stays_counted
from detectors.few_values import (
    alpha_of,
    is_near,
    learn_value,
    leave_values,
    p_value_of_few,
    reach_of_tails,
    take_prior,
    tell_values,
    value_limits,
)
from detectors.free_places import give_place, take_place
from detectors.local_time import local_ms
from detectors.new_unit import has_new_unit
from detectors.numeric_layout import (
    ACCEPTED,
    COUNTED,
    DEEP_BLOCK_BITS,
    DEEP_FREE,
    DEEP_TOP,
    DOWN,
    FIRST,
    FREE,
    HUBER_ROUTINE,
    LIGHT_BLOCK_BITS,
    LIGHT_FREE,
    LIGHT_TOP,
    MODEL_BLOCK_BITS,
    MODEL_FREE,
    MODEL_TOP,
    NEW_UNIT,
    ORDINARY,
    POINT,
    REFUSED,
    RUN_ROUTINE,
    RUNS,
    SMALL_COUNT,
    SMALL_SAMPLE_T,
    STUCK,
    UP,
    YOUNG_BLOCK_BITS,
    YOUNG_FREE,
    YOUNG_SAMPLES,
    YOUNG_TOP,
    Bank,
    Row,
)
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
from detectors.run_routines import routine_range
from detectors.run_tails import spread_of
from detectors.stuck import VALUES_EQUAL, VALUES_KNOWN, is_stuck, note_repeat, stuck_share

_INTERVAL_START_S = 60.0
_INTERVAL_RATE = 0.01
YOUNG_RUNS = 2
"""Gaps that count in full: the pool of a new series depends on its pace."""
_DAY_S = 86_400.0
_SELDOM_S = 3000.0
"""Values at least so far apart are seldom: their two-hour peaks are of two or three."""
_REACH_DEVIATIONS = 4.0
"""Deviations of noise from what is expected to a limit, about."""
_CORE_FREEDOM = 200.0
"""Degrees of freedom of the core's slow scale, which remembers some 1,500 samples."""

Verdict = tuple[float, float, float, float, float, bool, float]
"""Score, expected, lower, upper, p_value, anomalous, surprise."""


@inner
def _edges_for(s: Record, expected: float, lower: float, upper: float) -> tuple[float, float]:
    least_effect = s.min_effect * abs(expected)
    lower, upper = min(lower, expected - least_effect), max(upper, expected + least_effect)
    if abs(expected) < s.min_volume:
        lower, upper = min(lower, -s.min_volume), max(upper, s.min_volume)
    return (math.nan if s.direction == UP else lower), (math.nan if s.direction == DOWN else upper)


@inner
def _threshold_at(s: Record, time_ms: int) -> float:
    return float(s.threshold) + young_markup(time_ms - s.first_ms)


@inner
def _threshold_of_value(s: Record, core: Record, time_ms: int) -> float:
    """No budget lowers the threshold while the tail of the series is not known."""
    threshold = _threshold_at(s, time_ms)
    return threshold if tail_known(core) else max(threshold, THRESHOLD)


@inner
def _outside(x: float, lower: float, upper: float) -> bool:
    return x < lower or x > upper


@inner
def _unasked(score: float, surprised: float) -> Verdict:
    """An ordinary sample of whose limits nobody asked."""
    return score, math.nan, math.nan, math.nan, math.nan, False, surprised


@inner
def _few_values(s: Record, core: Record) -> bool:
    """Whether the core does not judge yet, or never will because the values are small counts."""
    return bool(core.n < WARM_UP or (s.scale == COUNTED and stays_counted(s)))


@inner
def _judge_few_values(s: Record, x: float, asked: bool) -> Verdict:
    if s.runs < FIRST:
        expected = s.mean if s.runs > 0 else math.nan
        return 0.0, expected, math.nan, math.nan, math.nan, False, 0.0
    if not asked and is_near(s, x):
        return _unasked(0.0, 0.0)
    p_value = p_value_of_few(s, x)
    expected, lower, upper = value_limits(s)
    lower, upper = _edges_for(s, expected, lower, upper)
    score = score_of_p_value(p_value, alpha_of(s), s.threshold)
    return score, expected, lower, upper, p_value, score >= s.threshold and _outside(x, lower, upper), 0.0


@inner
def _widened_while_young(
    s: Record, core: Record, local: int, lower: float, upper: float
) -> tuple[float, float]:
    """The core's limits of values that are seldom, while its peaks are few: at least those of `ALPHA_MAX`.

    The core's threshold alone alarms every other day on hourly noise. How heavy the tails
    are is what the first values said.
    """
    if s.interval_s < _SELDOM_S or tail_known(core):
        return lower, upper
    centre, scale = slow_centre(core, local, s.interval_s, False)
    reach = reach_of_tails(s, ALPHA_MAX, _CORE_FREEDOM) * scale
    return min(lower, centre - reach), max(upper, centre + reach)


@inner
def _judge_value(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> Verdict:
    if _few_values(s, core):
        return _judge_few_values(s, x, asked)
    threshold = _threshold_of_value(s, core, time_ms)
    age_ms = time_ms - s.first_ms
    score, alarms, expected, lower, upper, surprised = judge_core(
        core, local, x, s.interval_s, False, threshold, s.false_alarms_per_day, age_ms, asked
    )
    if not alarms and not asked:
        return _unasked(score, surprised)
    lower, upper = _widened_while_young(s, core, local, lower, upper)
    lower, upper = _edges_for(s, expected, lower, upper)
    p_value = _p_value_of_value(s, core, score, surprised)
    return score, expected, lower, upper, p_value, alarms and _outside(x, lower, upper), surprised


@inner
def _p_value_of_value(s: Record, core: Record, score: float, surprised: float) -> float:
    """How likely a sample of this series is so surprising: by its own tail, before that is known by the line in `budget`; or its fall."""
    fallen = p_value_of_fall(core, s.false_alarms_per_day, s.interval_s)
    if tail_known(core):
        samples = block_days(s.interval_s) * _DAY_S / s.interval_s
        return float(min(tail_rate(core, surprised) / samples, fallen))
    return min(p_value_of_score(score, s.interval_s), fallen)


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
def _give_young(bank: Bank, place: int) -> None:
    give_place(bank.young, bank.counters, YOUNG_FREE, place)
    bank.young_dirty[place >> YOUNG_BLOCK_BITS] = 1


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
        learn_core(core, local, young.value[i], interval_s, False, 0.0)


@pasted
def _earn_deep(bank: Bank, s: Record) -> None:
    """Give a series the scorer's state."""
    young = -s.deep
    s.deep = take_place(bank.deep, bank.counters, DEEP_TOP, DEEP_FREE)
    if young > 0:
        _seed(bank, s, bank.deep[s.deep], bank.young[young])
        _give_young(bank, young)


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
def _method_of(s: Record, core: Record) -> int:
    if s.scale == COUNTED and _few_values(s, core):
        return SMALL_COUNT
    return SMALL_SAMPLE_T if core.n < WARM_UP else HUBER_ROUTINE


@inner
def _form_of_point(s: Record, x: float, expected: float, lower: float, upper: float) -> int:
    """What a value outside its limits is called; a new unit with its second value only."""
    reach = expected - lower if math.isnan(upper) else upper - expected
    deviation = abs(reach / expected) / _REACH_DEVIATIONS
    known = s.n >= WARM_UP and (s.crossed & 3) == 1
    form = NEW_UNIT if known and has_new_unit(x, s.latest, expected, deviation) else POINT
    return form if x > expected else -form


@inner
def _value_row(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> tuple[Row, float]:
    """The judgement of a value that is not learned yet, and how surprising it is."""
    method = _method_of(s, core)
    said = _judge_value(s, core, time_ms, local, x, asked)
    score, expected, lower, upper, p_value, crosses, surprised = said
    change = ORDINARY
    if crosses:
        change = _form_of_point(s, x, expected, lower, upper)
    elif core.n >= VALUES_KNOWN and is_stuck(
        core, core.n, x == s.latest, VALUES_EQUAL, alpha_for(s.false_alarms_per_day, s.interval_s)
    ):
        change, crosses, p_value = STUCK, True, stuck_share(core, core.n)
        expected, lower, upper = _value_limits(s, core, time_ms, local)
    anomalous = note_crossing(s, crosses)
    change = change if anomalous else ORDINARY
    row = score, expected, lower, upper, p_value, s.n, s.first_ms, s.interval_s, method
    pooled, warming = s.prior_weight > 0.0 and method == SMALL_SAMPLE_T, s.n < WARM_UP
    return (*row, anomalous, warming, pooled, change), surprised


@inner
def _run_row(s: Record, m: Record, pool: Record, time_ms: int, local: int, x: float, asked: bool) -> Row:
    """What the model of runs says of a run, which it then learns."""
    nan, pooled, y = math.nan, m.n < FIRST, to_log_scale(x)
    routines = routine_range(m, local, spread_of(m, 0), s.interval_s)
    score, expected, lower, upper, p_value, crosses, change = 0.0, nan, nan, nan, nan, False, ORDINARY
    if is_judged(m, pool):
        said = judge_run(s, m, time_ms, local, x, y, routines, asked)
        score, expected, lower, upper, p_value, crosses, change = said
        lower, upper = _edges_for(s, expected, lower, upper)
        crosses = crosses and not (abs(expected) < s.min_volume and abs(x) <= s.min_volume)
    else:
        pooled, expected = False, from_log_scale(m.level) if m.n > 0 else nan
    anomalous = note_crossing(s, crosses)
    if not anomalous and abs(change) != ACCEPTED:
        change = ORDINARY
    learn_run(s, m, pool, time_ms, local, x, y, routines)
    warming = s.n < WARM_UP
    row = score, expected, lower, upper, p_value, s.n, s.first_ms, s.interval_s
    return (*row, RUN_ROUTINE, anomalous, warming, pooled, change)


@pasted
def _value_sample(bank: Bank, s: Record, time_ms: int, x: float, asked: bool) -> Row:
    """The head for few values or the core judges, then both learn."""
    local = local_ms(bank.zones, s.zone, time_ms)
    row, surprised = _value_row(s, bank.deep[max(s.deep, 0)], time_ms, local, x, asked)
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
        learn_core(core, local, x, s.interval_s, False, surprised)
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


@pasted
def _in_use(bank: Bank, slot: int) -> bool:
    return 0 <= slot < len(bank.light) and bank.light[slot].kind != FREE


@entry
def judge(bank: Bank, slot: int, time_ms: int, value: float) -> Row:
    """Judge one sample of one slot, then learn it. IndexError for a slot that is not in use."""
    if not _in_use(bank, slot):
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
def _value_limits(s: Record, core: Record, time_ms: int, local: int) -> tuple[float, float, float]:
    if not _few_values(s, core):
        threshold, age_ms = _threshold_of_value(s, core, time_ms), time_ms - s.first_ms
        expected, lower, upper = core_limits(
            core, local, s.interval_s, False, threshold, s.false_alarms_per_day, age_ms
        )
        lower, upper = _widened_while_young(s, core, local, lower, upper)
    elif s.runs >= FIRST:
        expected, lower, upper = value_limits(s)
    else:
        return (s.mean if s.runs > 0 else math.nan), math.nan, math.nan
    lower, upper = _edges_for(s, expected, lower, upper)
    return expected, lower, upper


@inner
def _run_limits(s: Record, m: Record, pool: Record, local: int) -> tuple[float, float, float]:
    if m.reach == 0.0 or not is_judged(m, pool):
        return (from_log_scale(m.level) if m.n > 0 else math.nan), math.nan, math.nan
    expected, lower, upper = run_limits(s, m, local)
    lower, upper = _edges_for(s, expected, lower, upper)
    return expected, lower, upper


@pasted
def limits_at(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """Expected, lower and upper of a slot at a time, NaN where nothing is known yet. Changes nothing."""
    s = bank.light[slot]
    local = local_ms(bank.zones, s.zone, time_ms)
    if s.kind == RUNS:
        said = _run_limits(s, bank.models[s.deep], bank.pools[pool_of(s.pool, s.interval_s)], local)
    else:
        said = _value_limits(s, bank.deep[max(s.deep, 0)], time_ms, local)
    return said


@entry
def limits(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """`limits_at`; IndexError for a slot that is not in use."""
    if not _in_use(bank, slot):
        raise IndexError("no series has this slot")
    return limits_at(bank, slot, time_ms)


@pasted
def take_slot(bank: Bank, kind: int, pool: int, settings: Record) -> int:
    """A slot for a series of a kind and of a kind of `pools`, with the settings of a LIGHT record or of one like it. The array has room."""
    free = bank.counters[LIGHT_FREE]
    if free > 0:
        slot = free - 1
        bank.counters[LIGHT_FREE] = bank.light[slot].first_ms
        bank.light[slot].first_ms = 0
    else:
        slot = bank.counters[LIGHT_TOP]
        bank.counters[LIGHT_TOP] += 1
    bank.light[slot].kind, bank.light[slot].pool = kind, pool
    tune(bank, slot, settings)
    return slot


@pasted
def tune(bank: Bank, slot: int, settings: Record) -> None:
    """Give a series other settings; what it has learned stays."""
    s = bank.light[slot]
    s.direction, s.asked, s.zone = settings.direction, settings.asked, settings.zone
    s.threshold, s.min_volume = settings.threshold, settings.min_volume
    s.needed, s.among = settings.needed, settings.among
    s.false_alarms_per_day, s.min_effect = settings.false_alarms_per_day, settings.min_effect
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1


@pasted
def give_slot(bank: Bank, slot: int) -> None:
    """Forget a series; its slot may be given to another one."""
    s = bank.light[slot]
    if s.deep > 0 and s.kind == RUNS:
        leave_pool(bank.models[s.deep], bank.pools[bank.models[s.deep].pool])
        give_place(bank.models, bank.counters, MODEL_FREE, s.deep)
        bank.models_dirty[s.deep >> MODEL_BLOCK_BITS] = 1
    elif s.deep > 0:
        give_place(bank.deep, bank.counters, DEEP_FREE, s.deep)
        bank.deep_dirty[s.deep >> DEEP_BLOCK_BITS] = 1
    elif s.deep < 0:
        _give_young(bank, -s.deep)
    leave_values(s, bank.pools)
    bank.light[slot : slot + 1].view(np.uint8)[:] = 0
    bank.light[slot].first_ms = bank.counters[LIGHT_FREE]
    bank.counters[LIGHT_FREE] = slot + 1
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1


@entry
def add(bank: Bank, kind: int, pool: int, settings: Records) -> int:
    """`take_slot` with the settings of the first record."""
    return take_slot(bank, kind, pool, settings[0])


@entry
def configure(bank: Bank, slot: int, settings: Records) -> None:
    """`tune` with the settings of the first record."""
    tune(bank, slot, settings[0])


@entry
def release(bank: Bank, slot: int) -> None:
    """`give_slot`, for Python."""
    give_slot(bank, slot)
