"""Student's t distribution for kernels: upper tail and its inverse, in plain arithmetic.

The tail is the regularised incomplete beta function, P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2), by its
continued fraction (DLMF 8.17.22) evaluated with Lentz's method. Relative error below 1e-10 for df up to 200.
"""

import math

from detectors.compiled import inner

_TINY = 1e-300
_TERMS_MAX = 300


@inner
def _continued_fraction(a: float, b: float, x: float) -> float:
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _TERMS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(value - before) <= 1e-13 * abs(value):
            break
    return value


@inner
def log_front(a: float, b: float) -> float:
    """The logarithm of 1 / B(a, b)."""
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


@inner
def beta_share(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 - x."""
    return _beta_share(a, b, x, rest, math.exp(log_front(a, b) + a * math.log(x) + b * math.log(rest)))


@inner
def _beta_share(a: float, b: float, x: float, rest: float, front: float) -> float:
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(a, b, x) / a
    return 1.0 - front * _continued_fraction(b, a, rest) / b


@inner
def upper_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t with `df` degrees of freedom."""
    if t == 0.0:
        return 0.5
    square = min(t * t, 1e250)
    half = 0.5 * beta_share(0.5 * df, 0.5, df / (df + square), square / (df + square))
    return half if t > 0 else 1.0 - half


@inner
def tail_and_slope(t: float, df: float, front: float) -> tuple[float, float]:
    """P(T > t) for t > 0, and how fast it falls with the logarithm of t; `front` is `log_front(df / 2, 1 / 2)`.

    With x = df / (df + t^2) the slope is -x^(df / 2) (1 - x)^(1 / 2) / B(df / 2, 1 / 2).
    """
    square = min(t * t, 1e250)
    x, rest = df / (df + square), square / (df + square)
    falls = math.exp(front + 0.5 * df * math.log(x) + 0.5 * math.log(rest))
    return 0.5 * _beta_share(0.5 * df, 0.5, x, rest, falls), -falls


@inner
def log_density(t: float, df: float) -> float:
    """Logarithm of the density of Student's t at `t`."""
    front = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi)
    return front - 0.5 * (df + 1.0) * math.log1p(t * t / df)


@inner
def upper_quantile(tail: float, df: float) -> float:
    """The t with P(T > t) = `tail`, 0 < tail <= 0.5: Newton on the log of the tail, kept in a bracket."""
    low, high, t = 0.0, math.inf, 2.0
    for _ in range(100):
        share = upper_tail(t, df)
        if share > tail:
            low = t
        else:
            high = t
        following = t + share * math.log(share / tail) / math.exp(log_density(t, df))
        if not low <= following <= high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * t
        if abs(following - t) <= 1e-12 * (1.0 + t):
            return following
        t = following
    return t
