"""A Student t by which the next value is predicted: its p-value, and how far a value may lie out, on the sides that count for a series.

Used by the head for few values, see there for its scale and degrees of freedom. State: `first` of `numeric_layout.LIGHT`.
"""

import math

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.numeric_layout import BOTH, FIRST, UP
from detectors.student_t import upper_quantile, upper_tail

NEAR = 2.75
"""P(Z > 2.75) = 0.00298 is above `budget.ALPHA_MAX`, and a Student t has heavier tails."""


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
def median_of_first(s: Record) -> float:
    """The median of the first values, found by rank: so few need no sorting, and a kernel that allocates waits."""
    low = high = math.nan
    known = min(s.runs, FIRST)
    for i in range(known):
        rank = 0
        for j in range(known):
            rank += s.first[j] < s.first[i] or (s.first[j] == s.first[i] and j < i)
        low = s.first[i] if rank == (known - 1) // 2 else low
        high = s.first[i] if rank == known // 2 else high
    return float(0.5 * (low + high))
