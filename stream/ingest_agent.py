"""Ingest agent: the shell of ingest. It delivers what ingest makes of a fetched batch, and only then acks the batch."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from detectors.outputs import Output
from detectors.stage import Count, HoleError
from stream.formats.encodings.schemas import SchemaAwaitedError
from stream.holding import Holding
from stream.lineage_notes import notes_first
from stream.outbox import Delivery, Outbox
from stream.sources import Batch, Feed, Place, Sources
from stream.telemetry import Telemetry
from stream.topology import Ingesting
from stream.transport import Membership

Result = TypeVar("Result")

MARK_TICK_S: Final = 0.25
MARK_DUE_S: Final = 0.75
SETTLE_POLL_S: Final = 0.05
ENDS_AGE_S_MAX: Final = 5.0


@dataclass(slots=True)
class Ends:
    """The ends of the owned partitions, as the broker last said."""

    offsets: Mapping[Place, int] = field(default_factory=dict)
    asked_s: float = float("-inf")

    def reached(self, place: Place, position: int) -> bool:
        """Whether `position` is at the end, by knowledge that is fresh."""
        end = self.offsets.get(place)
        return end is not None and position >= end and time.monotonic() - self.asked_s < ENDS_AGE_S_MAX


class _Posted(NamedTuple):
    """A batch whose outputs the broker has not confirmed yet."""

    epoch: int
    event: Any
    batch: Batch
    counts: Tally[Count]
    delivery: Delivery


class IngestAgent:
    """Hands fetched batches to ingest, delivers what it makes of them, and acks; writes marks when nothing comes.

    How many batches are under way is bounded by what the sources fetch.
    """

    def __init__(  # noqa: PLR0913  the parts of a worker that it joins
        self,
        make_ingest: Callable[[], Ingesting],
        sources: Sources,
        holding: Holding,
        membership: Membership,
        outbox: Outbox,
        ends: Ends,
        telemetry: Telemetry,
        idle_timeout_s: float,
    ) -> None:
        self._make_ingest = make_ingest
        self._ingest = make_ingest()
        self._sources, self._holding = sources, holding
        self._membership, self._outbox = membership, outbox
        self._ends, self._telemetry, self._idle_timeout_s = ends, telemetry, idle_timeout_s
        self._marking = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "ingest")
        self._posted: asyncio.Queue[_Posted] = asyncio.Queue()
        membership.on_change(self._start_over)

    def _start_over(self) -> None:
        self._ingest = self._make_ingest()

    async def consume(self, events: AsyncIterator[Any]) -> None:
        """Handle batches in order until there are no more, and ack each once all before it and itself are delivered."""
        async with asyncio.TaskGroup() as tasks:
            acking = tasks.create_task(self._ack_for_ever())
            async for event in events:
                if event.message.generation_id == self._membership.generation:
                    await self._handle(event, event.value)
            await self._posted.join()
            acking.cancel()

    async def _handle(self, event: Any, batch: Batch) -> None:
        """Post what ingest makes of a batch; while the broker takes it, the next batch is under way.

        One that cannot be read yet has its partition held, and comes again.
        """
        epoch = self._membership.epoch
        feed = self._sources.feeds.get(batch.place)
        if feed is None or batch.turn != feed.turn:
            return
        if feed.posted != batch.previous_offset + 1:
            raise HoleError(
                f"{batch.place}: a batch follows offset {batch.previous_offset}, but {feed.posted - 1} was handled last"
            )
        feed.posted = batch.next_offset
        try:
            outputs, counts = await self._in_thread(self._outputs, batch)
        except SchemaAwaitedError as why:
            if epoch == self._membership.epoch:
                self._holding.hold(batch, why)
            return
        notes, rest = notes_first(outputs)
        if notes and epoch == self._membership.epoch:
            await self._outbox.deliver(notes)
        if epoch == self._membership.epoch:
            delivery = await self._outbox.post(rest)
            feed.touched_s = time.monotonic()
            self._telemetry.ingested_records.labels(batch.place.topic).inc(len(batch.columns.offsets))
            self._posted.put_nowait(_Posted(epoch, event, batch, counts, delivery))

    async def _ack_for_ever(self) -> None:
        while True:
            posted = await self._posted.get()
            await posted.delivery
            if posted.epoch == self._membership.epoch:
                self._sources.handled(posted.batch)
                posted.event.ack()
                self._telemetry.add(posted.counts)
            self._posted.task_done()

    async def _in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Everything that ingest does is done in one thread, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _outputs(self, batch: Batch) -> tuple[list[Output], Tally[Count]]:
        ingest, place, wall_ms = self._ingest, batch.place, _wall_ms()
        caught_up = self._ends.reached(place, batch.next_offset)
        try:
            outputs = ingest.batch(
                place.topic, place.partition, *batch.columns, batch.previous_offset, wall_ms, caught_up
            )
        finally:
            counts = ingest.take_counts()
        if caught_up:
            self._telemetry.seen(place.topic, int(batch.columns.timestamps_ms[0]), wall_ms)
        return outputs, counts

    async def mark_for_ever(self) -> None:
        """Say where each partition stands, at least once a second, by its batches or else by a mark."""
        while True:
            await asyncio.sleep(MARK_TICK_S)
            async with self._marking:
                if self._sources.open:
                    marks = await self._in_thread(self._marks, time.monotonic())
                    await self._outbox.deliver(marks)

    async def settle(self) -> None:
        """Return when, with the sources closed, everything fetched is delivered and no mark is under way."""
        while self._sources.records_under_way:  # noqa: ASYNC110  two sides change it, in the middle of their work
            await asyncio.sleep(SETTLE_POLL_S)
        async with self._marking:
            pass

    def _marks(self, now_s: float) -> list[Output]:
        """Marks of the partitions that are due; one with a batch under way gets its mark with the batch's rows."""
        outputs: list[Output] = []
        for place, feed in list(self._sources.feeds.items()):
            if feed.posted == feed.handled and now_s - feed.touched_s >= MARK_DUE_S:
                feed.touched_s = now_s
                outputs += self._mark(place, feed, now_s)
        return outputs

    def _mark(self, place: Place, feed: Feed, now_s: float) -> list[Output]:
        caught_up = feed.handled == feed.fetched and self._ends.reached(place, feed.position)
        idle = caught_up and now_s - feed.arrived_s >= self._idle_timeout_s
        return self._ingest.mark(place.topic, place.partition, feed.handled, _wall_ms(), caught_up, idle)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
