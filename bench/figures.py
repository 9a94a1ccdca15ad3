"""What is told of repeated measurements: the median, the spread, and ratios of what was measured in the same round."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Summary(NamedTuple):
    """The median of some values, and their least and greatest."""

    median: float
    least: float
    greatest: float


def summary(values: Sequence[float]) -> Summary | None:
    """The summary of values; None of none."""
    return Summary(median(values), min(values), max(values)) if values else None


def ratio(over: Sequence[float], under: Sequence[float]) -> Summary | None:
    """How many times `over` is `under`, round by round, because rounds differ more than contenders do within one.

    Where one side has fewer rounds, its last ones are missing and those of the other side are left out.
    """
    return summary([a / b for a, b in zip(over, under, strict=False) if b])


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
