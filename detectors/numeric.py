"""A bank of numeric series: settings and state of many series side by side, judged one sample or one batch at a time.

The heads live in `small_sample` (few runs) and `core` (everything else); the kernels that choose between them in
`numeric_kernels`; storing and loading in `numeric_blocks`. Nothing here reads a clock or is random: the same samples in
the same order give the same judgements, however they are cut into batches.
"""

import heapq
import math
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import numeric_blocks as blocks
from detectors import numeric_kernels as kernels
from detectors import numeric_layout as codes
from detectors.budget import FALSE_ALARMS_PER_DAY, threshold_for
from detectors.core.layout import DEEP, Records
from detectors.numeric_layout import JUDGEMENT, LIGHT

_CAPACITY_START = 64
_GROWTH = 1.5
_BLOCK_SLOTS = 256


class Kind(IntEnum):
    """What a series measures."""

    VALUES = codes.VALUES
    """Any number at a regular pace: the core alone."""
    RUNS = codes.RUNS
    """A positive quantity of each run (duration, rows, bytes), on a log scale: the t head, then the core."""


class Direction(IntEnum):
    """The side on which a sample may be anomalous."""

    BOTH = codes.BOTH
    UP = codes.UP
    DOWN = codes.DOWN


class Method(IntEnum):
    """Who judged."""

    REFUSED = codes.REFUSED
    """Nobody: the value was NaN or infinite, and was not learned."""
    SMALL_SAMPLE_T = codes.SMALL_SAMPLE_T
    HUBER_ROUTINE = codes.HUBER_ROUTINE


class Judgement(NamedTuple):
    """What a bank thinks of one sample, before having learned it. NaN stands for "not known"."""

    score: float
    """0 upwards; from the series' threshold on (4.4 with the default budget, up to 1 more in its first two days) anomalous."""
    expected: float
    lower: float
    """Least value that would not be anomalous; NaN while warming up and when only `Direction.UP` counts."""
    upper: float
    p_value: float
    """NaN when the core has judged values: it has none."""
    n: int
    """Samples learned before this one."""
    since_ms: int
    """Time of the first of them."""
    interval_s: float
    """Usual time from one sample to the next."""
    method: int
    """One of `Method`."""
    anomalous: bool
    """The score reaches the threshold, on a side that counts, by at least the least effect."""
    warming: bool
    """Fewer than 100 samples were known."""


class Limits(NamedTuple):
    """The values that a series would take without being anomalous; NaN stands for "not known"."""

    expected: float
    lower: float
    upper: float


class NumericBank:
    """Many numeric series, each in a slot, judged online.

    A slot costs `bytes_light` bytes, and `bytes_deep` more once the core has begun to learn it: at once for
    `Kind.VALUES`, after 50 samples for `Kind.RUNS`.

    >>> bank = NumericBank()
    >>> slot = bank.add(Kind.RUNS)
    >>> days = [bank.judge(slot, day * 86_400_000, 300_000.0 + day) for day in range(10)]
    >>> bank.judge(slot, 10 * 86_400_000, 3_000_000.0).anomalous
    True
    """

    bytes_light = LIGHT.itemsize
    bytes_deep = DEEP.itemsize

    def __init__(self) -> None:
        self._light: Records = np.zeros(_CAPACITY_START, LIGHT)
        self._deep: Records = np.zeros(_CAPACITY_START, DEEP)
        self._free = list(range(_CAPACITY_START))

    def add(
        self,
        kind: Kind = Kind.VALUES,
        *,
        direction: Direction = Direction.BOTH,
        false_alarms_per_day: float = FALSE_ALARMS_PER_DAY,
        min_effect: float = 0.0,
    ) -> int:
        """Make room for a series and return its slot, the lowest free one.

        Raises:
            ValueError: the budget is not above 0, or the least effect (a share of the expected value) is negative.
        """
        _check(false_alarms_per_day, min_effect)
        if not self._free:
            self._grow()
        slot = heapq.heappop(self._free)
        self._light[slot]["kind"] = kind
        self._set(slot, direction, false_alarms_per_day, min_effect)
        return slot

    def configure(
        self, slot: int, *, direction: Direction, false_alarms_per_day: float, min_effect: float
    ) -> None:
        """Change the settings of a series and keep what it has learned.

        Raises:
            IndexError: no series has this slot.
            ValueError: as `add`.
        """
        _check(false_alarms_per_day, min_effect)
        self._require(slot)
        self._set(slot, direction, false_alarms_per_day, min_effect)

    def release(self, slot: int) -> None:
        """Forget a series; its slot may be given to another one.

        Raises:
            IndexError: no series has this slot.
        """
        self._require(slot)
        if self._deep[slot]["n"]:
            self._deep[slot] = np.zeros((), DEEP)
        self._light[slot] = np.zeros((), LIGHT)
        heapq.heappush(self._free, slot)

    def __len__(self) -> int:
        """Series in the bank."""
        return len(self._light) - len(self._free)

    @property
    def size_bytes(self) -> int:
        """Memory in use by light and deep state, free slots included."""
        return self._light.nbytes + int(np.count_nonzero(blocks.has_core(self._light))) * self.bytes_deep

    def judge(self, slot: int, time_ms: int, value: float) -> Judgement:
        """Judge a sample, then learn it as far as it is ordinary. NaN and infinity are refused and change nothing.

        Raises:
            IndexError: no series has this slot.
        """
        return Judgement._make(kernels.judge(self._light, self._deep, slot, time_ms, value))

    def judge_many(self, slots: npt.ArrayLike, times_ms: npt.ArrayLike, values: npt.ArrayLike) -> Records:
        """Judge and learn samples of any slots in the order given, as that many calls of `judge` would.

        Args:
            slots: slot of each sample.
            times_ms: event time of each sample.
            values: value of each sample.

        Returns:
            An array of `numeric_layout.JUDGEMENT`, one element a sample.

        Raises:
            ValueError: the lengths differ.
            IndexError: no series has one of the slots; then no sample has been judged.
        """
        where = np.ascontiguousarray(slots, np.int64)
        when = np.ascontiguousarray(times_ms, np.int64)
        what = np.ascontiguousarray(values, np.float64)
        if not where.ndim == when.ndim == what.ndim == 1 or not len(where) == len(when) == len(what):
            raise ValueError(
                f"slots, times and values differ in shape: {where.shape}, {when.shape}, {what.shape}"
            )
        for slot in np.unique(where):
            self._require(int(slot))
        out = np.zeros(len(where), JUDGEMENT)
        kernels.judge_many(self._light, self._deep, where, when, what, out)
        return out

    def limits(self, slot: int, time_ms: int) -> Limits:
        """What the series would take at `time_ms` without being anomalous. Learns nothing.

        For a value that is not novel, and with the routine peaks as of the series' last sample; `judge` says the
        same of such a value, but for the first sample of each two hours, with which the routine peaks move on.

        Raises:
            IndexError: no series has this slot.
        """
        return Limits._make(kernels.limits(self._light, self._deep, slot, time_ms))

    def dump_blocks(self) -> dict[str, bytes]:
        """The whole state as bytes by block name; a block in which nothing changed has the same bytes again."""
        return blocks.dump(self._light, self._deep, _BLOCK_SLOTS)

    def load_blocks(self, dumped: Mapping[str, bytes]) -> None:
        """Take over a dumped state in place of the present one; slots keep their numbers.

        Raises:
            ValueError: a block is missing or damaged, or another version wrote it; the present state is kept.
        """
        self._light, self._deep = blocks.load(dumped)
        self._free = np.flatnonzero(self._light["kind"] == codes.FREE).tolist()

    def _set(self, slot: int, direction: Direction, false_alarms_per_day: float, min_effect: float) -> None:
        series = self._light[slot]
        series["direction"] = direction
        series["false_alarms_per_day"] = false_alarms_per_day
        series["threshold"] = threshold_for(false_alarms_per_day)
        series["min_effect"] = min_effect

    def _require(self, slot: int) -> None:
        if not 0 <= slot < len(self._light) or self._light[slot]["kind"] == codes.FREE:
            raise IndexError(f"no series has slot {slot}")

    def _grow(self) -> None:
        before, capacity = len(self._light), int(len(self._light) * _GROWTH)
        light, deep = np.zeros(capacity, LIGHT), np.zeros(capacity, DEEP)
        earned = np.flatnonzero(blocks.has_core(self._light))
        light[:before] = self._light
        deep[earned] = self._deep[earned]
        self._light, self._deep = light, deep
        self._free = list(range(before, capacity))


def _check(false_alarms_per_day: float, min_effect: float) -> None:
    threshold_for(false_alarms_per_day)
    if not (math.isfinite(min_effect) and min_effect >= 0):
        raise ValueError(f"a least effect must be a share of 0 or more, not {min_effect}")
