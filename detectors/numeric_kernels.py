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
    THRESHOLD_YOUNG_MIN,
    alpha_for,
    p_value_of_score,
    score_of_p_value,
    young_markup,
)
from detectors.compiled import entry, inner, pasted
from detectors.core.layout import VALUE_MAX, WARM_UP, Record, Records
from detectors.core.scorer import core_limits, judge_core, learn_core, slow_centre
from detectors.core.tail import block_days, tail_known, tail_rate
from detectors.counts import stays_counted
from detectors.few_values import alpha_of, is_near, learn_value, p_value_of_few, reach_of_tails, value_limits
from detectors.local_time import local_ms
from detectors.numeric_layout import (
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
    REFUSED,
    RUNS,
    RUNS_BEFORE_CORE,
    SMALL_COUNT,
    SMALL_SAMPLE_T,
    UP,
    VALUES,
    YOUNG_BLOCK_BITS,
    YOUNG_FREE,
    YOUNG_SAMPLES,
    YOUNG_TOP,
    Bank,
    Row,
)
from detectors.persistence import note_crossing
from detectors.small_sample import (
    cannot_alarm,
    from_log_scale,
    judge_run,
    learn_run,
    p_value_of,
    reach_of,
    run_limits,
    to_log_scale,
)

_INTERVAL_START_S = 60.0
_INTERVAL_RATE = 0.01
_DAY_S = 86_400.0
_SELDOM_S = 3000.0
"""Values at least so far apart are seldom: their two-hour peaks are of two or three."""
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
    """No budget lowers the threshold far while the tail of the series is not known."""
    threshold = _threshold_at(s, time_ms)
    return threshold if tail_known(core) else max(threshold, THRESHOLD_YOUNG_MIN)


@inner
def _outside(x: float, lower: float, upper: float) -> bool:
    return x < lower or x > upper


@inner
def _unasked(score: float, surprised: float) -> Verdict:
    """An ordinary sample of whose limits nobody asked."""
    return score, math.nan, math.nan, math.nan, math.nan, False, surprised


@inner
def _judge_few(s: Record, x: float, asked: bool) -> Verdict:
    if s.runs < FIRST:
        expected = from_log_scale(s.mean) if s.runs > 0 else math.nan
        return 0.0, expected, math.nan, math.nan, math.nan, False, 0.0
    y = to_log_scale(x)
    if not asked and cannot_alarm(s, y):
        return _unasked(0.0, 0.0)
    p_value, expected, lower, upper = judge_run(s, y)
    lower, upper = _edges_for(s, expected, lower, upper)
    score = score_of_p_value(p_value, alpha_for(s.false_alarms_per_day, s.interval_s), s.threshold)
    return score, expected, lower, upper, p_value, score >= s.threshold and _outside(x, lower, upper), 0.0


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
    """How likely a sample of this series is so surprising: by its own tail, before that is known by the line in `budget`."""
    if tail_known(core):
        samples = block_days(s.interval_s) * _DAY_S / s.interval_s
        return float(min(tail_rate(core, surprised) / samples, 1.0))
    return p_value_of_score(score, s.interval_s)


@inner
def _widened(s: Record, core: Record, local: int, lower: float, upper: float) -> tuple[float, float]:
    """The core's limits of a run, at least as wide as the budget asks for, and back on the scale of the runs."""
    centre, scale = slow_centre(core, local, s.interval_s, True)
    reach = reach_of(s, _CORE_FREEDOM) * scale
    lower, upper = from_log_scale(min(lower, centre - reach)), from_log_scale(max(upper, centre + reach))
    return lower, upper


@inner
def _judge_routine_run(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> Verdict:
    y = to_log_scale(x)
    threshold = _threshold_at(s, time_ms)
    score, alarms, expected, lower, upper, surprised = judge_core(
        core, local, y, s.interval_s, True, threshold, 0.0, 0, asked
    )
    if not alarms and not asked:
        return _unasked(score, surprised)
    centre, scale = slow_centre(core, local, s.interval_s, True)
    p_value = p_value_of(s, (y - centre) / scale, _CORE_FREEDOM)
    alpha = alpha_for(s.false_alarms_per_day, s.interval_s)
    score = min(score, score_of_p_value(p_value, alpha, threshold))
    lower, upper = _widened(s, core, local, lower, upper)
    expected = from_log_scale(expected)
    lower, upper = _edges_for(s, expected, lower, upper)
    anomalous = score >= threshold and _outside(x, lower, upper)
    return score, expected, lower, upper, p_value, anomalous, surprised


@inner
def _next_interval(interval_s: float, gap_ms: int, n: int) -> float:
    """The usual time between samples after a gap, before which there were `n` samples."""
    if gap_ms <= 0:
        return interval_s
    bounded = min(gap_ms / 1000.0, 10 * interval_s + 60)
    return interval_s + max(_INTERVAL_RATE, 1.0 / (n + 1)) * (bounded - interval_s)


@inner
def _note_time(s: Record, time_ms: int) -> None:
    if s.n == 0:
        s.first_ms = time_ms
        s.interval_s = _INTERVAL_START_S
    else:
        s.interval_s = _next_interval(s.interval_s, time_ms - s.last_ms, s.n)
    s.last_ms = time_ms


@pasted
def _take_deep(bank: Bank) -> int:
    free = bank.counters[DEEP_FREE]
    if free > 0:
        bank.counters[DEEP_FREE] = bank.deep[free].block
        bank.deep[free].block = 0
        return free
    bank.counters[DEEP_TOP] += 1
    return bank.counters[DEEP_TOP] - 1


@pasted
def _take_young(bank: Bank) -> int:
    free = bank.counters[YOUNG_FREE]
    if free > 0:
        bank.counters[YOUNG_FREE] = bank.young[free].time_ms[0]
        bank.young[free].time_ms[0] = 0
        return free
    bank.counters[YOUNG_TOP] += 1
    return bank.counters[YOUNG_TOP] - 1


@pasted
def _give_young(bank: Bank, place: int) -> None:
    bank.young[place : place + 1].view(np.uint8)[:] = 0
    bank.young[place].time_ms[0] = bank.counters[YOUNG_FREE]
    bank.counters[YOUNG_FREE] = place
    bank.young_dirty[place >> YOUNG_BLOCK_BITS] = 1


@pasted
def _keep_young(bank: Bank, s: Record, time_ms: int, x: float) -> None:
    """Keep one of the first values for the core, which does not learn yet."""
    if s.deep == 0:
        s.deep = -_take_young(bank)
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
            interval_s = _next_interval(interval_s, young.time_ms[i] - young.time_ms[i - 1], i)
        local = local_ms(bank.zones, s.zone, young.time_ms[i])
        learn_core(core, local, young.value[i], interval_s, False, 0.0)


@pasted
def _earn_deep(bank: Bank, s: Record) -> None:
    """Give a series the scorer's state."""
    young = -s.deep
    s.deep = _take_deep(bank)
    if young > 0:
        _seed(bank, s, bank.deep[s.deep], bank.young[young])
        _give_young(bank, young)


@inner
def _refused(s: Record) -> Row:
    nan = math.nan
    return 0.0, nan, nan, nan, nan, s.n, s.first_ms, s.interval_s, REFUSED, False, s.n < WARM_UP


@inner
def _method_of(s: Record, core: Record) -> int:
    if s.kind == VALUES and s.scale == COUNTED and _few_values(s, core):
        return SMALL_COUNT
    return SMALL_SAMPLE_T if core.n < WARM_UP else HUBER_ROUTINE


@inner
def _judged(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> tuple[Row, float]:
    """The judgement of a sample that is not learned yet, and how surprising it is."""
    n = s.n
    _note_time(s, time_ms)
    method = _method_of(s, core)
    if s.kind == VALUES:
        said = _judge_value(s, core, time_ms, local, x, asked)
    elif method == SMALL_SAMPLE_T:
        said = _judge_few(s, x, asked)
    else:
        said = _judge_routine_run(s, core, time_ms, local, x, asked)
    score, expected, lower, upper, p_value, anomalous, surprised = said
    anomalous, warming = note_crossing(s, anomalous), n < WARM_UP
    row = score, expected, lower, upper, p_value, n, s.first_ms, s.interval_s, method, anomalous, warming
    return row, surprised


@inner
def _learn(s: Record, core: Record, local: int, x: float, surprised: float) -> None:
    on_log_scale = s.kind == RUNS
    y = to_log_scale(x) if on_log_scale else x
    if not on_log_scale and (core.n < WARM_UP or s.scale == COUNTED):
        learn_value(s, x)
    elif on_log_scale and core.n < WARM_UP:
        learn_run(s, y)
    if s.deep > 0:
        learn_core(core, local, y, s.interval_s, on_log_scale, surprised)
    s.n += 1


@pasted
def judge_sample(bank: Bank, slot: int, time_ms: int, value: float, asked: bool) -> Row:
    """Judge one sample of a slot in use, then learn it; of what is ordinary, limits and p-value only if `asked`."""
    s = bank.light[slot]
    said = _refused(s)
    if math.isfinite(value):
        bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1
        x = min(max(value, -VALUE_MAX), VALUE_MAX)
        local = local_ms(bank.zones, s.zone, time_ms)
        said, surprised = _judged(s, bank.deep[max(s.deep, 0)], time_ms, local, x, asked)
        if s.deep <= 0:
            if s.n >= (YOUNG_SAMPLES if s.kind == VALUES else RUNS_BEFORE_CORE):
                _earn_deep(bank, s)
            elif s.kind == VALUES:
                _keep_young(bank, s, time_ms, x)
        place = max(s.deep, 0)
        bank.deep_dirty[place >> DEEP_BLOCK_BITS] |= place > 0
        _learn(s, bank.deep[place], local, x, surprised)
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


@inner
def _limits_of(s: Record, core: Record, time_ms: int, local: int) -> tuple[float, float, float]:
    if s.kind == VALUES and _few_values(s, core):
        if s.runs < FIRST:
            return (s.mean if s.runs > 0 else math.nan), math.nan, math.nan
        expected, lower, upper = value_limits(s)
    elif core.n >= WARM_UP:
        allowed = 0.0 if s.kind == RUNS else s.false_alarms_per_day
        threshold = _threshold_at(s, time_ms) if s.kind == RUNS else _threshold_of_value(s, core, time_ms)
        expected, lower, upper = core_limits(
            core, local, s.interval_s, s.kind == RUNS, threshold, allowed, time_ms - s.first_ms
        )
        if s.kind == RUNS:
            lower, upper = _widened(s, core, local, lower, upper)
            expected = from_log_scale(expected)
        else:
            lower, upper = _widened_while_young(s, core, local, lower, upper)
    elif s.runs >= FIRST:
        expected, lower, upper = run_limits(s)
    else:
        return (from_log_scale(s.mean) if s.runs > 0 else math.nan), math.nan, math.nan
    lower, upper = _edges_for(s, expected, lower, upper)
    return expected, lower, upper


@pasted
def limits_at(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """Expected, lower and upper of a slot at a time, NaN where nothing is known yet. Changes nothing."""
    s = bank.light[slot]
    return _limits_of(s, bank.deep[max(s.deep, 0)], time_ms, local_ms(bank.zones, s.zone, time_ms))


@entry
def limits(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """`limits_at`; IndexError for a slot that is not in use."""
    if not _in_use(bank, slot):
        raise IndexError("no series has this slot")
    return limits_at(bank, slot, time_ms)


@pasted
def take_slot(bank: Bank, kind: int, settings: Record) -> int:
    """A slot for a series of a kind, with the settings of a LIGHT record or of one like it. The array has room."""
    free = bank.counters[LIGHT_FREE]
    if free > 0:
        slot = free - 1
        bank.counters[LIGHT_FREE] = bank.light[slot].first_ms
        bank.light[slot].first_ms = 0
    else:
        slot = bank.counters[LIGHT_TOP]
        bank.counters[LIGHT_TOP] += 1
    bank.light[slot].kind = kind
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
    if s.deep > 0:
        deep = bank.deep[s.deep : s.deep + 1].view(np.uint8)
        deep[:] = 0
        bank.deep[s.deep].block = bank.counters[DEEP_FREE]
        bank.counters[DEEP_FREE] = s.deep
        bank.deep_dirty[s.deep >> DEEP_BLOCK_BITS] = 1
    elif s.deep < 0:
        _give_young(bank, -s.deep)
    bank.light[slot : slot + 1].view(np.uint8)[:] = 0
    bank.light[slot].first_ms = bank.counters[LIGHT_FREE]
    bank.counters[LIGHT_FREE] = slot + 1
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1


@entry
def add(bank: Bank, kind: int, settings: Records) -> int:
    """`take_slot` with the settings of the first record."""
    return take_slot(bank, kind, settings[0])


@entry
def configure(bank: Bank, slot: int, settings: Records) -> None:
    """`tune` with the settings of the first record."""
    tune(bank, slot, settings[0])


@entry
def release(bank: Bank, slot: int) -> None:
    """`give_slot`, for Python."""
    give_slot(bank, slot)
