"""Small counts: the predictive negative binomial, for values that are whole numbers from 0 upwards and few.

What it detects: a count too high or too low for the counts before it, where a distance in standard deviations means nothing
(three errors where there are usually none). Poisson noise, overdispersed and zero-inflated counts differ in their index of
dispersion D = variance / mean, which is learned.

Formula: with n counts learned, mean m = (1/2 + sum) / (1 + n) and squares Q about it,
D = max(1, (3 * 2 m + Q) / ((2 + n) m)), the next count is negative binomial with mean m and variance V = D m (1 + 1/n),
see `counts`. The p-value is twice the smaller tail, or the tail on the one side that counts. D is shrunk
to 2 by 3 pseudo-counts. Then the count is learned, clipped to m + 3 sqrt(V) + 1. At most 1,000 counts are remembered.

Limits are whole numbers. State: `mean` and `squares` of `numeric_layout.LIGHT`.
"""

import math

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.counts import count_at_least, count_at_most, greatest_count, least_count
from detectors.numeric_layout import BOTH, UP

MEMORY = 1000
MEAN_MAX = 10.0
"""The first counts have at most this mean, or they are numbers like others."""
CORE_MEAN_MAX = 2.0
"""Up to this mean the core does not take over, unless the counts are all the same."""
_FLAT_SQUARES = 1e-3
_PRIOR_COUNTS, _PRIOR_DISPERSION = 3.0, 2.0
_NEAR = 1.5


@inner
def is_count(x: float) -> bool:
    """Whether a value may be a count."""
    return x >= 0.0 and x == math.floor(x)


@inner
def _mean(s: Record) -> float:
    n = float(min(s.runs, MEMORY))
    return float((0.5 + n * s.mean) / (1.0 + n))


@inner
def _variance(s: Record) -> float:
    n, mean = float(min(s.runs, MEMORY)), _mean(s)
    dispersion = (_PRIOR_COUNTS * _PRIOR_DISPERSION * mean + s.squares) / ((_PRIOR_COUNTS + n - 1.0) * mean)
    return max(dispersion, 1.0) * mean * (1.0 + 1.0 / n)


@inner
def _overdispersion(mean: float, variance: float) -> float:
    return (variance - mean) / (mean * mean)


@inner
def p_value_of_count(s: Record, k: float) -> float:
    """How likely the next count is so far out as `k`, on the sides that count."""
    mean = _mean(s)
    over = _overdispersion(mean, _variance(s))
    if s.direction == BOTH:
        return min(1.0, 2.0 * min(count_at_least(k, mean, over), count_at_most(k, mean, over)))
    return count_at_least(k, mean, over) if s.direction == UP else count_at_most(k, mean, over)


@inner
def count_is_near(s: Record, k: float) -> bool:
    """Whether `k` is so near to the mean that it cannot alarm."""
    return abs(k - _mean(s)) < _NEAR * math.sqrt(_variance(s))


@inner
def count_limits(s: Record, alpha: float) -> tuple[float, float, float]:
    """Expected, and the least and greatest counts whose p-value is above `alpha`."""
    mean = _mean(s)
    over = _overdispersion(mean, _variance(s))
    tail = 0.5 * alpha if s.direction == BOTH else alpha
    return mean, least_count(tail, mean, over), greatest_count(tail, mean, over)


@inner
def stays_counted(s: Record) -> bool:
    """Whether the counts are so small that a distance in deviations means nothing. Of a flat series any change is news."""
    return bool(s.mean <= CORE_MEAN_MAX and s.squares > _FLAT_SQUARES)


@inner
def learn_count(s: Record, k: float) -> None:
    """Learn a count, clipped."""
    runs = min(s.runs, MEMORY)
    off = min(k, _mean(s) + 3.0 * math.sqrt(_variance(s)) + 1.0) - s.mean
    s.mean += off / (runs + 1)
    s.squares += off * off * runs / (runs + 1)
    if s.runs >= MEMORY:
        s.squares *= MEMORY / (MEMORY + 1)
    s.runs += 1
