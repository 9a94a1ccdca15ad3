"""Few values: a predictive Student t for a series of numbers that has not been seen often enough for the core.

What it detects: a value out of line with those before it, from the sixth to the hundredth.

Scale: a series with a negative value among its first five is taken as it is; one of whole numbers with a small mean as counts
(see `counts`); any other by the signed square root, which suits noise that grows with the level as well as noise that
does not, and sees a drop to a fifth at 20 % noise. Logarithms would see more drops, and alarm twice as often as allowed on
normal noise of 20 %.

Formula: that of `small_sample`, with mean m, squares Q and n values on that scale, and a prior of `weight` values with a
standard deviation of `spread` times the level, or the median deviation of the first five if that is more:
s^2 = (weight spread'^2 + Q) / (weight + n - 1); t = (y - m) / (s sqrt(1 + 1/n)) on weight + n - 1 degrees of freedom. Like series
may set weight and spread. A value alarms at 0.65 of the budget's alpha: on the root scale the low side of normal
noise is heavier than a t.

Beyond a p-value of 0.0015 the tail is taken to be that of a power of t, and of counts to be as far out as n in n + 50 of its
logarithm says: a series with a sample a minute would else alarm on noise that is not normal before the core knows it.

Measured (normal noise of 20 %, 14 values, then a drop by 80 %): found 94 % of the time with the noise in proportion, 77 % with noise
as before, at 0.17 % false alarms for each value. With the spread known from ten like series 100 % and 89 %, at 0.33 %.
"""

import math

from detectors.budget import alpha_for
from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import CLIP, Record
from detectors.counts import MEAN_MAX, count_is_near, count_limits, is_count, learn_count, p_value_of_count
from detectors.numeric_layout import AS_IT_IS, COUNTED, FIRST, ROOT
from detectors.small_sample import NEAR, median_of_first, p_value_of, reach_at

MEMORY = 100
PRIOR_WEIGHT, PRIOR_SPREAD = 4.0, 0.2
SHARE = 0.65
TRUSTED = 0.0015
"""Few values say nothing of tails beyond this p-value: from there on it falls with the fourth power of t."""
TAIL_POWER = 4.0
COUNTS_DOUBTED = 50.0
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
    return SHARE * alpha_for(s.false_alarms_per_day, s.interval_s)


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
    t = (to_scale(s, x) - s.mean) / _spread(s)
    p_value = p_value_of(s, t, _freedom(s))
    if p_value >= TRUSTED:
        return p_value
    return TRUSTED * (reach_at(s, TRUSTED, _freedom(s)) / abs(t)) ** TAIL_POWER


@inner
def _count_trust(s: Record) -> float:
    """How far the logarithm of a small p-value of a count is believed."""
    return float(s.runs / (s.runs + COUNTS_DOUBTED))


@inner
def value_limits(s: Record) -> tuple[float, float, float]:
    """Expected, lower and upper of the next value, from FIRST values on."""
    alpha = alpha_of(s)
    beyond = min(alpha / TRUSTED, 1.0)
    if s.scale == COUNTED:
        believed = TRUSTED * max(beyond ** (1.0 / _count_trust(s)), 1e-200) if beyond < 1.0 else alpha
        return count_limits(s, believed)
    reach = reach_at(s, max(alpha, TRUSTED), _freedom(s)) * beyond ** (-1.0 / TAIL_POWER) * _spread(s)
    return from_scale(s, s.mean), from_scale(s, s.mean - reach), from_scale(s, s.mean + reach)


@inner
def learn_value(s: Record, x: float) -> None:
    """Learn a value, clipped."""
    if s.scale == COUNTED and not is_count(x):
        _leave_counts(s, x)
    if s.runs < FIRST:
        _learn_first(s, x)
    elif s.scale == COUNTED:
        learn_count(s, x)
    else:
        runs = min(s.runs, MEMORY)
        ordinary = clip(to_scale(s, x) - s.mean, CLIP * _spread(s))
        s.mean += ordinary / (runs + 1)
        s.squares += ordinary**2 * runs / (runs + 1)
        if s.runs >= MEMORY:
            s.squares *= MEMORY / (MEMORY + 1)
        s.runs += 1


@inner
def _leave_counts(s: Record, x: float) -> None:
    """No counts after all: the same mean and spread on another scale."""
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
