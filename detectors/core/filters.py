"""Two Huber filters, fast and slow, each a level plus a seasonal profile: the expected value and its scale.

With x the sample, m the level, p the profile and f the scale (with its floor): z = (x - m - p) / f. Before anything is
learned the residual is clipped to 3 f, so one incident cannot move the state (Huber, Robust Statistics, 1981, ch. 8).
The profile is the mean by hour of day, shrunk towards none, moved towards the mean by hour of week as far as the hour
of week has made the clipped residuals smaller.
"""

import math

import numpy as np

from detectors.compiled import inner
from detectors.core.layout import (
    CLIP,
    DAILY,
    HALF_NORMAL,
    LEVEL_RATES,
    PROFILE_DAYS,
    PROFILE_ERROR_RATE,
    PROFILE_MAX,
    PROFILE_SHRINK,
    SCALE_FLOOR,
    SCALE_RATES,
    VISITS_KEPT,
    WARM_UP,
    WEEK_VISITS,
    WEEKLY,
    Record,
)

Centres = tuple[float, float, float, float]
"""Centre and scale of the fast filter, centre and scale of the slow one."""


@inner
def clip(value: float, bound: float) -> float:
    """`value` kept within plus and minus `bound`."""
    return min(max(value, -bound), bound)


@inner
def _fourth_power(error: float) -> float:
    return min(error, 1e70) ** 4


@inner
def visits_max(interval_s: float) -> float:
    """Samples of one hour of day within the memory of the profiles."""
    return max(2.0, PROFILE_DAYS * 3600.0 / interval_s)


@inner
def profile(s: Record, k: int, hour: int, week_hour: int, interval_s: float) -> tuple[float, float, float]:
    """Seasonal parts of filter `k`: by hour of day, by hour of week, and the blend that is used."""
    prior_visits = WEEK_VISITS * 3600.0 / interval_s
    most = visits_max(interval_s)
    day_visits = min(np.float64(s.day_visits[hour]), most)
    week_visits = min(np.float64(s.week_visits[week_hour]), most)
    by_day = np.float64(s.day_profile[k, hour]) * day_visits / (day_visits + PROFILE_SHRINK)
    by_week = (np.float64(s.week_profile[k, week_hour]) * week_visits + prior_visits * by_day) / (
        week_visits + prior_visits
    )
    earned = _fourth_power(s.day_error[k])
    blend = by_day + (by_week - by_day) * earned / (earned + _fourth_power(s.week_error[k]) + 1e-30)
    return by_day, by_week, blend


@inner
def filter_scale(s: Record, k: int) -> float:
    """Scale of filter `k`'s residuals with its floor, a share of the magnitude."""
    return float(s.scale[k] + SCALE_FLOOR * s.magnitude + 1e-9)


@inner
def learn_filter(
    s: Record, k: int, x: float, hour: int, week_hour: int, interval_s: float, scale: float
) -> float:
    """Learn `x` in filter `k`, as far as it is ordinary, and return its residual. `scale` is the filter's before `x`."""
    by_day, by_week, blend = profile(s, k, hour, week_hour, interval_s)
    bound = CLIP * scale if s.n >= WARM_UP // 2 else 1e300
    share = 1.0 / (s.n + 1)
    error_rate = max(PROFILE_ERROR_RATE, share)
    residual = x - s.level[k]
    s.day_error[k] += error_rate * (min(abs(residual - by_day), bound) - s.day_error[k])
    s.week_error[k] += error_rate * (min(abs(residual - by_week), bound) - s.week_error[k])
    ordinary = clip(residual - blend, bound)
    s.level[k] += max(LEVEL_RATES[k], share) * ordinary
    s.scale[k] += max(SCALE_RATES[k], share) * (HALF_NORMAL * abs(ordinary) - s.scale[k])
    _learn_profile(s, k, x - s.level[k], hour, week_hour, interval_s, 3.0 * bound)
    return float(residual - blend)


@inner
def _learn_profile(
    s: Record, k: int, residual: float, hour: int, week_hour: int, interval_s: float, bound: float
) -> None:
    most = visits_max(interval_s)
    day, week = np.float64(s.day_profile[k, hour]), np.float64(s.week_profile[k, week_hour])
    day += clip(residual - day, bound) / min(s.day_visits[hour] + 1.0, most)
    week += clip(residual - week, bound) / min(s.week_visits[week_hour] + 1.0, most)
    s.day_profile[k, hour] = clip(day, PROFILE_MAX)
    s.week_profile[k, week_hour] = clip(week, PROFILE_MAX)


@inner
def learn_visit(s: Record, hour: int, week_hour: int, interval_s: float, season: int) -> None:
    """Count a sample of an hour, as far as the memory of the profiles reaches, if the series may have such a profile."""
    most = min(math.ceil(visits_max(interval_s)), VISITS_KEPT)
    if season >= DAILY:
        s.day_visits[hour] = min(np.int64(s.day_visits[hour]) + 1, most)
    if season >= WEEKLY:
        s.week_visits[week_hour] = min(np.int64(s.week_visits[week_hour]) + 1, most)


@inner
def forget_visits(s: Record, season: int) -> None:
    """Have no profile that the series may not have: one without visits adds nothing."""
    if season < DAILY:
        s.day_visits[:] = 0
    if season < WEEKLY:
        s.week_visits[:] = 0


@inner
def surprise(x: float, centres: Centres) -> float:
    """One number for two residuals: log1p|z_fast| + log1p|z_slow|. 0 upwards."""
    a, f, b, g = centres
    return math.log1p(abs(x - a) / f) + math.log1p(abs(x - b) / g)
