"""The noise of runs: how wide it is and how heavy its tails are, learned together from what comes.

Three shapes compete: Student t with 3, with 6 and with infinite degrees of freedom, on the log scale. Each has a scale of
its own, by the recursive form of its maximum-likelihood equation, v += g ((f + 1) r^2 / (f + r^2 / v) - v) (Lange, Little and
Taylor, JASA 84, 1989), so heavy tails do not widen it; and each is weighted by the likelihood it has earned (Bayesian model
averaging, Hoeting et al., Statistical Science 14, 1999). The p-value of a residual is the weighted mean of theirs. So nobody
chooses a tail: normal noise is judged by a normal tail once some hundred runs have shown it, t(3) noise by its own.

Residuals count clipped to 5 scales, and the run after a strange one does not count for the weights: heavy tails are runs
that come alone, an incident is runs that come together. And they count only as far as the scale is the series' own: beside a prior that is
too wide, the shape with the narrowest scale always wins. The weights forget with a memory of 2,000 runs.

Noise may lean to one side, as log-normal noise does. `skew` is how much more of the squared residuals lies above than below, in
variances; a side with the share (1 + skew) / 2 of them has sqrt(1 + skew) times the scale, and the shape is common to both (a
two-piece distribution: Fernandez and Steel, JASA 93, 1998). It is learned as if 50 runs before had shown none. Lasting changes are
measured in the scale of the wider side, by which the mean stays 0.

Few runs: the scale starts from a prior, worth some runs, and degrees of freedom are added in parallel,
1 / f' = 1 / f + 1 / (prior + n - 1), which is exact for normal noise. The prior has to be wide, and most series vary far less: so each further run
counts for half as much again as its share, and for three quarters of a run (a mean with linearly growing weights), and the prior is soon forgotten.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import Record
from detectors.run_layout import TAILS
from detectors.shift import rising_or_falling
from detectors.student_t import front_of, tail_and_slope, upper_tail

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
TAIL_CLIP, SQUARE_MAX, LEAN_MAX = 5.0, 9.0, 16.0
STRANGE = 3.0
EVIDENCE_MEMORY = 2000.0
EVIDENCE_RANGE = 12.0
REACH_MIN, REACH_MAX, GRID = 0.5, 1e4, 5e-3
NEAR_MIN, LAST_STEP, CLEAR = 4.0, 4e-2, 1e-4
SKEW_RUNS, SKEW_MAX = 50.0, 0.6
SPREAD_MIN = 0.02
"""On the log scale: differences of 2 % are noise."""

Each = tuple[float, float, float]
Mixture = tuple[Each, Each, Each, Each]
"""Of each shape the degrees of freedom, the `front_of` of its tail, the weight and the scale."""


@inner
def start_tails(m: Record, variance: float, prior: float) -> None:
    """Begin with this variance for normal noise, of which so much is the prior's."""
    m.skew, m.prior_part = 0.0, prior
    for k in range(TAILS):
        m.variance[k] = variance * RELATIVE_SCALE[k] ** 2
        m.evidence[k] = PRIORS[k]


@inner
def spread_of(m: Record, k: int) -> float:
    """Scale of one shape, with its floor."""
    return math.sqrt(m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2)


@inner
def side_of(m: Record, residual: float) -> float:
    """How wide the side is that a residual lies on, over the spread of both."""
    return math.sqrt(1.0 + clip(m.skew if residual > 0.0 else -m.skew, SKEW_MAX))


@inner
def wider_side_of(m: Record) -> float:
    """How wide the wider side is, over the spread of both."""
    return math.sqrt(1.0 + min(abs(m.skew), SKEW_MAX))


@inner
def learn_tails(m: Record, residual: float, rate: float) -> None:
    """Learn one residual."""
    bound = spread_of(m, 0)
    even = residual / side_of(m, residual)
    strange = abs(even) > STRANGE * bound
    r = clip(even, TAIL_CLIP * bound)
    counts = not (strange and m.strange != 0)
    own = max(0.0, 1.0 - m.prior_part / (bound * bound))
    if counts and m.shifted == 0 and not rising_or_falling(m):
        leaning = math.copysign(min((residual / bound) ** 2, LEAN_MAX), residual)
        m.skew += rate / (1.0 + SKEW_RUNS * rate) * (leaning - m.skew)
    best = -1e300
    for k in range(TAILS):
        freedom, variance = FREEDOMS[k], m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2
        square = r * r / variance
        if counts:
            density = (
                _FRONTS[k] - 0.5 * math.log(variance) - 0.5 * (freedom + 1.0) * math.log1p(square / freedom)
            )
            m.evidence[k] += (PRIORS[k] - m.evidence[k]) / EVIDENCE_MEMORY + own * density
        best = max(best, m.evidence[k])
        weighted = (
            min(r * r, SQUARE_MAX * variance) if k == 0 else (freedom + 1.0) * r * r / (freedom + square)
        )
        m.variance[k] += rate * (weighted - m.variance[k])
    for k in range(TAILS):
        m.evidence[k] = max(m.evidence[k] - best, -EVIDENCE_RANGE)
    m.prior_part -= rate * m.prior_part
    m.strange = 1 if strange else 0


@inner
def _freedom_of(k: int, known: float) -> float:
    """Degrees of freedom of one shape, with `known` runs behind the scale."""
    return 1.0 / (1.0 / FREEDOMS[k] + 1.0 / known)


@inner
def _scale_of(m: Record, k: int, widening: float) -> float:
    return math.sqrt((m.variance[k] + (SPREAD_MIN * RELATIVE_SCALE[k]) ** 2) * (1.0 + widening))


@inner
def tail_share(m: Record, distance: float, widening: float, known: float) -> float:
    """P(residual > distance >= 0): `widening` is variance on top of the noise's own, `known` the runs behind the scale."""
    total = share = 0.0
    for k in range(TAILS):
        weight = math.exp(m.evidence[k])
        share += weight * upper_tail(distance / _scale_of(m, k, widening), _freedom_of(k, known))
        total += weight
    return share / total


@inner
def _mixture(m: Record, known: float) -> Mixture:
    freedoms = _freedom_of(0, known), _freedom_of(1, known), _freedom_of(2, known)
    fronts = front_of(freedoms[0]), front_of(freedoms[1]), front_of(freedoms[2])
    weights = math.exp(m.evidence[0]), math.exp(m.evidence[1]), math.exp(m.evidence[2])
    return freedoms, fronts, weights, (_scale_of(m, 0, 0.0), _scale_of(m, 1, 0.0), _scale_of(m, 2, 0.0))


@inner
def _log_tail(mixture: Mixture, distance: float) -> tuple[float, float, float]:
    """The logarithm of `tail_share`, and its first and second derivative by the logarithm of the distance."""
    freedoms, fronts, weights, scales = mixture
    total = share = slope = bend = 0.0
    for k in range(TAILS):
        freedom, t = freedoms[k], distance / scales[k]
        tail, falls = tail_and_slope(t, freedom, fronts[k])
        share += weights[k] * tail
        slope += weights[k] * falls
        bend += weights[k] * falls * (1.0 - (freedom + 1.0) * t * t / (freedom + t * t))
        total += weights[k]
    slope /= share
    return math.log(share / total), slope, bend / share - slope * slope


@inner
def _is_exceeded(m: Record, distance: float, tail: float, known: float) -> bool:
    """Whether `tail_share` of the noise alone is above `tail`: mostly the heaviest shape says so by itself."""
    left = tail * (math.exp(m.evidence[0]) + math.exp(m.evidence[1]) + math.exp(m.evidence[2]))
    for k in range(TAILS - 1, -1, -1):
        weight = math.exp(m.evidence[k])
        left -= weight * upper_tail(distance / _scale_of(m, k, 0.0), _freedom_of(k, known))
        if left < 0.0:
            return True
    return False


@inner
def reach_for(m: Record, tail: float, known: float, most: float) -> float:
    """The distance, in scales of normal noise, that is exceeded with probability `tail`, rounded up on a grid of 0.5 %, and `most` at most.

    The crossing is found by Halley's method (`_crossing`). Where it is so near to the grid that its error could decide, the tail there does.
    A reach that was not less than `most` before is asked first whether it still is: few runs allow hardly any bound.
    """
    unit = spread_of(m, 0)
    if (m.reach == 0.0 or m.reach >= most) and _is_exceeded(m, most * unit, tail, known):
        return most
    target, mixture = math.log(tail), _mixture(m, known)
    steps = math.log(_crossing(mixture, unit, target, m.reach) / REACH_MIN) / GRID
    nearest = math.floor(steps + 0.5)
    above = math.ceil(steps)
    if abs(steps - nearest) * GRID < CLEAR:
        is_exceeded = _log_tail(mixture, REACH_MIN * math.exp(GRID * nearest) * unit)[0] > target
        above = nearest + 1 if is_exceeded else nearest
    return min(REACH_MIN * math.exp(GRID * max(above, 1)), most)


@inner
def _crossing(mixture: Mixture, unit: float, target: float, near: float) -> float:
    """Where a distance in `unit` is exceeded as often as `target` says, well within `CLEAR`; it may be `near`.

    By Halley's method on logarithms, kept in a bracket; the error is about a third of the cube of the last step.
    """
    low, high = math.log(REACH_MIN), math.log(2.0 * REACH_MAX)
    at = math.log(min(max(near, NEAR_MIN), REACH_MAX))
    while high - low > CLEAR:
        share, slope, bend = _log_tail(mixture, math.exp(at) * unit)
        if share > target:
            low = at
        else:
            high = at
        newton = (target - share) / slope
        following = at + newton / max(1.0 + 0.5 * newton * bend / slope, 0.5)
        if abs(following - at) < LAST_STEP:
            return math.exp(following)
        at = following if low < following < high else 0.5 * (low + high)
    return math.exp(high)
