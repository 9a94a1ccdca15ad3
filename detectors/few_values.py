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

Measured (normal noise of 20 %, 14 values, then a drop by 80 %): found 95 % of the time with the noise in proportion, 77 % with noise
as before, at 0.24 % false alarms for each value.
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
def _prior_squares(s: Record) -> float:
    """Of the prior's values about their mean, at least what the first values say."""
    level = 0.5 * s.mean if s.scale == ROOT else s.mean  # the slope of the root at m^2 is 1 / (2 m)
    return PRIOR_WEIGHT * max((PRIOR_SPREAD * level) ** 2, (NORMAL_MEDIAN * _first_spread(s)) ** 2) + 1e-18


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
    return PRIOR_WEIGHT + min(s.runs, MEMORY) - 1.0


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
        return p_value_of_count(s, x)
    return p_value_of(s, (to_scale(s, x) - s.mean) / _spread(s), _freedom(s))


@inner
def value_limits(s: Record) -> tuple[float, float, float]:
    """Expected, lower and upper of the next value, from FIRST values on."""
    if s.scale == COUNTED:
        return count_limits(s, alpha_of(s))
    reach = reach_at(s, alpha_of(s), _freedom(s)) * _spread(s)
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
        CLIP * math.sqrt(_prior_squares(s) / PRIOR_WEIGHT)
        if s.scale != COUNTED
        else 3.0 * math.sqrt(s.mean) + 3.0
    )
    s.squares = 0.0
    for x in s.first:
        s.squares += clip(to_scale(s, x) - s.mean, bound) ** 2
