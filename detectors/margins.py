"""Margins: how much later than usual something may come before it is overdue.

Delays have tails longer than a normal one. So the upper third of what was seen is judged by itself, as peaks over a threshold
with generalised Pareto excesses (Davison & Smith 1990). With k excesses of mean s above the threshold u, and c = 1/k plus a shape of
0.15, the next value exceeds u + s ((n alpha / k)^-c - 1) / c with probability alpha. At shape 0 that is the exact prediction for exponential
excesses, whose mean is not known better than k of them tell it; the shape is for heavier tails: simulated with 8 to 64 values at alpha 0.0027 and
0.0014 it realises 0.1 to 0.3 alpha on exponential delays, 0.7 to 1.2 on t(3) ones, 1.2 to 1.5 on log-normal ones (sigma 1). The greatest excess counts as three times the second at most, so that
one incident teaches little. Cost: some tens of operations.
"""

import numpy as np
import numpy.typing as npt

from detectors.budget import alpha_for
from detectors.compiled import inner

TAIL = 3
"""One in so many counts as tail."""
TAIL_MIN = 2
"""Fewer excesses count as so many."""
SHAPE = 0.15
WINSORISED = 3.0
BEYOND = 1.25
"""The limit lies so many times as far out as the second farthest, at least."""
MARGIN_MS_MIN = 300_000.0
EXCESS_PRIOR_MS = 60_000.0


@inner
def limit_of(ordered: npt.NDArray[np.float64], excess_prior: float, alpha: float) -> float:
    """What the next one exceeds with probability `alpha`, from sorted values; `excess_prior` is an excess seen before all others."""
    n = len(ordered)
    k = max((n + TAIL - 1) // TAIL, 1)
    threshold = ordered[max(n - 1 - k, 0)]
    second = ordered[n - 2] - threshold if n > 1 else 0.0
    excesses = excess_prior
    for i in range(n - k, n):
        excesses += min(ordered[i] - threshold, WINSORISED * second + excess_prior)
    curve = 1.0 / max(k, TAIL_MIN) + SHAPE
    return threshold + excesses / k * ((n * alpha / k) ** -curve - 1.0) / curve


@inner
def margins(
    distances: npt.NDArray[np.float64], interval_ms: float, false_alarms_per_day: float
) -> tuple[float, float]:
    """How much earlier and later than usual is ordinary, from sorted distances to the usual time.

    A run is expected every `interval_ms`. The later margin is 5 minutes or more.
    """
    n = len(distances)
    alpha = alpha_for(false_alarms_per_day, interval_ms / 1000.0)
    second = max(distances[max(n - 2, 0)], 0.0)
    late = max(limit_of(distances, EXCESS_PRIOR_MS, alpha), BEYOND * second, MARGIN_MS_MIN)
    return max(-distances[min(1, n - 1)], 0.0), late
