"""The detectors that others use, each as a function from a series to a score for every sample.

A score is worked out before its sample is learned, except in `in_baseline_z`, whose fault that is. Higher is stranger; a missing
value (NaN) scores 0 and is not learned, and so does what comes before a method can judge. One configuration for every series: of
several tried on NAB the one that finds most there at Streamgauge's false alerts, which favours the peers.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

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


class Size:
    """The usual size of a series' values, for the floor of what is divided by: a mean of |x| that forgets slowly."""

    def __init__(self) -> None:
        self._size, self._count = 0.0, 0

    def add(self, x: float) -> None:
        self._count += 1
        self._size += max(0.002, 1 / self._count) * (abs(x) - self._size)

    def floor(self, share: float) -> float:
        """A share of the size, and never 0."""
        return max(share * self._size, 1e-9)


EWMA_RATE: Final = 0.005


def ewma_z(_times_ms: Times, values: Floats, rate: float = EWMA_RATE) -> Floats:
    """|x - m| / s with exponentially weighted mean and variance (Finch, Incremental calculation of weighted mean, 2009)."""
    out = np.zeros(len(values))
    mean, variance, count, size = 0.0, 0.0, 0, Size()
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        if count >= WARM_UP:
            out[i] = abs(x - mean) / max(math.sqrt(variance), size.floor(LEAST_SPREAD))
        share = max(rate, 1 / (count + 1))
        step = x - mean
        mean += share * step
        variance = (1 - share) * (variance + share * step * step)
        count += 1
        size.add(x)
    return out


SLOT_VISITS: Final = 60
SLOT_VISITS_MIN: Final = 8
RECENT: Final = 300
DEVIATIONS: Final = 2000
LEAST_MAD: Final = 0.1


class Recent:
    """The last so many values, also in order, so that their median costs little."""

    def __init__(self, most: int) -> None:
        self._most, self._arrived, self._ordered = most, deque[float](), list[float]()

    def __len__(self) -> int:
        return len(self._ordered)

    def add(self, x: float) -> None:
        if len(self._arrived) == self._most:
            del self._ordered[bisect_left(self._ordered, self._arrived.popleft())]
        self._arrived.append(x)
        insort(self._ordered, x)

    @property
    def median(self) -> float:
        """The middle value; there must be one."""
        count = len(self._ordered)
        return (self._ordered[(count - 1) // 2] + self._ordered[count // 2]) / 2


def seasonal_mad(times_ms: Times, values: Floats) -> Floats:
    """|x - median| / (1.4826 MAD).

    Median of the last 60 values of this hour of the week, before there are 8 of the last 300 values; MAD of the last
    2,000 such residuals.
    """
    out = np.zeros(len(values))
    slots = [Recent(SLOT_VISITS) for _ in range(WEEK_HOURS)]
    recent, deviations, size = Recent(RECENT), Recent(DEVIATIONS), Size()
    for i, (time_ms, x) in enumerate(zip(times_ms.tolist(), values.tolist(), strict=True)):
        if math.isnan(x):
            continue
        slot = slots[time_ms // HOUR_MS % WEEK_HOURS]
        basis = slot if len(slot) >= SLOT_VISITS_MIN else recent
        if len(basis):
            off = abs(x - basis.median)
            if len(deviations) >= WARM_UP:
                out[i] = off / max(1.4826 * deviations.median, size.floor(LEAST_MAD))
            deviations.add(off)
        slot.add(x)
        recent.add(x)
        size.add(x)
    return out


LEVEL_RATE, SEASON_RATE, SPREAD_RATE = 0.02, 0.2, 0.002


def interval_ms(times_ms: Times) -> float:
    """The usual time between samples, a day where there is but one."""
    return max(float(np.median(np.diff(times_ms[:1000]))), 1.0) if len(times_ms) > 1 else float(DAY_MS)


def season_length(times_ms: Times) -> int:
    """Samples of a day, or 7 where fewer than two come a day."""
    per_day = round(DAY_MS / interval_ms(times_ms))
    return per_day if per_day >= 2 else 7


def holt_winters(times_ms: Times, values: Floats) -> Floats:
    """|x - forecast| over its mean deviation: additive Holt-Winters without trend, a day as season (Winters, 1960).

    The first season starts level and season; judged from the second on.
    """
    length = season_length(times_ms)
    out = np.zeros(len(values))
    known = [(i, x) for i, x in enumerate(values.tolist()) if not math.isnan(x)]
    if len(known) <= length:
        return out
    first = [x for _, x in known[:length]]
    level, size = sum(first) / length, Size()
    season = [x - level for x in first]
    spread = math.sqrt(sum(it * it for it in season) / length)
    for count, (i, x) in enumerate(known):
        slot = count % length
        if count >= length:
            error = x - (level + season[slot])
            out[i] = abs(error) / max(spread, size.floor(LEAST_SPREAD)) if count >= WARM_UP else 0.0
            level = LEVEL_RATE * (x - season[slot]) + (1 - LEVEL_RATE) * level
            season[slot] = SEASON_RATE * (x - level) + (1 - SEASON_RATE) * season[slot]
            spread += max(SPREAD_RATE, 1 / (count + 1)) * (1.2533 * abs(error) - spread)
        size.add(x)
    return out


IN_BASELINE_DAYS: Final = 14
IN_BASELINE_POINTS: Final = 14, 500
"""Least and most."""


def in_baseline_z(times_ms: Times, values: Floats) -> Floats:
    """|x - mean| / s over the last n points, of which the judged one is one, as dbt-based tools do; at most (n - 1) / sqrt(n).

    n is what comes in 14 days, at least 14 and at most 500.
    """
    least, most = IN_BASELINE_POINTS
    points = min(max(round(IN_BASELINE_DAYS * DAY_MS / interval_ms(times_ms)), least), most)
    out = np.zeros(len(values))
    window: deque[float] = deque(maxlen=points)
    total = squares = 0.0
    for i, x in enumerate(values.tolist()):
        if math.isnan(x):
            continue
        if len(window) == points:
            total -= window[0]
            squares -= window[0] ** 2
        window.append(x)
        total, squares, count = total + x, squares + x * x, len(window)
        if count >= least:
            mean = total / count
            variance = (squares - count * mean * mean) / (count - 1)
            noise = 1e-12 * squares / count
            out[i] = abs(x - mean) / math.sqrt(variance) if variance > noise else 0.0
    return out


GAUSSIAN_WINDOW: Final = 1000


def gaussian_scorer(_times_ms: Times, values: Floats) -> Floats:
    """river.anomaly.GaussianScorer(window_size=1000): 2 |CDF - 0.5|; it fails on a rolling variance below 0 (rounding): 0 then."""
    untyped: Any = anomaly.GaussianScorer
    scorer = untyped(window_size=GAUSSIAN_WINDOW, grace_period=WARM_UP)
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


def half_space_trees(_times_ms: Times, values: Floats) -> Floats:
    """river.anomaly.HalfSpaceTrees on the value, scaled to 0..1 by the range so far."""
    forest: Any = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=1)
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
    Peer("EWMA z", 3.0, ewma_z, "exponentially weighted mean and deviation, rate 0.005"),
    Peer("seasonal median/MAD", 3.5, seasonal_mad, "median of the hour of the week, MAD of what is left"),
    Peer("Holt-Winters", 3.0, holt_winters, "additive, a day as season, rates 0.02 and 0.2"),
    Peer("River GaussianScorer", 0.9973, gaussian_scorer, "window of 1,000"),
    Peer("River HalfSpaceTrees", math.nan, half_space_trees, "25 trees of height 8, window of 250"),
    Peer("in-baseline z", 3.0, in_baseline_z, "last 14 days, at most 500 points, the judged one among them"),
)
