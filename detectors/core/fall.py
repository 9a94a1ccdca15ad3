"""A fall that lasts, as an outage does: values one by one no rarer than the noise of a series may be, but several in a row.

With u = 2 log(1 + z), z the lesser of the deviations by which a value lies below the centres of both filters (0 if it lies above one of
them), the series is followed by a CUSUM (Page, Biometrika 41, 1954) that forgets a sixteenth with each sample, and starts anew once u is k or
less:

    W' = 15/16 W + u - k

exp(u) = (1 + z)^2, of which the values below the centres have a mean of less than e, if noise is independent and its variance is known from
clipped residuals, for tails up to those of t(3). So with k = 1 exp(W) is a supermartingale until it starts anew, and W reaches b no more than
once in exp(b) samples, whatever the tail (Lorden, Annals of Mathematical Statistics 42, 1971). One sample counts half of b at most, so it
takes three. At an hour that has a routine peak k is at least that peak less 1: what is expected of a weekend is too much for some weeks.

Only falls: many series burst upwards for some minutes, few of them downwards. An hour of day that is being seen for the first time has no
profile here: it would be that of the outage.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import Centres
from detectors.core.layout import FAST, HOUR_MS, HOURS, SLOW, Record

_USUAL, _BELOW_ROUTINE = 1.0, 1.0
_KEPT = 15 / 16
_SHARE = 0.1
"""Of the budget."""
_BAR_MIN = 2.0
_DAY_S, _HOUR_S = 86_400.0, 3600.0


@inner
def _bar(allowed: float, interval_s: float) -> float:
    """What W reaches in a share of the `allowed` false alarms a day."""
    return max(math.log(_DAY_S / (interval_s * allowed * _SHARE)), _BAR_MIN)


@inner
def _usual(hourly: float) -> float:
    return max(_USUAL, hourly - _BELOW_ROUTINE)


@inner
def known_centres(s: Record, centres: Centres, time_ms: int, interval_s: float) -> Centres:
    """The centres without an hour of day that has been seen for less than an hour."""
    if s.day_visits[time_ms // HOUR_MS % HOURS] * interval_s >= _HOUR_S:
        return centres
    return s.level[FAST], centres[1], s.level[SLOW], centres[3]


@inner
def fall_edge(s: Record, known: Centres, hourly: float, allowed: float, interval_s: float) -> float:
    """The value below which the next sample is one too many of a fall; minus infinity if none is.

    `known` are `known_centres`, `hourly` is the routine peak of the hour downwards, `allowed` are false alarms a day.
    """
    if s.fall == 0.0:
        return -math.inf
    bar = _bar(allowed, interval_s)
    wanted = max(bar - _KEPT * s.fall, 0.0)
    if wanted > 0.5 * bar:
        return -math.inf
    a, f, b, g = known
    deviations = math.expm1(0.5 * (_usual(hourly) + wanted))
    return float(min(a - deviations * f, b - deviations * g))


@inner
def follow_fall(
    s: Record, x: float, known: Centres, hourly: float, allowed: float, interval_s: float
) -> None:
    """Take in a sample; arguments as of `fall_edge`, which is to be asked for before."""
    a, f, b, g = known
    z = min((a - x) / f, (b - x) / g)
    grown = 2.0 * math.log1p(z) - _usual(hourly) if z > 0.0 else 0.0
    if grown <= 0.0:
        s.fall = 0.0
    else:
        bar = _bar(allowed, interval_s)
        s.fall = min(_KEPT * s.fall + min(grown, 0.5 * bar), 2.0 * bar)


@inner
def p_value_of_fall(s: Record, allowed: float, interval_s: float) -> float:
    """How likely a sample ends so long and deep a fall; 1 for one that does not alarm."""
    fallen = allowed > 0.0 and s.fall >= _bar(allowed, interval_s)
    return math.exp(-s.fall) if fallen else 1.0
