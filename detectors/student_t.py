"""Student's t distribution for kernels: upper tail and its inverse, in plain arithmetic.

The tail is the regularised incomplete beta function, P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2), by its
continued fraction (DLMF 8.17.22), by the recurrence of its convergents, which hardly divides. Relative error below 1e-10 for df up
to 200. What stands before the fraction needs 1 / B(df/2, 1/2), which is asked for too often for three logarithms of gamma functions:
it comes from a series.
"""

import math

from detectors.compiled import inner

_TERMS_MAX = 300
_LARGE = 1e100
_SERIES_FROM = 8.0
_SERIES = (1.0 / 2**6, -19.0 / 2**13, 631.0 / 2**19, -174317.0 / 2**27)


@inner
def _continued_fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d1 / (1 + d2 / ...)) by its convergents over / under, two at a time (DLMF 1.12.5)."""
    over, under, next_over, next_under = 0.0, 1.0, 1.0, 1.0
    for m in range(_TERMS_MAX):
        middle = a + 2 * m + 1
        odd = -(a + m) * (a + b + m) * x / ((middle - 1.0) * middle)
        even = (m + 1) * (b - m - 1) * x / (middle * (middle + 1.0))
        over, under = next_over + odd * over, next_under + odd * under
        next_over, next_under = over + even * next_over, under + even * next_under
        if abs(next_over * under - over * next_under) <= 1e-13 * abs(over * next_under):
            break
        if abs(next_under) > _LARGE:
            over, under = over / _LARGE, under / _LARGE
            next_over, next_under = next_over / _LARGE, next_under / _LARGE
    return next_over / next_under


@inner
def front_of(df: float) -> float:
    """1 / B(df / 2, 1 / 2) to 11 digits.

    That is Gamma(a + 1/2) / Gamma(a) over the root of pi, a = df / 2: a series in w = a - 1/4 (DLMF 5.11.14), once
    a is large enough, to which it goes by Gamma(a + 1) = a Gamma(a).
    """
    a, above, below = 0.5 * df, 1.0, 1.0
    while a < _SERIES_FROM:
        above *= a
        below *= a + 0.5
        a += 1.0
    w = a - 0.25
    u = 1.0 / (w * w)
    series = 1.0 + u * (_SERIES[0] + u * (_SERIES[1] + u * (_SERIES[2] + u * _SERIES[3])))
    return above / below * math.sqrt(w / math.pi) * series


@inner
def beta_share(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 - x."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return _beta_share(a, b, x, rest, math.exp(log_front + a * math.log(x) + b * math.log(rest)))


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
    half, _ = tail_and_slope(abs(t), df, front_of(df))
    return half if t > 0 else 1.0 - half


@inner
def tail_and_slope(t: float, df: float, front: float) -> tuple[float, float]:
    """P(T > t) for t > 0, and how fast it falls with the logarithm of t; `front` is `front_of(df)`.

    With x = df / (df + t^2) the slope is -x^(df / 2) (1 - x)^(1 / 2) / B(df / 2, 1 / 2).
    """
    square = min(t * t, 1e250)
    x, rest = df / (df + square), square / (df + square)
    falls = front * math.exp(0.5 * df * math.log(x)) * math.sqrt(rest)
    return 0.5 * _beta_share(0.5 * df, 0.5, x, rest, falls), -falls


@inner
def log_density(t: float, df: float) -> float:
    """Logarithm of the density of Student's t at `t`."""
    return math.log(front_of(df) / math.sqrt(df)) - 0.5 * (df + 1.0) * math.log1p(t * t / df)


@inner
def upper_quantile(tail: float, df: float) -> float:
    """The t with P(T > t) = `tail`, 0 < tail <= 0.5: Newton on the log of the tail, kept in a bracket."""
    low, high, t, front = 0.0, math.inf, 2.0, front_of(df)
    for _ in range(100):
        share, slope = tail_and_slope(t, df, front)
        if share > tail:
            low = t
        else:
            high = t
        following = t - t * share * math.log(share / tail) / slope
        if not low <= following <= high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * t
        if abs(following - t) <= 1e-12 * (1.0 + t):
            return following
        t = following
    return t
