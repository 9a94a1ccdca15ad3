"""Drift of spread: whether the numbers at a path have come to be distributed in another way, with no change of unit.

What it detects: numbers that have moved, spread out or drawn together: larger orders, a sensor that is stuck at its limit, a default in place of half of the values. Zeros are left out.

Formula: the distance of Kolmogorov and Smirnov, D, between the last `NUMBERS_MIN` numbers or more and all before, at twenty quantiles of the first ones. It is a change when it is at least
`DISTANCE_MIN`, far larger than it ever was (`RISE`), no chance (2 exp(-2 D^2 n m / (n + m)), Massart, Ann. Probab. 18, 1990), and all that again in the next numbers. What has a season
has been far away before, so the first `WARM` looks only teach how far it goes. A distance that is not reached again is forgotten slowly.

At least the share D of the numbers has changed. Cost: some 20 us for each path of a block. State: 20 quantiles, three times as many counts.
"""

import math
from typing import Final

import numpy as np

from detectors.evidence import NOWHERE
from detectors.novelty import LOG_P_MAX, confidence
from detectors.ragged import Ints
from detectors.record_changes import Found
from detectors.record_tokens import HASH_BITS, SIZE_CODES, number_of, places_of_numbers
from detectors.record_values import Look
from detectors.value_state import Spread

CHANGE: Final = "distribution_changed"
NUMBERS_MIN: Final = 500
QUANTILES: Final = 20
DISTANCE_MIN: Final = 0.2
RISE: Final = 1.5
WARM: Final = 5
FORGET: Final = 0.999
REMEMBERED_MAX: Final = 50_000.0
_SMALLEST: Final = np.uint32(SIZE_CODES << HASH_BITS)


class SpreadJudge:
    """Judges the numbers at one path of a block, and has what is known learn them."""

    def __init__(self, path: str, spread: Spread, look: Look) -> None:
        self._path, self._spread, self._look = path, spread, look

    def judge(self) -> Found | None:
        """The change, if there is one."""
        first = np.searchsorted(self._look.tokens, _SMALLEST)
        spread, counts = self._spread, self._look.counts[first:]
        if not len(counts):
            return None
        places = places_of_numbers(self._look.tokens[first:])
        if not spread.edges:
            self._gather(places, counts)
            return None
        spread.recent = _sum(spread.recent, _binned(spread.edges, places, counts))
        if sum(spread.recent) < NUMBERS_MIN:
            return None
        recent, spread.recent = spread.recent, []
        return self._compare(recent, places, counts)

    def _gather(self, places: Ints, counts: Ints) -> None:
        """Wait for enough numbers to know their quantiles."""
        raw = self._spread.raw
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            raw[place] = raw.get(place, 0) + count
        if sum(raw.values()) >= NUMBERS_MIN:
            self._begin(np.array(sorted(raw)), np.array([raw[place] for place in sorted(raw)]))

    def _begin(self, places: Ints, counts: Ints) -> None:
        """Have these be known from now on."""
        spread, order = self._spread, np.argsort(places)
        places, counts = places[order], counts[order]
        edges = sorted({_quantile(places, counts, part / QUANTILES) for part in range(1, QUANTILES)})
        if edges[0] == places[0]:
            edges.insert(0, int(places[0]) - 1)
        spread.edges, spread.raw = edges, {}
        spread.counts = _binned(edges, places, counts)
        spread.recent, spread.held, spread.judged = [], [], 0

    def _compare(self, recent: list[float], places: Ints, counts: Ints) -> Found | None:
        spread = self._spread
        distance, log_p = _distance(spread.counts, recent)
        far = (
            distance >= max(DISTANCE_MIN, RISE * spread.peak) and log_p < LOG_P_MAX and spread.judged >= WARM
        )
        spread.judged += 1
        if not far:
            spread.peak = max(FORGET * spread.peak, distance)
            self._learn(_sum(spread.held, recent))
            return None
        seen = self._look.find(lambda tokens: tokens >> HASH_BITS >= SIZE_CODES)
        if not spread.held:
            spread.held, spread.first = recent, seen.first_place
            return None
        first, now = spread.first, _middle_half(places, counts)
        before = _middle_half(np.array([*spread.edges, spread.edges[-1]]), np.array(spread.counts))
        spread.peak = max(spread.peak, distance)
        self._begin(places, counts)
        share, sure = round(distance, 6), confidence(log_p)
        return Found(CHANGE, self._path, before, now, share, sure, first, seen.last_place)

    def _learn(self, counts: list[float]) -> None:
        spread = self._spread
        spread.counts, spread.held, spread.first = _sum(spread.counts, counts), [], NOWHERE
        if sum(spread.counts) > REMEMBERED_MAX:
            spread.counts = [count / 2 for count in spread.counts]


def _sum(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)] if one else other


def _binned(edges: list[int], places: Ints, counts: Ints) -> list[float]:
    bins = np.searchsorted(edges, places, side="left")
    return np.bincount(bins, weights=counts, minlength=len(edges) + 1).tolist()


def _distance(known: list[float], recent: list[float]) -> tuple[float, float]:
    """The distance of two distributions, and the logarithm of how likely it is by chance."""
    n, m = sum(known), sum(recent)
    distance = float(np.abs(np.cumsum(known) / n - np.cumsum(recent) / m).max())
    return distance, min(0.0, math.log(2) - 2 * distance**2 * n * m / (n + m))


def _quantile(places: Ints, counts: Ints, share: float) -> int:
    below = np.cumsum(counts)
    return int(places[int(np.searchsorted(below, share * below[-1]))])


def _middle_half(places: Ints, counts: Ints) -> str:
    """Between what the middle half of some numbers lies, in words."""
    order = np.argsort(places)
    low, high = (number_of(_quantile(places[order], counts[order], share)) for share in (0.25, 0.75))
    return f"{low:.3g} to {high:.3g}"
