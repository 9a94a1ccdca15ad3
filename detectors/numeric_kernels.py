"""The kernels of a bank of numeric series: choose the head, judge, then learn.

Limits and p-values cost several times what a score costs, so they are worked out only for samples that may be anomalous
and where somebody asks.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.budget import THRESHOLD_YOUNG_MIN, alpha_for, p_value_of_score, score_of_p_value, young_markup
from detectors.compiled import entry, inner, pasted
from detectors.core.layout import VALUE_MAX, WARM_UP, Record, Records
from detectors.core.scorer import core_limits, judge_core, learn_core, slow_centre
from detectors.core.tail import block_days, tail_known, tail_rate
from detectors.numeric_layout import (
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
    SMALL_SAMPLE_T,
    UP,
    VALUES,
    Bank,
    Row,
)
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
_CORE_FREEDOM = 200.0
"""Degrees of freedom of the core's slow scale, which remembers some 1,500 samples."""

Verdict = tuple[float, float, float, float, float, bool, float]
"""Score, expected, lower, upper, p_value, anomalous, surprise."""


@inner
def _edges_for(s: Record, expected: float, lower: float, upper: float) -> tuple[float, float]:
    least_effect = s.min_effect * abs(expected)
    lower, upper = min(lower, expected - least_effect), max(upper, expected + least_effect)
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
def _judge_value(s: Record, core: Record, time_ms: int, x: float, asked: bool) -> Verdict:
    if core.n < WARM_UP:
        expected = core.level[1] if core.n > 0 else math.nan
        return 0.0, expected, math.nan, math.nan, math.nan, False, 0.0
    threshold = _threshold_of_value(s, core, time_ms)
    age_ms = time_ms - s.first_ms
    score, alarms, expected, lower, upper, surprised = judge_core(
        core, time_ms, x, s.interval_s, False, threshold, s.false_alarms_per_day, age_ms, asked
    )
    if not alarms and not asked:
        return _unasked(score, surprised)
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
def _widened(s: Record, core: Record, time_ms: int, lower: float, upper: float) -> tuple[float, float]:
    """The core's limits of a run, at least as wide as the budget asks for, and back on the scale of the runs."""
    centre, scale = slow_centre(core, time_ms, s.interval_s, True)
    reach = reach_of(s, _CORE_FREEDOM) * scale
    lower, upper = from_log_scale(min(lower, centre - reach)), from_log_scale(max(upper, centre + reach))
    return lower, upper


@inner
def _judge_routine_run(s: Record, core: Record, time_ms: int, x: float, asked: bool) -> Verdict:
    y = to_log_scale(x)
    threshold = _threshold_at(s, time_ms)
    score, alarms, expected, lower, upper, surprised = judge_core(
        core, time_ms, y, s.interval_s, True, threshold, 0.0, 0, asked
    )
    if not alarms and not asked:
        return _unasked(score, surprised)
    centre, scale = slow_centre(core, time_ms, s.interval_s, True)
    p_value = p_value_of(s, (y - centre) / scale, _CORE_FREEDOM)
    alpha = alpha_for(s.false_alarms_per_day, s.interval_s)
    score = min(score, score_of_p_value(p_value, alpha, threshold))
    lower, upper = _widened(s, core, time_ms, lower, upper)
    expected = from_log_scale(expected)
    lower, upper = _edges_for(s, expected, lower, upper)
    anomalous = score >= threshold and _outside(x, lower, upper)
    return score, expected, lower, upper, p_value, anomalous, surprised


@inner
def _note_time(s: Record, time_ms: int) -> None:
    if s.n == 0:
        s.first_ms = time_ms
        s.interval_s = _INTERVAL_START_S
    else:
        gap_s = (time_ms - s.last_ms) / 1000.0
        if gap_s > 0:
            bounded = min(gap_s, 10 * s.interval_s + 60)
            s.interval_s += max(_INTERVAL_RATE, 1.0 / (s.n + 1)) * (bounded - s.interval_s)
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


@inner
def _refused(s: Record) -> Row:
    nan = math.nan
    return 0.0, nan, nan, nan, nan, s.n, s.first_ms, s.interval_s, REFUSED, False, s.n < WARM_UP


@inner
def _judged(s: Record, core: Record, time_ms: int, x: float, asked: bool) -> tuple[Row, float]:
    """The judgement of a sample that is not learned yet, and how surprising it is."""
    n = s.n
    _note_time(s, time_ms)
    method = SMALL_SAMPLE_T if s.kind == RUNS and core.n < WARM_UP else HUBER_ROUTINE
    if s.kind == VALUES:
        said = _judge_value(s, core, time_ms, x, asked)
    elif method == SMALL_SAMPLE_T:
        said = _judge_few(s, x, asked)
    else:
        said = _judge_routine_run(s, core, time_ms, x, asked)
    score, expected, lower, upper, p_value, anomalous, surprised = said
    warming = n < WARM_UP
    row = score, expected, lower, upper, p_value, n, s.first_ms, s.interval_s, method, anomalous, warming
    return row, surprised


@inner
def _learn(s: Record, core: Record, time_ms: int, x: float, surprised: float) -> None:
    on_log_scale = s.kind == RUNS
    y = to_log_scale(x) if on_log_scale else x
    if on_log_scale and core.n < WARM_UP:
        learn_run(s, y)
    if s.deep > 0:
        learn_core(core, time_ms, y, s.interval_s, on_log_scale, surprised)
    s.n += 1


@pasted
def judge_sample(bank: Bank, slot: int, time_ms: int, value: float, asked: bool) -> Row:
    """Judge one sample of a slot in use, then learn it; of what is ordinary, limits and p-value only if `asked`."""
    s = bank.light[slot]
    said = _refused(s)
    if math.isfinite(value):
        bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1
        x = min(max(value, -VALUE_MAX), VALUE_MAX)
        said, surprised = _judged(s, bank.deep[s.deep], time_ms, x, asked)
        if s.deep == 0 and (s.kind == VALUES or s.n >= RUNS_BEFORE_CORE):
            s.deep = _take_deep(bank)
        bank.deep_dirty[s.deep >> DEEP_BLOCK_BITS] = 1
        _learn(s, bank.deep[s.deep], time_ms, x, surprised)
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
def _limits_of(s: Record, core: Record, time_ms: int) -> tuple[float, float, float]:
    if core.n >= WARM_UP:
        allowed = 0.0 if s.kind == RUNS else s.false_alarms_per_day
        threshold = _threshold_at(s, time_ms) if s.kind == RUNS else _threshold_of_value(s, core, time_ms)
        expected, lower, upper = core_limits(
            core, time_ms, s.interval_s, s.kind == RUNS, threshold, allowed, time_ms - s.first_ms
        )
        if s.kind == RUNS:
            lower, upper = _widened(s, core, time_ms, lower, upper)
            expected = from_log_scale(expected)
    elif s.kind == RUNS and s.runs >= FIRST:
        expected, lower, upper = run_limits(s)
    elif s.kind == RUNS:
        return (from_log_scale(s.mean) if s.runs > 0 else math.nan), math.nan, math.nan
    else:
        return (core.level[1] if core.n > 0 else math.nan), math.nan, math.nan
    lower, upper = _edges_for(s, expected, lower, upper)
    return expected, lower, upper


@pasted
def limits_at(bank: Bank, slot: int, time_ms: int) -> tuple[float, float, float]:
    """Expected, lower and upper of a slot at a time, NaN where nothing is known yet. Changes nothing."""
    s = bank.light[slot]
    return _limits_of(s, bank.deep[s.deep], time_ms)


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
    s.direction, s.threshold = settings.direction, settings.threshold
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
