"""Drift of sizes: whether the numbers at a path have come to be in another unit.

What it detects: numbers that lie beyond their range, by a factor that is a unit: 10, 100, 1000, a million, a thousand million, 60 or 3600, up or down.

Formula: `novelty`. The numbers beyond the range are compared with the chances since it last grew by leaps, so what grows all the time is never news. The
range leaves out `EXTREMES` numbers at either end: the likelihood is that of k numbers beyond and those few to lie as they do, hence
times C(k + EXTREMES - 1, EXTREMES - 1). The factor is the distance of the means of logarithms from all that is known: of the numbers beyond, when the
range is narrower than the unit; else of all in the block from the first beyond on, which must be about as far from the block before: a season does not leap. What lies beyond and is no unit away widens the range.

Cost: some 5 us for each path of a block. State: `Sizes`.
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from detectors.evidence import Evidence, evidence_after
from detectors.novelty import CHANCES_MIN, LOG_P_MAX, SHARE_MIN, TIMES_MIN, confidence
from detectors.record_changes import Found
from detectors.record_tokens import HASH_BITS, PER_DECADE, SIZE_CODES, SIZES, size_of
from detectors.record_values import Chosen, Look, counted
from detectors.value_state import EXTREMES, Sizes, halved, middle_and_spread, range_of

NEARLY_ALL: Final = 0.99
UP, DOWN = 1, -1
SLACK: Final = 1
"""By so many sizes a range may grow and be no other one, and what lies so near is not beyond it."""
TOLERANCE: Final = 0.1
"""Decades."""
WIDER: Final = 1.5
"""Numbers in another unit spread no more than that many times as far as before, and the tolerance."""
UNITS: Final = (10, 60, 100, 1000, 3600, 1_000_000, 1_000_000_000)


class SizeJudge:
    """Judges the numbers at one path of a block, of so many payloads, and has what is known learn them."""

    def __init__(self, path: str, sizes: Sizes, look: Look, size: int) -> None:
        self._path, self._sizes, self._look, self._size = path, sizes, look, size

    def judge(self) -> Found | None:
        """The change of unit, if there is one."""
        sizes, counts = self._sizes, _by_size(self._look.codes)
        if not counts:
            return None
        found = self._judge(counts) if sizes.known else None
        sizes.known = sizes.known or counts
        sizes.latest, _ = middle_and_spread(counts)
        return found

    def _judge(self, counts: dict[int, float]) -> Found | None:
        sizes = self._sizes
        outside = {side: self._beyond(side, counts) for side in (UP, DOWN)}
        if not sizes.beyond and not any(outside.values()):
            self._learn(counts)
            return None
        sizes.recent = counted(sizes.recent, counts)
        for side, some in outside.items():
            if some or side in sizes.beyond:
                evidence = sizes.beyond.setdefault(side, evidence_after(sizes.settled.get(side, 0.0)))
                seen = self._look.find(_of_sizes(some)) if some else None
                evidence.gather(sum(counts.values()), sum(some.values()), seen, self._size)
                if some and _is_new(evidence):
                    return self._moved(side, evidence, self._look.find(_of_sizes(some)).first)
        if any(evidence.is_old for evidence in sizes.beyond.values()):
            self._settle()
        return None

    def _beyond(self, side: int, counts: dict[int, float]) -> dict[int, float]:
        """Those that lie beyond the range on one side."""
        low, high = range_of(self._sizes.known)
        is_beyond = high.__lt__ if side == UP else low.__gt__
        return {size: count for size, count in counts.items() if is_beyond(size - side * SLACK)}

    def _learn(self, counts: dict[int, float]) -> None:
        sizes = self._sizes
        low, high = range_of(sizes.known)
        sizes.known = halved(counted(sizes.known, counts))
        lower, higher = range_of(sizes.known)
        for side, grown in ((UP, higher - high), (DOWN, low - lower)):
            before = sizes.settled.get(side, 0.0)
            sizes.settled[side] = 0.0 if grown > SLACK else before + sum(counts.values())

    def _settle(self) -> None:
        """Learn what waited: numbers beyond the range, and all since."""
        recent, self._sizes.recent, self._sizes.beyond = self._sizes.recent, {}, {}
        self._learn(recent)

    def _begin(self, known: dict[int, float]) -> None:
        """Have this be known from now on."""
        sizes = self._sizes
        sizes.known, sizes.settled, sizes.recent, sizes.beyond = halved(known), {}, {}, {}

    def _moved(self, side: int, evidence: Evidence, first: int) -> Found | None:
        """The change, when numbers have moved by a unit; that they have moved is known then in any case."""
        sizes = self._sizes
        unit, now, share = self._unit(side, first)
        share = max(share, evidence.share)
        if unit is None:
            self._settle()
            return None
        self._begin(now if share >= NEARLY_ALL else counted(sizes.known, sizes.recent))
        to, sure = f"{unit}" if side == UP else f"1/{unit}", confidence(_log_p(evidence))
        return Found(
            "unit_changed", self._path, "1", to, round(share, 6), sure, evidence.first, evidence.last
        )

    def _unit(self, side: int, first: int) -> tuple[int | None, dict[int, float], float]:
        """The unit by which numbers have moved, those that have, and in which share of the records."""
        low, high = range_of(self._sizes.known)
        mean, spread = middle_and_spread(self._sizes.known)
        beyond = self._beyond(side, self._sizes.recent)
        unit = _nearest(side, mean, beyond, TOLERANCE)
        alike = bool(beyond) and middle_and_spread(beyond)[1] <= WIDER * spread + TOLERANCE
        if unit and alike and math.log10(unit) * PER_DECADE > high - low + SLACK:
            return unit, beyond, 0.0
        since = _by_size(self._look.codes_since(first))
        unit = _nearest(side, mean, since, TOLERANCE)
        leaps = unit is not None and unit == _nearest(side, self._sizes.latest, since, 2 * TOLERANCE)
        return unit if leaps else None, since, 1.0


def _is_new(evidence: Evidence) -> bool:
    enough = max(TIMES_MIN, SHARE_MIN * evidence.since)
    return evidence.times >= enough and evidence.before >= CHANCES_MIN and _log_p(evidence) < LOG_P_MAX


def _log_p(evidence: Evidence) -> float:
    """How likely all numbers beyond the range lie among the last, with but a few before."""
    few, k = EXTREMES - 1, evidence.times
    ways = math.lgamma(k + few + 1) - math.lgamma(k + 1) - math.lgamma(few + 1)
    return evidence.log_p + ways


def _nearest(side: int, before: float, sizes: dict[int, float], tolerance: float) -> int | None:
    """The unit that lies between a mean in decades and these sizes, as exactly as their own mean is known."""
    mean, spread = middle_and_spread(sizes)
    decades = side * (mean - before)
    unit = min(UNITS, key=lambda it: abs(math.log10(it) - decades))
    near = tolerance + 3 * spread / math.sqrt(sum(sizes.values()))
    return unit if abs(math.log10(unit) - decades) <= near else None


def _by_size(codes: dict[int, int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for code, count in codes.items():
        if code >= SIZE_CODES:
            found[size_of(code)] = found.get(size_of(code), 0.0) + count
    return found


def _of_sizes(sizes: Iterable[int]) -> Chosen:
    codes = [code for size in sizes for code in (SIZE_CODES + size, SIZE_CODES + SIZES + size)]
    return lambda tokens: np.isin(tokens >> HASH_BITS, codes)
