"""How far runs of one series may lie out, in plain Python: the formulas of `run_tails`. Student's t is scipy's."""

import math

import numpy as np
from scipy import stats

from detectors import run_tails as tails


def single(x: float) -> float:
    return float(np.float32(x))


def clip(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


class PlainTails:
    """Three widths, one for each weight of the tails, and how the noise leans; from how many `runs` they are known."""

    def __init__(self) -> None:
        self.runs, self.variance, self.evidence = 0.0, [0.0] * 3, [0.0] * 3
        self.strange, self.skew, self.prior_part = False, 0.0, 0.0

    def start(self, variance: float, prior: float) -> None:
        """Begin with a variance, of which a part is known before any run."""
        self.prior_part = single(prior)
        self.variance = [variance * scale**2 for scale in tails.RELATIVE_SCALE]
        self.evidence, self.skew = list(tails.PRIORS), 0.0

    def spread(self, k: int = 0) -> float:
        return math.sqrt(self.variance[k] + (tails.SPREAD_MIN * tails.RELATIVE_SCALE[k]) ** 2)

    def side(self, way: int) -> float:
        """How much wider than the spread one side is."""
        return math.sqrt(1 + clip(way * self.skew, tails.SKEW_MAX))

    def beyond(self, distance: float) -> float:
        """How likely a run lies farther out on one side."""
        known = min(self.runs - 1, 200)
        weights = np.exp(self.evidence)
        freedoms = 1 / (1 / np.array(tails.FREEDOMS) + 1 / known)
        scales = np.array([self.spread(k) for k in range(3)])
        return float(weights @ stats.t.sf(distance / scales, freedoms) / weights.sum())

    def learn(self, residual: float, rate: float, *, calm: bool) -> None:
        """Learn one residual; how the noise leans only while nothing lasts."""
        bound = self.spread()
        even = residual / self.side(1 if residual > 0 else -1)
        strange = abs(even) > tails.STRANGE * bound
        r = clip(even, tails.TAIL_CLIP * bound)
        alone = not (strange and self.strange)
        own = max(0.0, 1 - self.prior_part / bound**2)
        if alone and calm:
            leaning = math.copysign(min((residual / bound) ** 2, tails.LEAN_MAX), residual)
            self.skew = single(self.skew + (leaning - self.skew) / (1 / rate + tails.SKEW_RUNS))
        for k, freedom in enumerate(tails.FREEDOMS):
            self._learn_width(k, freedom, r, rate, own if alone else None)
        best = max(self.evidence)
        self.evidence = [max(it - best, -tails.EVIDENCE_RANGE) for it in self.evidence]
        self.prior_part = single(self.prior_part * (1 - rate))
        self.strange = strange

    def _learn_width(self, k: int, freedom: float, r: float, rate: float, own: float | None) -> None:
        scale = self.spread(k)
        if own is not None:
            density = float(stats.t.logpdf(r / scale, freedom)) - math.log(scale) + 0.5 * math.log(math.pi)
            forgotten = (tails.PRIORS[k] - self.evidence[k]) / tails.EVIDENCE_MEMORY
            self.evidence[k] += forgotten + own * density
        squared = (freedom + 1) * r * r / (freedom + (r / scale) ** 2)
        if k == 0:
            squared = min(r * r, tails.SQUARE_MAX * scale * scale)
        self.variance[k] += rate * (squared - self.variance[k])
