"""The head for values: the first ones are judged by what few of them allow, later ones by the core, then what a value outside is called.

Limits and p-values cost several times what a score costs, so they are worked out only for samples that may be anomalous
and where somebody asks.
"""

import math

from detectors.budget import (
    ALPHA_MAX,
    THRESHOLD,
    alpha_for,
    p_value_of_score,
    score_of_p_value,
    young_markup,
)
from detectors.compiled import inner
from detectors.core.fall import p_value_of_fall
from detectors.core.layout import WARM_UP, Record
from detectors.core.scorer import core_limits, judge_core, slow_centre
from detectors.core.tail import block_days, tail_known, tail_rate
from detectors.few_counts import stays_counted
from detectors.few_values import (
    alpha_of,
    is_near,
    p_value_of_few,
    reach_of_tails,
    value_limits,
)
from detectors.new_unit import has_new_unit
from detectors.numeric_layout import (
    COUNTED,
    FIRST,
    HUBER_ROUTINE,
    NEW_UNIT,
    ORDINARY,
    POINT,
    SMALL_COUNT,
    SMALL_SAMPLE_T,
    STUCK,
    Row,
)
from detectors.persistence import note_crossing
from detectors.stuck import VALUES_EQUAL, VALUES_KNOWN, is_stuck, stuck_share
from detectors.tuned_limits import edges_for, is_outside

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
def _threshold_at(s: Record, time_ms: int) -> float:
    return float(s.threshold) + young_markup(time_ms - s.first_ms)


@inner
def _threshold_of_value(s: Record, core: Record, time_ms: int) -> float:
    """No budget lowers the threshold while the tail of the series is not known."""
    threshold = _threshold_at(s, time_ms)
    return threshold if tail_known(core) else max(threshold, THRESHOLD)


@inner
def _unasked(score: float, surprised: float) -> Verdict:
    """An ordinary sample of whose limits nobody asked."""
    return score, math.nan, math.nan, math.nan, math.nan, False, surprised


@inner
def is_few(s: Record, core: Record) -> bool:
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
    lower, upper = edges_for(s, expected, lower, upper)
    score = score_of_p_value(p_value, alpha_of(s), s.threshold)
    return score, expected, lower, upper, p_value, score >= s.threshold and is_outside(x, lower, upper), 0.0


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
    centre, scale = slow_centre(core, local, s.interval_s)
    reach = reach_of_tails(s, ALPHA_MAX, _CORE_FREEDOM) * scale
    return min(lower, centre - reach), max(upper, centre + reach)


@inner
def _p_value_of_value(s: Record, core: Record, score: float, surprised: float) -> float:
    """How likely a sample of this series is so surprising: by its own tail, before that is known by the line in `budget`; or its fall."""
    fallen = p_value_of_fall(core, s.false_alarms_per_day, s.interval_s)
    if tail_known(core):
        samples = block_days(s.interval_s) * _DAY_S / s.interval_s
        return float(min(tail_rate(core, surprised) / samples, fallen))
    return min(p_value_of_score(score, s.interval_s), fallen)


@inner
def _judge_value(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> Verdict:
    if is_few(s, core):
        return _judge_few_values(s, x, asked)
    threshold = _threshold_of_value(s, core, time_ms)
    age_ms = time_ms - s.first_ms
    score, alarms, expected, lower, upper, surprised = judge_core(
        core, local, x, s.interval_s, threshold, s.false_alarms_per_day, age_ms, asked, s.season
    )
    if not alarms and not asked:
        return _unasked(score, surprised)
    lower, upper = _widened_while_young(s, core, local, lower, upper)
    lower, upper = edges_for(s, expected, lower, upper)
    p_value = _p_value_of_value(s, core, score, surprised)
    return score, expected, lower, upper, p_value, alarms and is_outside(x, lower, upper), surprised


@inner
def _method_of(s: Record, core: Record) -> int:
    if s.scale == COUNTED and is_few(s, core):
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
def limits_of_value(s: Record, core: Record, time_ms: int, local: int) -> tuple[float, float, float]:
    """Expected, lower and upper of the next value, NaN where nothing is known yet."""
    if not is_few(s, core):
        threshold, age_ms = _threshold_of_value(s, core, time_ms), time_ms - s.first_ms
        expected, lower, upper = core_limits(
            core, local, s.interval_s, threshold, s.false_alarms_per_day, age_ms, s.season
        )
        lower, upper = _widened_while_young(s, core, local, lower, upper)
    elif s.runs >= FIRST:
        expected, lower, upper = value_limits(s)
    else:
        return (s.mean if s.runs > 0 else math.nan), math.nan, math.nan
    lower, upper = edges_for(s, expected, lower, upper)
    return expected, lower, upper


@inner
def value_row(s: Record, core: Record, time_ms: int, local: int, x: float, asked: bool) -> tuple[Row, float]:
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
        expected, lower, upper = limits_of_value(s, core, time_ms, local)
    anomalous = note_crossing(s, crosses)
    change = change if anomalous else ORDINARY
    row = score, expected, lower, upper, p_value, s.n, s.first_ms, s.interval_s, method
    pooled, warming = s.prior_weight > 0.0 and method == SMALL_SAMPLE_T, s.n < WARM_UP
    return (*row, anomalous, warming, pooled, change), surprised
