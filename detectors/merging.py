"""Merging: the verdicts of all shards in one order, that of the time at which they were given, whatever way their batches interleave.

Each shard's batches come in its own order, and say up to which time it has said everything. A verdict is let through when every shard is
past its time. A shard of which nothing is heard for `ABSENT_MS` on the wall clock of the others is not waited for, nor is any when too much
waits: late is better than never. A jump of that clock counts as `TICK_MS_MAX` only.
"""

import heapq
from collections.abc import Iterator
from typing import Final

import msgspec

from detectors.samples import NEVER
from detectors.verdicts import AnomalyBatch, Verdict

ABSENT_MS: Final = 120_000
TICK_MS_MAX: Final = 2_000
WAITING_MAX: Final = 100_000

_Entry = tuple[int, int, int, Verdict]
"""Time, shard, number within the shard, verdict."""


class _Shard(msgspec.Struct, array_like=True):
    """How far one shard is: it has said everything before `now_ms`, and was last heard at `heard_ms`."""

    now_ms: int = NEVER
    heard_ms: int = 0
    last_ms: int = NEVER
    given: int = 0


class Merger:
    """What shards said and is not let through yet."""

    def __init__(self, shards: int) -> None:
        self._expected, self._shards = shards, dict[int, _Shard]()
        self._waiting: list[_Entry] = []
        self.now_ms = NEVER
        """Everything before this time was let through."""
        self.wall_ms = 0
        self._clock_ms = 0
        self.hurried = 0
        """Verdicts that were let through before every shard was past them."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, batch: AnomalyBatch) -> None:
        """Take in what one shard says."""
        shard = self._shards.setdefault(batch.shard, _Shard())
        for order_ms, verdict in zip(batch.orders_ms, batch.verdicts, strict=True):
            shard.last_ms, shard.given = max(shard.last_ms, order_ms), shard.given + 1
            heapq.heappush(self._waiting, (shard.last_ms, batch.shard, shard.given, verdict))
        self._clock_ms += min(max(batch.wall_ms - self.wall_ms, 0), TICK_MS_MAX)
        self.wall_ms = max(self.wall_ms, batch.wall_ms)
        shard.now_ms, shard.heard_ms = max(shard.now_ms, batch.now_ms), self._clock_ms

    def ready(self) -> Iterator[tuple[int, Verdict]]:
        """The verdicts that may be judged now, with the times at which they were given; `now_ms` says what time it is, which may be later."""
        now_ms = self._reached()
        while self._waiting and (self._waiting[0][0] < now_ms or len(self._waiting) > WAITING_MAX):
            order_ms, _, _, verdict = heapq.heappop(self._waiting)
            self.hurried += order_ms >= now_ms
            self.now_ms = max(self.now_ms, order_ms)
            yield order_ms, verdict
        self.now_ms = max(self.now_ms, now_ms)

    def finish(self) -> None:
        """No shard has more to say: wait for none any more."""
        ends_ms = [it.now_ms for it in self._shards.values()]
        for shard in self._shards.values():
            shard.now_ms = max(ends_ms)
        self._expected = len(self._shards)

    def _reached(self) -> int:
        """The time that every shard is past, of those that are waited for."""
        if len(self._shards) < self._expected and self._clock_ms < ABSENT_MS:
            return NEVER
        heard = (it.now_ms for it in self._shards.values() if self._clock_ms - it.heard_ms < ABSENT_MS)
        return min(heard, default=NEVER)

    def dump(self) -> list[object]:
        """The state as plain values."""
        waiting = sorted(self._waiting, key=lambda it: it[:3])
        return [self.now_ms, self.wall_ms, self._clock_ms, self._shards, waiting]

    def load(self, state: object) -> None:
        """Take over a dumped state."""
        self.now_ms, self.wall_ms, self._clock_ms, self._shards, self._waiting = msgspec.convert(
            state, tuple[int, int, int, dict[int, _Shard], list[_Entry]]
        )
