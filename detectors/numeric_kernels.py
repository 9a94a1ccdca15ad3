"""The kernels that `numeric.NumericBank` calls: choose the head, judge, then learn."""

import math

import numpy as np
import numpy.typing as npt

from detectors.budget import alpha_for, score_of_p_value, young_markup
from detectors.compiled import entry, inner
from detectors.core.layout import VALUE_MAX, WARM_UP, Record, Records
from detectors.core.scorer import core_limits, judge_core, learn_core, slow_centre
from detectors.numeric_layout import (
    DOWN,
    FIRST,
    FREE,
    HUBER_ROUTINE,
    REFUSED,
    RUNS,
    RUNS_BEFORE_CORE,
    SMALL_SAMPLE_T,
    UP,
    VALUES,
    Row,
)
from detectors.small_sample import (
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
def _outside(x: float, lower: float, upper: float) -> bool:
    return x < lower or x > upper


@inner
def _judge_few(s: Record, x: float) -> Verdict:
    if s.runs < FIRST:
        expected = from_log_scale(s.mean) if s.runs > 0 else math.nan
        return 0.0, expected, math.nan, math.nan, math.nan, False, 0.0
    p_value, expected, lower, upper = judge_run(s, to_log_scale(x))
    lower, upper = _edges_for(s, expected, lower, upper)
    score = score_of_p_value(p_value, alpha_for(s.false_alarms_per_day, s.interval_s), s.threshold)
    return score, expected, lower, upper, p_value, score >= s.threshold and _outside(x, lower, upper), 0.0


@inner
def _judge_value(s: Record, core: Record, time_ms: int, x: float) -> Verdict:
    if core.n < WARM_UP:
        expected = core.level[1] if core.n > 0 else math.nan
        return 0.0, expected, math.nan, math.nan, math.nan, False, 0.0
    threshold = _threshold_at(s, time_ms)
    score, expected, lower, upper, surprised = judge_core(core, time_ms, x, s.interval_s, False, threshold)
    lower, upper = _edges_for(s, expected, lower, upper)
    anomalous = score >= threshold and _outside(x, lower, upper)
    return score, expected, lower, upper, math.nan, anomalous, surprised


@inner
def _widened(s: Record, core: Record, time_ms: int, lower: float, upper: float) -> tuple[float, float]:
    """The core's limits of a run, at least as wide as the budget asks for, and back on the scale of the runs."""
    centre, scale = slow_centre(core, time_ms, s.interval_s, True)
    reach = reach_of(s, _CORE_FREEDOM) * scale
    lower, upper = from_log_scale(min(lower, centre - reach)), from_log_scale(max(upper, centre + reach))
    return lower, upper


@inner
def _judge_routine_run(s: Record, core: Record, time_ms: int, x: float) -> Verdict:
    y = to_log_scale(x)
    centre, scale = slow_centre(core, time_ms, s.interval_s, True)
    p_value = p_value_of(s, (y - centre) / scale, _CORE_FREEDOM)
    threshold = _threshold_at(s, time_ms)
    score, expected, lower, upper, surprised = judge_core(core, time_ms, y, s.interval_s, True, threshold)
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


@inner
def _learn(s: Record, core: Record, time_ms: int, x: float, surprised: float) -> None:
    if s.kind == RUNS and core.n < WARM_UP:
        learn_run(s, to_log_scale(x))
    if s.kind == VALUES or s.n >= RUNS_BEFORE_CORE:
        on_log_scale = s.kind == RUNS
        learn_core(
            core, time_ms, to_log_scale(x) if on_log_scale else x, s.interval_s, on_log_scale, surprised
        )
    s.n += 1


@inner
def _judge(light: Records, deep: Records, slot: int, time_ms: int, value: float) -> Row:
    if slot < 0 or slot >= len(light) or light[slot].kind == FREE:
        raise IndexError("no series has this slot")
    s, core = light[slot], deep[slot]
    if not math.isfinite(value):
        nan = math.nan
        return 0.0, nan, nan, nan, nan, s.n, s.first_ms, s.interval_s, REFUSED, False, s.n < WARM_UP
    x = min(max(value, -VALUE_MAX), VALUE_MAX)
    n = s.n
    _note_time(s, time_ms)
    method = SMALL_SAMPLE_T if s.kind == RUNS and core.n < WARM_UP else HUBER_ROUTINE
    if s.kind == VALUES:
        said = _judge_value(s, core, time_ms, x)
    elif method == SMALL_SAMPLE_T:
        said = _judge_few(s, x)
    else:
        said = _judge_routine_run(s, core, time_ms, x)
    score, expected, lower, upper, p_value, anomalous, surprised = said
    _learn(s, core, time_ms, x, surprised)
    return (
        score,
        expected,
        lower,
        upper,
        p_value,
        n,
        s.first_ms,
        s.interval_s,
        method,
        anomalous,
        n < WARM_UP,
    )


@entry
def judge(light: Records, deep: Records, slot: int, time_ms: int, value: float) -> Row:
    """Judge one sample of one slot, then learn it. IndexError for a slot that is not in use."""
    return _judge(light, deep, slot, time_ms, value)


@entry
def judge_many(
    light: Records,
    deep: Records,
    slots: npt.NDArray[np.int64],
    times_ms: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    out: Records,
) -> None:
    """Judge and learn samples one after the other, in the order given; `out` has JUDGEMENT elements."""
    for i in range(len(slots)):
        row = _judge(light, deep, slots[i], times_ms[i], values[i])
        j = out[i]
        j.score, j.expected, j.lower, j.upper, j.p_value, j.n = row[0], row[1], row[2], row[3], row[4], row[5]
        j.since_ms, j.interval_s, j.method, j.anomalous, j.warming = row[6], row[7], row[8], row[9], row[10]


@entry
def limits(light: Records, deep: Records, slot: int, time_ms: int) -> tuple[float, float, float]:
    """Expected, lower and upper of a slot at a time, NaN where nothing is known yet. Changes nothing."""
    if slot < 0 or slot >= len(light) or light[slot].kind == FREE:
        raise IndexError("no series has this slot")
    s, core = light[slot], deep[slot]
    if core.n >= WARM_UP:
        threshold = _threshold_at(s, time_ms)
        expected, lower, upper = core_limits(core, time_ms, s.interval_s, s.kind == RUNS, threshold)
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
