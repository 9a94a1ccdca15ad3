"""A bank of numeric series: settings and state of many series side by side, judged one sample or one batch at a time.

The heads live in `run_head` (runs) and `value_head` (values: `few_values`, `few_counts` and `core`), the kernels that choose
between them in `numeric_kernels`. Nothing here reads a clock or is random: the same samples in the same order give the same judgements,
however they are cut into batches.
"""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import numeric_kernels as kernels
from detectors import numeric_layout as codes
from detectors import numeric_slots
from detectors.budget import FALSE_ALARMS_PER_DAY, threshold_for
from detectors.core.layout import DEEP, Records
from detectors.local_time import ZONE, zone_record
from detectors.numeric_layout import JUDGEMENT, LIGHT, TUNED, YOUNG
from detectors.pools import POOL, POOLS
from detectors.record_array import RecordArray
from detectors.run_layout import RUN_MODEL
from detectors.settings import AMONG_MAX, SEASONS, UTC, Persistence, Season

VERSION = 18
"""Of the layout of stored state: changes with any change of a dtype or of what a field means."""
HEAD = "bank"
_TOPS = codes.LIGHT_TOP, codes.DEEP_TOP, codes.YOUNG_TOP, codes.MODEL_TOP
EACH = Persistence(1, 1)
"""Every sample that crosses its limits is anomalous."""


class Kind(IntEnum):
    """What a series measures."""

    VALUES = codes.VALUES
    """Any number: the head for few values, or for small counts, then the core."""
    RUNS = codes.RUNS
    """A positive quantity of each run (duration, rows, bytes), on a log scale: `run_model`."""


class Direction(IntEnum):
    """The side on which a sample may be anomalous."""

    BOTH = codes.BOTH
    UP = codes.UP
    DOWN = codes.DOWN


class Method(IntEnum):
    """Who judged."""

    REFUSED = codes.REFUSED
    """Nobody: the value was NaN or infinite, and was not learned."""
    RUN_ROUTINE = codes.RUN_ROUTINE
    HUBER_ROUTINE = codes.HUBER_ROUTINE
    SMALL_COUNT = codes.SMALL_COUNT
    SMALL_SAMPLE_T = codes.SMALL_SAMPLE_T


class Judgement(NamedTuple):
    """What a bank thinks of one sample, before having learned it. NaN stands for "not known"."""

    score: float
    """0 upwards; from the series' threshold on (4.4 with the default budget, up to 1 more in its first two days) anomalous, for
    values that have been seen for two weeks only if their own tail makes it rare enough, and then from 3.4 on within the budget."""
    expected: float
    lower: float
    """Least value that would not be anomalous; NaN while warming up and when only `Direction.UP` counts."""
    upper: float
    p_value: float
    """How likely a sample is as surprising; NaN while warming up."""
    n: int
    """Samples learned before this one."""
    since_ms: int
    """Time of the first of them."""
    interval_s: float
    """Usual time from one sample to the next."""
    method: int
    """One of `Method`."""
    anomalous: bool
    """The score reaches the threshold and is rare enough, on a side that counts, by at least the least effect, and often
    enough of late."""
    warming: bool
    """Fewer than 100 samples were known."""
    pooled: bool
    """Like series stood in for samples of its own."""
    change: int
    """What it says, a code of `numeric_layout`: 0 ordinary, 1 point, 2 shift, 3 drift, 4 a new level proposed, 5 accepted,
    6 stuck (the score of a value says nothing of that), 7 a wider spread, 8 another unit."""


class Limits(NamedTuple):
    """The values that a series would take without being anomalous; NaN stands for "not known"."""

    expected: float
    lower: float
    upper: float


class NumericBank:
    """Many numeric series, each in a slot, judged online.

    A slot costs `bytes_light` bytes. A series of `Kind.RUNS` costs `bytes_model` more from its first sample on, one of
    `Kind.VALUES` `bytes_young` more for its first 48 samples, and then `bytes_deep` for the core.

    >>> bank = NumericBank()
    >>> slot = bank.add(Kind.RUNS)
    >>> days = [bank.judge(slot, day * 86_400_000, 300_000.0 + day) for day in range(10)]
    >>> bank.judge(slot, 10 * 86_400_000, 3_000_000.0).anomalous
    True
    """

    bytes_light = LIGHT.itemsize
    bytes_deep = DEEP.itemsize
    bytes_model = RUN_MODEL.itemsize
    bytes_young = YOUNG.itemsize

    def __init__(self) -> None:
        self._light, self._deep, self._young = _new_light(), _new_deep(), _new_young()
        self._models = _new_models()
        self._pools: Records = np.zeros(POOLS, POOL)
        self._zone_names: list[str] = []
        self._zones: Records = np.zeros(0, ZONE)
        self.zone(UTC)
        self._counters = np.array([0, 0, 1, 0, 1, 0, 1, 0], np.int64)
        self.reserve(1)

    @property
    def arrays(self) -> codes.Bank:
        """The arrays as kernels take them; they hold until more room is reserved or a zone is new."""
        light, deep, young, models = self._parts()
        return codes.Bank(
            light.data,
            deep.data,
            self._counters,
            light.dirty,
            deep.dirty,
            young.data,
            young.dirty,
            self._zones,
            models.data,
            models.dirty,
            self._pools,
        )

    def zone(self, name: str) -> int:
        """The number of a time zone in this bank, a new one if need be; UTC is 0.

        Raises:
            ValueError: no zone has this name.
        """
        if name not in self._zone_names:
            self._zones = np.concatenate([self._zones, zone_record(name)])
            self._zone_names.append(name)
        return self._zone_names.index(name)

    def reserve(self, slots: int) -> None:
        """Make room for so many series more, and for the scorer's state of so many."""
        self._light.reserve(int(self._counters[codes.LIGHT_TOP]), slots)
        self._deep.reserve(int(self._counters[codes.DEEP_TOP]), slots)
        self._models.reserve(int(self._counters[codes.MODEL_TOP]), slots)
        self._young.reserve(int(self._counters[codes.YOUNG_TOP]), slots)

    def add(  # noqa: PLR0913  what a user may set, by name
        self,
        kind: Kind = Kind.VALUES,
        *,
        direction: Direction = Direction.BOTH,
        false_alarms_per_day: float = FALSE_ALARMS_PER_DAY,
        min_effect: float = 0.0,
        min_volume: float = 0.0,
        persistence: Persistence = EACH,
        time_zone: str = UTC,
        season: Season = "auto",
        pool: int = 0,
    ) -> int:
        """Make room for a series and return its slot. Like series have the same `pool`, see `pools`.

        Raises:
            ValueError: the budget is not above 0, the least effect (a share of the expected value) or volume is negative,
                the persistence cannot be, or there is no such time zone.
        """
        settings = tuned(
            direction,
            false_alarms_per_day,
            min_effect,
            min_volume=min_volume,
            persistence=persistence,
            zone=self.zone(time_zone),
            season=season,
        )
        self.reserve(1)
        return numeric_slots.add(self.arrays, int(kind), pool, settings)

    def configure(  # noqa: PLR0913  what a user may set, by name
        self,
        slot: int,
        *,
        direction: Direction,
        false_alarms_per_day: float,
        min_effect: float,
        min_volume: float = 0.0,
        persistence: Persistence = EACH,
        time_zone: str = UTC,
        season: Season = "auto",
    ) -> None:
        """Change the settings of a series and keep what it has learned.

        Raises:
            IndexError: no series has this slot.
            ValueError: as `add`.
        """
        settings = tuned(
            direction,
            false_alarms_per_day,
            min_effect,
            min_volume=min_volume,
            persistence=persistence,
            zone=self.zone(time_zone),
            season=season,
        )
        self._require(slot)
        numeric_slots.configure(self.arrays, slot, settings)

    def release(self, slot: int) -> None:
        """Forget a series; its slot may be given to another one.

        Raises:
            IndexError: no series has this slot.
        """
        self._require(slot)
        numeric_slots.release(self.arrays, slot)

    def __len__(self) -> int:
        """Series in the bank."""
        return int(np.count_nonzero(self._light.data["kind"]))

    @property
    def size_bytes(self) -> int:
        """Memory in use by the state of series."""
        sizes = self.bytes_light, self.bytes_deep, self.bytes_young, self.bytes_model
        return sum(top * size for top, size in zip(self._tops(), sizes, strict=True))

    def judge(self, slot: int, time_ms: int, value: float) -> Judgement:
        """Judge a sample, then learn it as far as it is ordinary. NaN and infinity are refused and change nothing.

        Raises:
            IndexError: no series has this slot.
        """
        self.reserve(1)
        return Judgement._make(kernels.judge(self.arrays, slot, time_ms, value))

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
        self.reserve(len(np.unique(where)))
        out = np.zeros(len(where), JUDGEMENT)
        kernels.judge_many(self.arrays, where, when, what, out)
        return out

    def limits(self, slot: int, time_ms: int) -> Limits:
        """What the series would take at `time_ms` without being anomalous. Learns nothing.

        For a value that is not novel, and with the routine peaks as of the series' last sample; `judge` says the
        same of such a value, but for the first sample of each two hours, with which the routine peaks move on.

        Raises:
            IndexError: no series has this slot.
        """
        return Limits._make(kernels.limits(self.arrays, slot, time_ms))

    def dump_blocks(self) -> dict[str, bytes]:
        """The whole state as bytes by block name; a block in which nothing changed has the same bytes again."""
        parts = zip(self._parts(), self._tops(), strict=True)
        return {
            HEAD: self._head(),
            **{name: block for part, top in parts for name, block in part.blocks(top)},
        }

    def changed_blocks(self) -> dict[str, bytes]:
        """The blocks of `dump_blocks` that changed since this was last called."""
        parts = zip(self._parts(), self._tops(), strict=True)
        return {
            HEAD: self._head(),
            **{name: block for part, top in parts for name, block in part.changed(top)},
        }

    def load_blocks(self, dumped: Mapping[str, bytes]) -> None:
        """Take over a dumped state in place of the present one; slots keep their numbers.

        Raises:
            ValueError: a block is missing or damaged, or another version wrote it; the present state is kept.
        """
        try:
            version, counters, zone_names, pools = msgspec.msgpack.decode(
                dumped[HEAD], type=tuple[int, list[int], list[str], bytes]
            )
        except (KeyError, msgspec.MsgspecError) as error:
            raise ValueError("the state of the numeric detectors has no readable head") from error
        if version != VERSION:
            raise ValueError(f"numeric detector state of version {version}; this release reads {VERSION}")
        light, deep, young, models = _new_light(), _new_deep(), _new_young(), _new_models()
        for part, top in zip((light, deep, young, models), _TOPS, strict=True):
            part.load(dumped, counters[top])
        numbers = np.array([self.zone(name) for name in zone_names])
        light.data["zone"] = numbers[light.data["zone"]]
        self._light, self._deep, self._young, self._models = light, deep, young, models
        self._pools[:] = np.frombuffer(pools, POOL)
        self._counters[:] = counters

    def _parts(self) -> tuple[RecordArray, RecordArray, RecordArray, RecordArray]:
        return self._light, self._deep, self._young, self._models

    def _tops(self) -> list[int]:
        return [int(self._counters[top]) for top in _TOPS]

    def _head(self) -> bytes:
        return msgspec.msgpack.encode(
            (VERSION, self._counters.tolist(), self._zone_names, self._pools.tobytes())
        )

    def _require(self, slot: int) -> None:
        light = self._light.data
        if not 0 <= slot < len(light) or light[slot]["kind"] == codes.FREE:
            raise IndexError(f"no series has slot {slot}")


def _new_light() -> RecordArray:
    return RecordArray("light", LIGHT, codes.LIGHT_BLOCK_BITS)


def _new_models() -> RecordArray:
    return RecordArray("run_model", RUN_MODEL, codes.MODEL_BLOCK_BITS)


def _new_young() -> RecordArray:
    return RecordArray("young", YOUNG, codes.YOUNG_BLOCK_BITS)


def _new_deep() -> RecordArray:
    return RecordArray("deep", DEEP, codes.DEEP_BLOCK_BITS)


def tuned(  # noqa: PLR0913  what a user may set, by name
    direction: Direction,
    false_alarms_per_day: float,
    min_effect: float,
    *,
    min_volume: float,
    persistence: Persistence,
    zone: int,
    season: Season = "auto",
    asked: bool = False,
) -> Records:
    """One TUNED record; `zone` is a number of the bank that it is for, `asked` is when a model of the user's judges.

    Raises:
        ValueError: as `NumericBank.add`.
    """
    if not (math.isfinite(min_effect) and min_effect >= 0):
        raise ValueError(f"a least effect must be a share of 0 or more, not {min_effect}")
    if not (math.isfinite(min_volume) and min_volume >= 0):
        raise ValueError(f"a least volume must be 0 or more, not {min_volume}")
    needed, among = persistence
    if not 1 <= needed <= among <= AMONG_MAX:
        raise ValueError(f"{needed} of {among} samples cannot cross: N is at most {AMONG_MAX}")
    threshold = threshold_for(false_alarms_per_day)
    limits = min_volume, threshold, false_alarms_per_day, min_effect
    record = direction, asked, zone, SEASONS.index(season), needed, among, *limits
    return np.array([record], TUNED)
