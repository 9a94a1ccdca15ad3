"""The noise of runs: how wide it is and how heavy its tails are, learned together from what comes.

Three shapes compete: Student t with 3, with 6 and with infinite degrees of freedom, on the log scale. Each has a scale of
its own, by the recursive form of its maximum-likelihood equation, v += g ((f + 1) r^2 / (f + r^2 / v) - v) (Lange, Little and
Taylor, JASA 84, 1989), so heavy tails do not widen it; and each is weighted by the likelihood it has earned (Bayesian model
averaging, Hoeting et al., Statistical Science 14, 1999). The p-value of a residual is the weighted mean of theirs. So nobody
chooses a tail: normal noise is judged by a normal tail once some hundred runs have shown it, t(3) noise by its own.

Residuals count clipped to 5 scales, and the run after a strange one does not count for the weights: heavy tails are runs
that come alone, an incident is runs that come together. The weights forget with a memory of 600 runs.

Few runs: the scale starts from a prior, worth some runs, and degrees of freedom are added in parallel,
1 / f' = 1 / f + 1 / (prior + n - 1), which is exact for normal noise.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import Record
from detectors.run_layout import TAILS
from detectors.student_t import upper_tail

FREEDOMS = (1e6, 6.0, 3.0)
PRIORS = (math.log(0.55), math.log(0.33), math.log(0.12))
RELATIVE_SCALE = (1.0, 0.8, 0.65)
"""Scale of each shape when all are fitted to the same noise, about: where they start."""
_FRONTS = tuple(
    math.lgamma(0.5 * (f + 1.0)) - math.lgamma(0.5 * f) - 0.5 * math.log(f)
    if f < 1e5
    else -0.5 * math.log(2.0)
    for f in FREEDOMS
)
TAIL_CLIP = 5.0
STRANGE = 3.0
EVIDENCE_MEMORY = 600.0
EVIDENCE_RANGE = 12.0
REACH_START, REACH_MAX = (0.5, 4.0), 1e4
GRID, CLOSE = 1e-3, 1e-4
SPREAD_MIN = 0.02
"""On the log scale: differences of 2 % are noise."""


@inner
def start_tails(m: Record, variance: float) -> None:
    """Begin with this variance for normal noise."""
    for k in range(TAILS):
        m.variance[k] = variance * RELATIVE_SCALE[k] ** 2
        m.evidence[k] = PRIORS[k]


@inner
def forget_tails(m: Record) -> None:
    """Begin anew with the weights, not with the scales."""
    for k in range(TAILS):
        m.evidence[k] = PRIORS[k]


@inner
def spread_of(m: Record, k: int) -> float:
    """Scale of one shape, with its floor."""
    return math.sqrt(m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2)


@inner
def learn_tails(m: Record, residual: float, rate: float) -> None:
    """Learn one residual."""
    bound = spread_of(m, 0)
    strange = abs(residual) > STRANGE * bound
    r = clip(residual, TAIL_CLIP * bound)
    counts = not (strange and m.strange > 0.0)
    best = -1e300
    for k in range(TAILS):
        freedom, variance = FREEDOMS[k], m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2
        square = r * r / variance
        if counts:
            density = (
                _FRONTS[k] - 0.5 * math.log(variance) - 0.5 * (freedom + 1.0) * math.log1p(square / freedom)
            )
            m.evidence[k] += (PRIORS[k] - m.evidence[k]) / EVIDENCE_MEMORY + density
        best = max(best, m.evidence[k])
        weighted = min(r * r, 9.0 * variance) if k == 0 else (freedom + 1.0) * r * r / (freedom + square)
        m.variance[k] += rate * (weighted - m.variance[k])
    for k in range(TAILS):
        m.evidence[k] = max(m.evidence[k] - best, -EVIDENCE_RANGE)
    m.strange = 1.0 if strange else 0.0


@inner
def tail_share(m: Record, distance: float, widening: float, known: float) -> float:
    """P(residual > distance >= 0): `widening` is variance on top of the noise's own, `known` the runs behind the scale."""
    total = share = 0.0
    for k in range(TAILS):
        weight = math.exp(m.evidence[k])
        freedom = 1.0 / (1.0 / FREEDOMS[k] + 1.0 / known)
        scale = math.sqrt((m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2) * (1.0 + widening))
        share += weight * upper_tail(distance / scale, freedom)
        total += weight
    return share / total


@inner
def reach_for(m: Record, tail: float, known: float) -> float:
    """The distance, in scales of normal noise, that is exceeded with probability `tail`, rounded up on a grid of 0.1 %.

    A tail costs a microsecond, so the crossing is found by secants (`_crossing`), and its place on the grid by bisection, for
    which the tail is only asked again where it is not clear.
    """
    target = math.log(tail)
    crossing = _crossing(m, target, known)
    low, high = REACH_START
    while _is_exceeded(m, high, crossing, target, known) and high < REACH_MAX:
        low, high = high, 2.0 * high
    while high - low >= GRID * low:
        middle = math.sqrt(low * high)
        if _is_exceeded(m, middle, crossing, target, known):
            low = middle
        else:
            high = middle
    return high


@inner
def _surplus(m: Record, distance: float, target: float, known: float) -> float:
    """The logarithm of how much more often than `target`, a logarithm too, a distance in scales of normal noise is exceeded."""
    return math.log(tail_share(m, distance * spread_of(m, 0), 0.0, known)) - target


@inner
def _is_exceeded(m: Record, distance: float, crossing: float, target: float, known: float) -> bool:
    """Whether a distance is exceeded more often than `target`, the logarithm of a probability."""
    if abs(distance - crossing) > 2.0 * CLOSE * crossing:
        return distance < crossing
    return _surplus(m, distance, target, known) > 0.0


@inner
def _crossing(m: Record, target: float, known: float) -> float:
    """Where a distance is exceeded as often as `target` says, within `CLOSE`: by secants on logarithms, kept in a bracket."""
    low, high = math.log(REACH_START[0]), math.log(2.0 * REACH_MAX)
    at = math.log(min(max(m.reach, REACH_START[1]), REACH_MAX))
    before = surplus_before = math.nan
    while True:
        surplus = _surplus(m, math.exp(at), target, known)
        if surplus > 0.0:
            low = at
        else:
            high = at
        slope = 2.0 * (surplus + target) if math.isnan(before) else (surplus - surplus_before) / (at - before)
        following = at - surplus / slope
        if not low <= following <= high:
            following = 0.5 * (low + high)
        if abs(following - at) < CLOSE:
            return math.exp(following)
        before, surplus_before, at = at, surplus, following
