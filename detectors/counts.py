"""Tails of small counts: Poisson and negative binomial.

With mean m and overdispersion d the variance is m + d m^2: negative binomial with size r = 1 / d and success probability
r / (r + m), Poisson for d = 0 (Cameron and Trivedi, Regression Analysis of Count Data, 2nd ed., 3.3, "NB2").
P(X >= k) = I_{m / (r + m)}(k, r) and P(X <= k) = I_{r / (r + m)}(r, k + 1) (Johnson, Kemp, Kotz, Univariate Discrete Distributions,
3rd ed., 5.1), I the incomplete beta function. Below d = 1e-3 and for means up to some hundred, where that function is slow and a
Poisson's terms are few, they are summed: P(k) = P(k - 1) (m + d m (k - 1)) / (k (1 + d m)), which holds for both. Cost: some 0.3 us.
"""

import math

from detectors.compiled import inner
from detectors.student_t import beta_share

SUMMED_BELOW, SUMMED_MEAN_MAX = 1e-3, 500.0
OVERDISPERSION_MIN = 1e-9
TERMS_MAX = 5000
_SEARCH_MAX = 64


@inner
def _is_summed(mean: float, overdispersion: float) -> bool:
    return (overdispersion < SUMMED_BELOW and mean <= SUMMED_MEAN_MAX) or overdispersion < OVERDISPERSION_MIN


@inner
def count_at_most(x: float, mean: float, overdispersion: float) -> float:
    """P(X <= x)."""
    if x < 0.0:
        return 0.0
    if _is_summed(mean, overdispersion):
        k = math.floor(x) + 0.0
        return (
            1.0 - _sum_up(k + 1.0, mean, overdispersion) if k > mean else _sum_down(k, mean, overdispersion)
        )
    odds = overdispersion * mean
    return beta_share(1.0 / overdispersion, math.floor(x) + 1.0, 1.0 / (1.0 + odds), odds / (1.0 + odds))


@inner
def count_at_least(x: float, mean: float, overdispersion: float) -> float:
    """P(X >= x); small tails are exact."""
    if x <= 0.0:
        return 1.0
    if _is_summed(mean, overdispersion):
        k = math.ceil(x) + 0.0
        return (
            _sum_up(k, mean, overdispersion) if k > mean else 1.0 - _sum_down(k - 1.0, mean, overdispersion)
        )
    odds = overdispersion * mean
    return beta_share(math.ceil(x) + 0.0, 1.0 / overdispersion, odds / (1.0 + odds), 1.0 / (1.0 + odds))


@inner
def _ratio(k: float, mean: float, overdispersion: float) -> float:
    """P(k) / P(k - 1)."""
    return (mean + overdispersion * mean * (k - 1.0)) / (k * (1.0 + overdispersion * mean))


@inner
def _sum_down(k: float, mean: float, overdispersion: float) -> float:
    """P(X <= k) for k up to the mean."""
    term = total = _term_at(k, mean, overdispersion)
    while k > 0.0 and term > 1e-17 * total:
        term /= _ratio(k, mean, overdispersion)
        total += term
        k -= 1.0
    return min(total, 1.0)


@inner
def _sum_up(k: float, mean: float, overdispersion: float) -> float:
    """P(X >= k) for k above the mean."""
    term = total = _term_at(k, mean, overdispersion)
    while term > 1e-17 * total:
        k += 1.0
        term *= _ratio(k, mean, overdispersion)
        total += term
    return min(total, 1.0)


@inner
def _term_at(k: float, mean: float, overdispersion: float) -> float:
    if overdispersion < OVERDISPERSION_MIN:
        return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1.0))
    size, odds = 1.0 / overdispersion, overdispersion * mean
    front = math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1.0)
    return math.exp(front - size * math.log1p(odds) + k * (math.log(odds) - math.log1p(odds)))


@inner
def least_count(tail: float, mean: float, overdispersion: float) -> float:
    """The least x with P(X <= x) >= `tail`, which is below a half or so: what lies below is rarer than that."""
    least, most = 0.0, math.floor(mean) + 1.0
    while least < most:
        middle = math.floor(0.5 * (least + most)) + 0.0
        if count_at_most(middle, mean, overdispersion) < tail:
            least = middle + 1.0
        else:
            most = middle
    return least


@inner
def greatest_count(tail: float, mean: float, overdispersion: float) -> float:
    """The greatest x from the mean on with P(X >= x) >= `tail`."""
    low, high = math.floor(mean) + 0.0, math.floor(mean) + 1.0
    for _ in range(_SEARCH_MAX):
        if count_at_least(high, mean, overdispersion) < tail:
            break
        low, high = high, 2.0 * high
    while high - low > 1.0:
        middle = math.floor(0.5 * (low + high)) + 0.0
        if count_at_least(middle, mean, overdispersion) < tail:
            high = middle
        else:
            low = middle
    return low


__all__ = ["count_at_least", "count_at_most", "greatest_count", "least_count"]
