"""The detectors that others use, each as a function from a series to a score for every sample.

A score is worked out before its sample is learned, except in `in_baseline_z`, whose fault that is. Higher is stranger; a missing
value (NaN) scores 0 and is not learned, and so does what comes before a method can judge. All take one configuration for every series.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final, NamedTuple

import numpy as np
from river import anomaly

from bench.quality.stationary import DAY_MS, Floats, Times

WARM_UP: Final = 30
LEAST_SPREAD: Final = 0.01
"""Least spread that a score divides by, as a share of the usual size: flat series else score without bound."""
HOUR_MS: Final = 3_600_000
WEEK_HOURS: Final = 168


class Peer(NamedTuple):
    """A detector: name, the score at which its users usually alarm (NaN: there is no usual one), what it does."""

    name: str
    usual: float
    scores: Callable[[Times, Floats], Floats]
    formula: str


def ewma_z(times_ms: Times, values: Floats, rate: float = 0.05) -> Floats:
    """|x - m| / s with exponentially weighted mean and variance (Finch, Incremental calculation of weighted mean, 2009)."""
    out = np.zeros(len(values))
    mean, variance, count = math.nan, 0.0, 0
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        if count == 0:
            mean = x
        elif count >= WARM_UP:
            out[i] = abs(x - mean) / max(math.sqrt(variance), LEAST_SPREAD * abs(mean), 1e-9)
        share = max(rate, 1 / (count + 1))
        step = share * (x - mean)
        variance = (1 - share) * (variance + (x - mean) * step)
        mean += step
        count += 1
    return out


SLOT_VISITS: Final = 60
SLOT_VISITS_MIN: Final = 8
RECENT: Final = 300


class Recent:
    """The last so many values, also in order, so that their median costs little."""

    def __init__(self, most: int) -> None:
        self._most, self._arrived, self.ordered = most, deque[float](), list[float]()

    def add(self, x: float) -> None:
        if len(self._arrived) == self._most:
            del self.ordered[bisect_left(self.ordered, self._arrived.popleft())]
        self._arrived.append(x)
        insort(self.ordered, x)

    def spread_from(self, x: float) -> float:
        """|x - median| / (1.4826 MAD)."""
        middle = _middle(self.ordered)
        deviation = 1.4826 * median([abs(known - middle) for known in self.ordered])
        return abs(x - middle) / max(deviation, LEAST_SPREAD * abs(middle), 1e-9)


def _middle(ordered: list[float]) -> float:
    count = len(ordered)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def seasonal_mad(times_ms: Times, values: Floats) -> Floats:
    """|x - median| / (1.4826 MAD) over the last 60 values of this hour of the week, or before it has 8 over the last 300 values."""
    out = np.zeros(len(values))
    slots = [Recent(SLOT_VISITS) for _ in range(WEEK_HOURS)]
    recent = Recent(RECENT)
    for i, (time_ms, x) in enumerate(zip(times_ms.tolist(), values.tolist(), strict=True)):
        if math.isnan(x):
            continue
        slot = slots[time_ms // HOUR_MS % WEEK_HOURS]
        basis = slot if len(slot.ordered) >= SLOT_VISITS_MIN else recent
        if len(recent.ordered) >= WARM_UP or basis is slot:
            out[i] = basis.spread_from(x)
        slot.add(x)
        recent.add(x)
    return out


LEVEL_RATE, TREND_RATE, SEASON_RATE = 0.1, 0.0035, 0.1


def season_length(times_ms: Times) -> int:
    """Samples of a day, or 7 where fewer than two come a day."""
    step = float(np.median(np.diff(times_ms[:1000]))) if len(times_ms) > 1 else DAY_MS
    per_day = round(DAY_MS / max(step, 1.0))
    return per_day if per_day >= 2 else 7


def holt_winters(times_ms: Times, values: Floats) -> Floats:
    """|x - forecast| over the seasonal deviation: additive Holt-Winters with Brutlag's bands (LISA 2000), one day a season.

    Level, trend and season as in Brutlag's formulas 2 to 4, deviation as in 5; the first season starts them.
    """
    length = season_length(times_ms)
    out = np.zeros(len(values))
    known = [(i, x) for i, x in enumerate(values.tolist()) if not math.isnan(x)]
    first = [x for _, x in known[:length]]
    if len(known) <= length:
        return out
    level, trend = sum(first) / length, 0.0
    season = [x - level for x in first]
    spread = math.sqrt(sum(it * it for it in season) / length)
    deviation = [spread] * length
    for count, (i, x) in enumerate(known[length:], length):
        slot = count % length
        forecast = level + trend + season[slot]
        error = x - forecast
        if count >= 2 * length:
            out[i] = abs(error) / max(deviation[slot], LEAST_SPREAD * abs(forecast), 1e-9)
        before = level
        level = LEVEL_RATE * (x - season[slot]) + (1 - LEVEL_RATE) * (level + trend)
        trend = TREND_RATE * (level - before) + (1 - TREND_RATE) * trend
        season[slot] = SEASON_RATE * (x - level) + (1 - SEASON_RATE) * season[slot]
        deviation[slot] = SEASON_RATE * abs(error) + (1 - SEASON_RATE) * deviation[slot]
    return out


IN_BASELINE: Final = 14


def in_baseline_z(times_ms: Times, values: Floats, points: int = IN_BASELINE) -> Floats:
    """|x - mean| / s over the last 14 points, of which the judged one is one, as dbt-based tools do; at most 13 / sqrt(14)."""
    out = np.zeros(len(values))
    window: deque[float] = deque(maxlen=points)
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        window.append(x)
        if len(window) == points:
            mean = sum(window) / points
            variance = sum((it - mean) ** 2 for it in window) / (points - 1)
            out[i] = abs(x - mean) / math.sqrt(variance) if variance > 0 else 0.0
    return out


GAUSSIAN_WINDOW: Final = 1000


def gaussian_scorer(times_ms: Times, values: Floats) -> Floats:
    """river.anomaly.GaussianScorer(window_size=1000): 2 |CDF - 0.5|; it fails on a rolling variance below 0 (rounding): 0 then."""
    scorer = anomaly.GaussianScorer(window_size=GAUSSIAN_WINDOW, grace_period=WARM_UP)
    out = np.zeros(len(values))
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        try:
            out[i] = scorer.score_one(None, x)
        except (TypeError, ValueError):
            out[i] = 0.0
        scorer.learn_one(None, x)
    return np.nan_to_num(out)


def half_space_trees(times_ms: Times, values: Floats) -> Floats:
    """river.anomaly.HalfSpaceTrees on the value, scaled to 0..1 by the range so far."""
    forest = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=1)
    out = np.zeros(len(values))
    least = greatest = math.nan
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        least = x if math.isnan(least) else min(least, x)
        greatest = x if math.isnan(greatest) else max(greatest, x)
        place = {"x": (x - least) / (greatest - least) if greatest > least else 0.5}
        out[i] = forest.score_one(place)
        forest.learn_one(place)
    return out


PEERS: Final = (
    Peer("EWMA z", 3.0, ewma_z, "exponentially weighted mean and deviation, rate 0.05"),
    Peer("seasonal median/MAD", 3.5, seasonal_mad, "median and MAD of the hour of the week"),
    Peer("Holt-Winters", 3.0, holt_winters, "additive, a day as season, Brutlag's deviation"),
    Peer("River GaussianScorer", 0.9973, gaussian_scorer, "window of 1,000"),
    Peer("River HalfSpaceTrees", math.nan, half_space_trees, "25 trees of height 8, window of 250"),
    Peer("in-baseline z", 3.0, in_baseline_z, "last 14 points, the judged one among them"),
)
