"""Time as detect knows it: what marks say of each source partition, merged into one clock that only moves forward."""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.samples import NEVER, Mark
from detectors.stage import HoleError


class PartitionTime(msgspec.Struct, array_like=True):
    """What one source partition's marks have said so far.

    `fence` is the highest source offset whose rows are in the state, `high_ms` the greatest event time up to it.
    """

    fence: int
    high_ms: int
    idle: bool
    wall_ms: int


class Progress(NamedTuple):
    """What a mark changed: rows at or below `fence` are repeats; `high_ms` was seen before the batch."""

    fence: int
    high_ms: int


class Watermarks:
    """The clocks of one shard: a fold of the marks of every source partition.

    `rows_ms` is event time, and only moves forward: rows before it are applied. While any partition is active, it is
    the least of the active ones' greatest event times and of the idle ones' latest marks, less the allowed lateness (a
    partition whose marks have ceased is nobody's, and holds time back); when all are idle and read to their end, nothing
    is under way, and it reaches the greatest event time seen.

    `timers_ms` is the time by which runs that have not come or not ended are judged. It equals `rows_ms` while there is something to read,
    and is the wall time that marks carry, less the allowed lateness, when all partitions are idle. So a backlog that
    arrives late is read in its own time, and raises no false silence.

    When records come again after all were idle, an idle partition has to stay idle for the idle timeout once more
    before time passes without it: a burst that reaches one partition first must not look like silence in the others.
    """

    def __init__(self, allowed_lateness_ms: int, idle_timeout_ms: int) -> None:
        self._lateness_ms, self._idle_timeout_ms = allowed_lateness_ms, idle_timeout_ms
        self._busy_since_ms = NEVER
        self._partitions: dict[tuple[str, int], PartitionTime] = {}
        self._expected: dict[str, int] = {}
        self.rows_ms = NEVER
        self.timers_ms = NEVER
        self.wall_ms = 0

    def take(self, mark: Mark) -> Progress:
        """Fold in a mark; returns where the partition stood before it.

        Raises:
            HoleError: the mark covers offsets that do not follow on what was covered.
        """
        place = (mark.topic, mark.partition)
        known = self._partitions.get(place)
        if known is None:
            known = self._partitions[place] = PartitionTime(mark.first_offset - 1, NEVER, False, 0)
        if mark.first_offset > known.fence + 1:
            raise HoleError(
                f"offsets {known.fence + 1}..{mark.first_offset - 1} of {mark.topic}[{mark.partition}] never arrived"
            )
        if not mark.idle and all(other.idle or not other.wall_ms for other in self._partitions.values()):
            self._busy_since_ms = mark.wall_ms
        before = Progress(known.fence, known.high_ms)
        if mark.last_offset >= known.fence:
            known.fence = mark.last_offset
            known.high_ms = max(known.high_ms, mark.high_ms)
            known.idle = mark.idle
            known.wall_ms = max(known.wall_ms, mark.wall_ms)
        self._expected.update(mark.partitions)
        self.wall_ms = max(self.wall_ms, mark.wall_ms)
        self._pass_time()
        return before

    def least_timely_ms(self, high_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The least event times that are not late, when `high_ms` are the greatest seen before them in their partition."""
        return high_ms - self._lateness_ms

    def pass_by(self, rows_ms: int) -> None:
        """Let time pass up to `rows_ms` whatever partitions have said, because no more rows can wait."""
        self.rows_ms = max(self.rows_ms, rows_ms)
        self.timers_ms = max(self.timers_ms, self.rows_ms)

    def _pass_time(self) -> None:
        partitions = self._partitions.values()
        if len(partitions) < sum(self._expected.values()):
            return
        if all(known.idle for known in partitions):
            self.timers_ms = min(known.wall_ms for known in partitions) - self._lateness_ms
            seen_ms = max(known.high_ms for known in partitions) + 1
            self.rows_ms = max(self.rows_ms, min(seen_ms, self.timers_ms))
            return
        proven_ms = self._busy_since_ms + self._idle_timeout_ms
        held = [
            max(known.high_ms, known.wall_ms) if known.idle and known.wall_ms >= proven_ms else known.high_ms
            for known in partitions
        ]
        self.rows_ms = max(self.rows_ms, min(held) - self._lateness_ms)
        self.timers_ms = self.rows_ms

    def dump(self) -> list[object]:
        """The state as plain values."""
        return [
            self.rows_ms,
            self.timers_ms,
            self.wall_ms,
            self._busy_since_ms,
            self._expected,
            [
                [topic, partition, *msgspec.structs.astuple(known)]
                for (topic, partition), known in self._partitions.items()
            ],
        ]

    def load(self, state: list[object]) -> None:
        """Take over a dumped state."""
        *clocks, expected, partitions = msgspec.convert(
            state, tuple[int, int, int, int, dict[str, int], list[tuple[str, int, int, int, bool, int]]]
        )
        self.rows_ms, self.timers_ms, self.wall_ms, self._busy_since_ms = clocks
        self._expected = expected
        self._partitions = {
            (topic, partition): PartitionTime(fence, high, idle, wall_ms)
            for topic, partition, fence, high, idle, wall_ms in partitions
        }
