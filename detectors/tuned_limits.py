"""Limits of a sample as a series is tuned: its direction, least effect and least volume."""

import math

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.numeric_layout import (
    DOWN,
    UP,
)


@inner
def edges_for(s: Record, expected: float, lower: float, upper: float) -> tuple[float, float]:
    """Lower and upper, no nearer to `expected` than the least effect, and NaN on a side that is not watched."""
    least_effect = s.min_effect * abs(expected)
    lower, upper = min(lower, expected - least_effect), max(upper, expected + least_effect)
    if abs(expected) < s.min_volume:
        lower, upper = min(lower, -s.min_volume), max(upper, s.min_volume)
    return (math.nan if s.direction == UP else lower), (math.nan if s.direction == DOWN else upper)


@inner
def is_outside(x: float, lower: float, upper: float) -> bool:
    """Whether a value lies outside its limits, of which one may be NaN."""
    return x < lower or x > upper
