"""Time as detect knows it: what marks say of each source partition, merged into one clock that only moves forward."""

from typing import NamedTuple

import msgspec

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
    """The merged clock of one shard: a fold of the marks of every source partition.

    While any partition is active, it is the least of the active ones' greatest event times, less the allowed
    lateness; when all are idle and read to their end, it is the wall time that their marks carry, less the same.
    When records come again after all were idle, an idle partition has to stay idle for the idle timeout once more
    before time passes without it: a burst that reaches one partition first must not look like silence in the others.
    """

    def __init__(self, allowed_lateness_ms: int, idle_timeout_ms: int) -> None:
        self._lateness_ms, self._idle_timeout_ms = allowed_lateness_ms, idle_timeout_ms
        self._busy_since_ms = NEVER
        self._partitions: dict[tuple[str, int], PartitionTime] = {}
        self._expected: dict[str, int] = {}
        self.now_ms = NEVER
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
        self.now_ms = max(self.now_ms, self._merged_ms())
        return before

    def is_late(self, time_ms: int, high_ms: int) -> bool:
        """Whether an event came later than allowed behind `high_ms`, the greatest event time before it."""
        return time_ms < high_ms - self._lateness_ms

    def _merged_ms(self) -> int:
        if len(self._partitions) < sum(self._expected.values()):
            return NEVER
        partitions = self._partitions.values()
        if all(known.idle for known in partitions):
            return min(known.wall_ms for known in partitions) - self._lateness_ms
        proven_ms = self._busy_since_ms + self._idle_timeout_ms
        held = [known.high_ms for known in partitions if not known.idle or known.wall_ms < proven_ms]
        return min(held) - self._lateness_ms

    def dump(self) -> list[object]:
        """The state as plain values."""
        return [
            self.now_ms,
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
        now_ms, wall_ms, busy_since_ms, expected, partitions = msgspec.convert(
            state, tuple[int, int, int, dict[str, int], list[tuple[str, int, int, int, bool, int]]]
        )
        self.now_ms, self.wall_ms, self._busy_since_ms, self._expected = (
            now_ms,
            wall_ms,
            busy_since_ms,
            expected,
        )
        self._partitions = {
            (topic, partition): PartitionTime(fence, high, idle, wall_ms)
            for topic, partition, fence, high, idle, wall_ms in partitions
        }
