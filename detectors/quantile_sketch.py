"""Quantile sketch: how many of some amounts had about which size, from which their quantiles are told to about one per cent.

Formula: an amount x is counted under ceil(log(x) / log(g)), g = (1 + a) / (1 - a), whose middle is no further than the share a from x (DDSketch: Masson, Rim,
Lee, VLDB 12, 2019); what is below 1 is counted as 0. Sketches are added by adding their counts, so a window may come in any number of pieces.

State: a few dozen counts for amounts within a factor of two; at most 1,080 for whole milliseconds up to 24 days.

>>> counts = counted({}, np.array([0, 10, 10, 500]))
>>> round(quantile(counts, 0.5)), round(quantile(counts, 1.0) / 500, 1), quantile(counts, 0.0)
(10, 1.0, 0.0)
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

ACCURACY: Final = 0.01
_GROWTH: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GROWTH: Final = math.log(_GROWTH)
NOTHING: Final = -1
"""Under which amounts below 1 are counted."""


def counted(counts: dict[int, int], amounts: npt.NDArray[np.int32]) -> dict[int, int]:
    """The counts with these amounts added, which are not negative."""
    if not amounts.any():
        return {**counts, NOTHING: counts.get(NOTHING, 0) + len(amounts)} if len(amounts) else counts
    places = np.ceil(np.log(np.maximum(amounts, 1)) / _LOG_GROWTH - 1e-9).astype(np.int64)
    places[amounts < 1] = NOTHING
    found, times = np.unique(places, return_counts=True)
    for place, count in zip(found.tolist(), times.tolist(), strict=True):
        counts[place] = counts.get(place, 0) + count
    return counts


def quantile(counts: dict[int, int], share: float) -> float:
    """The amount that so large a share of all does not exceed."""
    rank = share * (sum(counts.values()) - 1)
    places = sorted(counts)
    below = np.cumsum([counts[place] for place in places])
    place = places[int(np.searchsorted(below, rank, side="right"))]
    return 0.0 if place == NOTHING else 2 * _GROWTH**place / (_GROWTH + 1)
