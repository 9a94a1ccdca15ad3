"""Verdicts of a shard on their way to triage: in the order of the shard's time, with marks where there are none for a while."""

from collections.abc import Iterable
from typing import Final

from detectors.samples import NEVER
from detectors.verdicts import VERSION, AnomalyBatch, FleetShare, Verdict
from detectors.watermarks import Watermarks

MARK_EVERY_MS: Final = 200
TOLD_MS: Final = 60_000
"""Triage is told what time it is when so much of the wall clock or of the shard's time has passed."""


class ShardVerdicts:
    """What was said since the last batch, and when triage was told the time: `marked_ms` of the wall clock, `told_ms` of the shard's."""

    def __init__(self) -> None:
        self._said: list[tuple[int, Verdict]] = []
        self.marked_ms = self.told_ms = NEVER

    def say(self, order_ms: int, *verdicts: Verdict) -> None:
        """Say something at a time of the shard."""
        self._said += [(order_ms, verdict) for verdict in verdicts]

    def say_all(self, said: Iterable[tuple[int, Verdict]]) -> None:
        """Say things each at its time of the shard."""
        self._said += said

    def is_due(self, marks: Watermarks) -> bool:
        """Whether triage is to hear something: what was said, or what time it is."""
        return bool(self._said) or self._is_time(marks)

    def take(self, shard: int, offset: int, marks: Watermarks, share: FleetShare) -> AnomalyBatch:
        """All that was said since the last time, after the record of the samples topic at `offset`."""
        if self._is_time(marks):
            self.marked_ms = marks.wall_ms
        self.told_ms = marks.timers_ms
        said = sorted(self._said, key=lambda it: (it[0], it[1].labels, it[1].signal))
        self._said = []
        orders_ms = tuple(order_ms for order_ms, _ in said)
        verdicts = tuple(verdict for _, verdict in said)
        return AnomalyBatch(
            VERSION, shard, offset, marks.timers_ms, marks.wall_ms, orders_ms, verdicts, share
        )

    def _is_time(self, marks: Watermarks) -> bool:
        return marks.wall_ms >= self.marked_ms + MARK_EVERY_MS or marks.timers_ms >= self.told_ms + TOLD_MS
