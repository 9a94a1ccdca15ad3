"""Few values: a predictive Student t for a series of numbers that has not been seen often enough for the core.

What it detects: a value out of line with those before it, from the sixth to the hundredth.

Scale: a series with a negative value among its first five is taken as it is; one of whole numbers with a small mean as counts
(see `few_counts`); any other by the signed square root, which suits noise that grows with the level as well as noise that
does not, and sees a drop to a fifth at 20 % noise. Logarithms would see more drops, and alarm twice as often as allowed on
normal noise of 20 %.

Formula: the predictive distribution of a normal mean with a conjugate prior on the variance (Gelman et al., Bayesian Data
Analysis, 3rd ed., 3.3), with mean m, squares Q and n values on that scale, and a prior of `weight` values with a
standard deviation of `spread` times the level, or the median deviation of the first five if that is more:
s^2 = (weight spread'^2 + Q) / (weight + n - 1); t = (y - m) / (s sqrt(1 + 1/n)) on weight + n - 1 degrees of freedom. Like series
may set weight and spread. A value alarms at 0.65 of the budget's alpha: on the root scale the low side of normal
noise is heavier than a t.

Tails: few values do not show them, so each value is judged by a mixture, p = (1 - w) p(t) + w p3(1.42 t), of that t and of
Student's t with 3 degrees of freedom (1.42: the deviation of such noise once clipped, on its own scale). w starts at 0.1, beside
like series at 0.02, and moves by Bayes' rule with the ratio of the two densities at each value from the ninth on, in the values' own deviations; one value speaks at most as
one 3 deviations out, so that a short outage does not count as a heavy tail. The small p-values of counts are
taken to be as far out as n in n + 50 of their logarithm says.

Measured (normal noise of 20 %, 14 values, then a drop by 80 %): see `docs/reference/score.md`.
"""

import math

from detectors.budget import alpha_for
from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import CLIP, Record, Records
from detectors.few_counts import (
    MEAN_MAX,
    count_is_near,
    count_limits,
    is_count,
    learn_count,
    p_value_of_count,
)
from detectors.numeric_layout import AS_IT_IS, COUNTED, DOWN, FIRST, ROOT, YOUNG_SAMPLES
from detectors.pools import is_known, join, leave, pool_of_values, prior_of, whole_log
from detectors.predictive_t import NEAR, median_of_first, p_value_of, reach_at
from detectors.student_t import log_density

MEMORY = 100
PRIOR_WEIGHT, PRIOR_SPREAD = 4.0, 0.2
SHARE = 0.65
HEAVY, HEAVY_AMONG_LIKE = 0.1, 0.02
"""How likely tails are heavy before the first value."""
HEAVY_FREEDOM, HEAVY_WIDTH = 3.0, 1.42
TELLING_RUNS, TELLING, TOLD_MAX = 8, 3.0, 6.0
"""Values before one says anything of tails, deviations beyond which it says no more, and the most that all together say."""
ALPHA_MIN = 1e-4
"""A hundred values make no more than one false alarm in a hundred series so."""
TRUSTED = 0.0015
COUNTS_DOUBTED = 50.0
"""Few counts say little of tails beyond this p-value."""
REACH_STEPS = 30
POOL_NOISE = 2.0 / YOUNG_SAMPLES
"""Variance of the logarithm of what one of the like series says, for want of samples."""
NORMAL_MEDIAN = 1.4826
"""From the median deviation of normal noise to its standard deviation."""


@inner
def to_scale(s: Record, x: float) -> float:
    """A value on the scale of its series."""
    return math.copysign(math.sqrt(abs(x)), x) if s.scale == ROOT else x


@inner
def from_scale(s: Record, y: float) -> float:
    """Inverse of `to_scale`."""
    return math.copysign(y * y, y) if s.scale == ROOT else y


@inner
def _prior_weight(s: Record) -> float:
    return float(s.prior_weight) if s.prior_weight > 0.0 else PRIOR_WEIGHT


@inner
def _prior_squares(s: Record) -> float:
    """Of the prior's values about their mean; of the population's, at least what the first values say."""
    level = 0.5 * s.mean if s.scale == ROOT else s.mean  # the slope of the root at m^2 is 1 / (2 m)
    if s.prior_weight > 0.0:
        return s.prior_weight * (s.prior_spread * level) ** 2 + 1e-18
    return PRIOR_WEIGHT * max(PRIOR_SPREAD * abs(level), NORMAL_MEDIAN * _first_spread(s)) ** 2 + 1e-18


@inner
def _first_spread(s: Record) -> float:
    """Median distance of the first values from their median: half of them lie nearer."""
    centre, spread = to_scale(s, median_of_first(s)), 0.0
    for x in s.first:
        distance, nearer = abs(to_scale(s, x) - centre), 0
        for other in s.first:
            nearer += abs(to_scale(s, other) - centre) < distance
        spread = max(spread, distance if nearer <= FIRST // 2 else 0.0)
    return spread


@inner
def _freedom(s: Record) -> float:
    return _prior_weight(s) + min(s.runs, MEMORY) - 1.0


@inner
def _spread(s: Record) -> float:
    runs = float(min(s.runs, MEMORY))
    return math.sqrt((_prior_squares(s) + s.squares) / _freedom(s) * (1.0 + 1.0 / runs))


@inner
def alpha_of(s: Record) -> float:
    """The p-value at which a value alarms."""
    alpha = SHARE * alpha_for(s.false_alarms_per_day, s.interval_s)
    return alpha if s.scale == COUNTED else max(alpha, ALPHA_MIN)


@inner
def is_near(s: Record, x: float) -> bool:
    """Whether a value is so near that it cannot alarm."""
    if s.scale == COUNTED:
        return count_is_near(s, x)
    return abs(to_scale(s, x) - s.mean) < NEAR * _spread(s)


@inner
def p_value_of_few(s: Record, x: float) -> float:
    """How likely the next value is so far out as `x`, from FIRST values on."""
    if s.scale == COUNTED:
        p_value = p_value_of_count(s, x)
        return p_value if p_value >= TRUSTED else TRUSTED * (p_value / TRUSTED) ** _count_trust(s)
    return _p_value_at(s, (to_scale(s, x) - s.mean) / _spread(s), _freedom(s))


@inner
def _heavy_share(s: Record) -> float:
    """How likely the tails of this series are heavy."""
    before = HEAVY_AMONG_LIKE if s.prior_weight > 0.0 else HEAVY
    return 1.0 / (1.0 + math.exp(-s.heavy) * (1.0 - before) / before)


@inner
def _p_value_at(s: Record, t: float, freedom: float) -> float:
    share = _heavy_share(s)
    light, heavy = p_value_of(s, t, freedom), p_value_of(s, HEAVY_WIDTH * t, HEAVY_FREEDOM)
    return (1.0 - share) * light + share * heavy


@inner
def reach_of_tails(s: Record, alpha: float, freedom: float) -> float:
    """The t whose p-value is `alpha`, by bisection between what the two tails of the mixture say."""
    light, heavy = reach_at(s, alpha, freedom), reach_at(s, alpha, HEAVY_FREEDOM) / HEAVY_WIDTH
    low, high = min(light, heavy), max(light, heavy)
    sign = -1.0 if s.direction == DOWN else 1.0
    for _ in range(REACH_STEPS):
        middle = 0.5 * (low + high)
        if _p_value_at(s, sign * middle, freedom) > alpha:
            low = middle
        else:
            high = middle
    return low


@inner
def _learn_tail(s: Record, t: float, freedom: float) -> None:
    """Weigh the two tails by what a value says of them that is `t` of the values' own deviations out: no prior's."""
    t = min(abs(t), TELLING)
    said = log_density(HEAVY_WIDTH * t, HEAVY_FREEDOM) + math.log(HEAVY_WIDTH) - log_density(t, freedom)
    s.heavy = clip(s.heavy + said, TOLD_MAX)


@inner
def _count_trust(s: Record) -> float:
    """How far the logarithm of a small p-value of a count is believed."""
    return float(s.runs / (s.runs + COUNTS_DOUBTED))


@inner
def value_limits(s: Record) -> tuple[float, float, float]:
    """Expected, lower and upper of the next value, from FIRST values on."""
    alpha = alpha_of(s)
    if s.scale == COUNTED:
        beyond = min(alpha / TRUSTED, 1.0)
        believed = TRUSTED * max(beyond ** (1.0 / _count_trust(s)), 1e-200) if beyond < 1.0 else alpha
        return count_limits(s, believed)
    reach = reach_of_tails(s, alpha, _freedom(s)) * _spread(s)
    return from_scale(s, s.mean), from_scale(s, s.mean - reach), from_scale(s, s.mean + reach)


@inner
def learn_value(s: Record, x: float) -> None:
    """Learn a value, clipped."""
    if s.runs < FIRST:
        _learn_first(s, x)
    elif s.scale == COUNTED:
        learn_count(s, x)
    else:
        runs, off = min(s.runs, MEMORY), to_scale(s, x) - s.mean
        if runs >= TELLING_RUNS and s.squares > 0.0:
            _learn_tail(s, off / math.sqrt(s.squares / (runs - 1.0) * (1.0 + 1.0 / runs)), runs - 1.0)
        ordinary = clip(off, CLIP * _spread(s))
        s.mean += ordinary / (runs + 1)
        s.squares += ordinary**2 * runs / (runs + 1)
        if s.runs >= MEMORY:
            s.squares *= MEMORY / (MEMORY + 1)
        s.runs += 1


@inner
def leave_counts(s: Record, x: float) -> None:
    """Before a value that is no count is judged: the same mean and spread on another scale."""
    if s.scale != COUNTED or is_count(x):
        return
    s.scale = AS_IT_IS if x < 0.0 else ROOT
    if s.scale == ROOT:
        s.squares *= 0.25 / max(s.mean, 0.25)
        s.mean = math.sqrt(s.mean)


@inner
def _learn_first(s: Record, x: float) -> None:
    s.first[s.runs] = x
    s.runs += 1
    s.mean = median_of_first(s)
    if s.runs == FIRST:
        _choose_scale(s)


@inner
def _choose_scale(s: Record) -> None:
    least, total, whole = math.inf, 0.0, True
    for x in s.first:
        least, total, whole = min(least, x), total + x, whole and is_count(x)
    s.scale = ROOT if least >= 0.0 else AS_IT_IS
    if whole and total <= MEAN_MAX * FIRST:
        s.scale = COUNTED
    s.mean = to_scale(s, s.mean)
    bound = (
        CLIP * math.sqrt(_prior_squares(s) / _prior_weight(s))
        if s.scale != COUNTED
        else 3.0 * math.sqrt(s.mean) + 3.0
    )
    s.squares = 0.0
    for x in s.first:
        s.squares += clip(to_scale(s, x) - s.mean, bound) ** 2


@inner
def take_prior(s: Record, pools: Records) -> None:
    """Once the first values are known, let like series say how widely this one varies, if there are any."""
    if s.runs == FIRST and s.pool > 0 and s.prior_weight == 0.0 and s.scale == ROOT:
        pool = pools[pool_of_values(s.pool)]
        if is_known(pool):
            weight, variance = prior_of(pool, POOL_NOISE)
            s.prior_weight, s.prior_spread = weight, math.sqrt(variance)


@inner
def tell_values(s: Record, pools: Records) -> None:
    """Tell like series how widely this one varies, as a share of its level."""
    if s.pool > 0 and s.scale == ROOT and s.mean > 0.0:
        leave_values(s, pools)
        s.pooled = whole_log(s.squares / (s.runs - 1.0) / (0.5 * s.mean) ** 2)
        join(pools[pool_of_values(s.pool)], s.pooled)


@inner
def leave_values(s: Record, pools: Records) -> None:
    """Take out what this series said of values, if it did."""
    if s.pooled != 0:
        leave(pools[pool_of_values(s.pool)], s.pooled)
        s.pooled = 0
