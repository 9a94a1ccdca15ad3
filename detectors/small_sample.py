"""Few samples: a predictive Student t on the logarithm, for runs (durations, rows, bytes) that come rarely.

What it detects: a run that is out of line with the few before it, from the sixth on. Values are taken as
y = sign(x) log1p(|x|), so a spread is a ratio; use a unit in which usual values are well above 1 (ms, rows, bytes).

Formula: with n runs learned, mean m and sum of squares Q, and a prior of 4 runs with a standard deviation of 0.2,
s^2 = (4 * 0.2^2 + Q) / (4 + n - 1) and t = (y - m) / (s sqrt(1 + 1/n)) is judged on 4 + n - 1 degrees of freedom, before y
is learned. This is the predictive distribution of a normal mean with a conjugate prior on the variance (Gelman et
al., Bayesian Data Analysis, 3rd ed., 3.3). Then y is learned, clipped to m plus and minus 3 s sqrt(1 + 1/n).

The first five runs are kept as they are and start the mean with their median: one incident among them does not count.
At most 50 runs are remembered, so a lasting new level is accepted. State: eight numbers of `numeric_layout.LIGHT`.
Score: mapped so that the threshold is reached where the p-value reaches alpha; see `budget`.

Once the core judges a series of runs, `p_value_of` its slow residual still has to meet alpha: the core's threshold was
measured on series with many samples an hour, and alone alarms on ordinary hourly runs twice a month.
"""

import math

from detectors.budget import alpha_for
from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import CLIP, Record
from detectors.numeric_layout import BOTH, FIRST, UP
from detectors.student_t import upper_quantile, upper_tail

MEMORY = 50
PRIOR_RUNS = 4
PRIOR_SPREAD = 0.2
NEAR = 2.75
"""P(Z > 2.75) = 0.00298 is above `budget.ALPHA_MAX`, and a Student t has heavier tails."""


@inner
def to_log_scale(x: float) -> float:
    """sign(x) log1p(|x|)."""
    return math.copysign(math.log1p(abs(x)), x)


@inner
def from_log_scale(y: float) -> float:
    """Inverse of `to_log_scale`."""
    return math.copysign(math.expm1(min(abs(y), 600.0)), y)


@inner
def degrees_of_freedom(runs: int) -> float:
    """Of the predictive t after `runs` runs."""
    return float(PRIOR_RUNS + min(runs, MEMORY) - 1)


@inner
def predictive_spread(s: Record) -> float:
    """Scale of the predictive t of the next run, on the log scale."""
    runs = min(s.runs, MEMORY)
    variance = (PRIOR_RUNS * PRIOR_SPREAD**2 + s.squares) / degrees_of_freedom(s.runs)
    return math.sqrt(variance * (1.0 + 1.0 / runs))


@inner
def p_value_of(s: Record, t: float, freedom: float) -> float:
    """P-value of a t, two-sided or on the one side that counts for this series."""
    if s.direction == BOTH:
        return 2.0 * upper_tail(abs(t), freedom)
    return upper_tail(t if s.direction == UP else -t, freedom)


@inner
def reach_at(s: Record, alpha: float, freedom: float) -> float:
    """The t at which this series' p-value is `alpha`."""
    return upper_quantile(0.5 * alpha if s.direction == BOTH else alpha, freedom)


@inner
def reach_of(s: Record, freedom: float) -> float:
    """The t at which this series' p-value is its alpha."""
    return reach_at(s, alpha_for(s.false_alarms_per_day, s.interval_s), freedom)


@inner
def run_limits(s: Record) -> tuple[float, float, float]:
    """Expected, lower and upper of the next run, from FIRST runs on."""
    reach = reach_of(s, degrees_of_freedom(s.runs)) * predictive_spread(s)
    return from_log_scale(s.mean), from_log_scale(s.mean - reach), from_log_scale(s.mean + reach)


@inner
def judge_run(s: Record, y: float) -> tuple[float, float, float, float]:
    """p-value, expected, lower and upper of a run `y` (log scale), from FIRST runs on."""
    p_value = p_value_of(s, (y - s.mean) / predictive_spread(s), degrees_of_freedom(s.runs))
    expected, lower, upper = run_limits(s)
    return p_value, expected, lower, upper


@inner
def cannot_alarm(s: Record, y: float) -> bool:
    """Whether `y` is so near that its p-value lies above any alpha: below 2.75 deviations, where even a normal tail does."""
    return abs(y - s.mean) < NEAR * predictive_spread(s)


@inner
def learn_run(s: Record, y: float) -> None:
    """Learn `y` (log scale), clipped."""
    if s.runs < FIRST:
        _learn_first(s, y)
        return
    runs = min(s.runs, MEMORY)
    ordinary = clip(y - s.mean, CLIP * predictive_spread(s))
    s.mean += ordinary / (runs + 1)
    s.squares += ordinary**2 * runs / (runs + 1)
    if s.runs >= MEMORY:
        s.squares *= MEMORY / (MEMORY + 1)
    s.runs += 1


@inner
def _learn_first(s: Record, y: float) -> None:
    s.first[s.runs] = y
    s.runs += 1
    s.mean = median_of_first(s)
    s.squares = 0.0
    for known in s.first[: s.runs]:
        s.squares += clip(known - s.mean, CLIP * PRIOR_SPREAD) ** 2


@inner
def median_of_first(s: Record) -> float:
    """The median of the first runs, found by rank: so few need no sorting, and a kernel that allocates waits."""
    low = high = math.nan
    known = min(s.runs, FIRST)
    for i in range(known):
        rank = 0
        for j in range(known):
            rank += s.first[j] < s.first[i] or (s.first[j] == s.first[i] and j < i)
        low = s.first[i] if rank == (known - 1) // 2 else low
        high = s.first[i] if rank == known // 2 else high
    return float(0.5 * (low + high))
