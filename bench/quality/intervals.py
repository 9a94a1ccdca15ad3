"""Confidence intervals of what was counted."""

from typing import NamedTuple

from scipy.stats import beta, chi2


class Interval(NamedTuple):
    """From the least to the greatest plausible value."""

    low: float
    high: float


def poisson(count: int, confidence: float = 0.95) -> Interval:
    """The exact interval of the mean of a Poisson count (Garwood, Biometrika 28, 1936)."""
    tail = (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    return Interval(float(low), float(chi2.ppf(1 - tail, 2 * count + 2) / 2))


def share(count: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a share, `count` of `n` (Clopper and Pearson, Biometrika 26, 1934)."""
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, count, n - count + 1) if count else 0.0
    high = beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return Interval(float(low), float(high))
