"""Agents: the shells of ingest, detect and triage. Everything they decide themselves is when to deliver, store and ack.

The order never varies: outputs delivered, then the state stored, and only then the input acked. Whatever is done
twice after a crash is left out by the fences in the state; whatever was acked is stored.
"""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import msgspec
import structlog

from detectors.outputs import Destination, Output
from detectors.stage import Count, HoleError, Stage
from stream.exits import Exit, Refused
from stream.outbox import Delivery, Outbox, Record
from stream.shard_store import Loaded, ShardStore
from stream.snapshots import Entry, SnapshotWriter
from stream.sources import Batch, Feed, Place, Sources
from stream.telemetry import Telemetry
from stream.transport import Membership

MARK_TICK_S: Final = 0.25
MARK_DUE_S: Final = 0.75
SETTLE_POLL_S: Final = 0.05
ENDS_AGE_S_MAX: Final = 5.0

log = structlog.get_logger(__name__)


class Ingesting(Protocol):
    """What the ingest agent needs of `stream.ingest.Ingest`."""

    def batch(
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int],
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int],
        previous_offset: int,
        wall_ms: int,
        caught_up: bool,
    ) -> list[Output]:
        """The outputs of one batch."""

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        """The outputs that say where a partition stands."""

    def take_counts(self) -> Tally[Count]:
        """What was counted since the last call."""


@dataclass(slots=True)
class Ends:
    """The ends of the owned partitions, as the broker last said."""

    offsets: Mapping[Place, int] = field(default_factory=dict)
    asked_s: float = float("-inf")

    def reached(self, place: Place, position: int) -> bool:
        """Whether `position` is at the end, by knowledge that is fresh."""
        end = self.offsets.get(place)
        return end is not None and position >= end and time.monotonic() - self.asked_s < ENDS_AGE_S_MAX


class IngestAgent:
    """Hands fetched batches to ingest, delivers what it makes of them, and acks; writes marks when nothing comes."""

    def __init__(
        self,
        make_ingest: Callable[[], Ingesting],
        sources: Sources,
        membership: Membership,
        outbox: Outbox,
        ends: Ends,
        telemetry: Telemetry,
        idle_timeout_s: float,
    ) -> None:
        self._make_ingest = make_ingest
        self._ingest = make_ingest()
        self._sources, self._membership, self._outbox = sources, membership, outbox
        self._ends, self._telemetry, self._idle_timeout_s = ends, telemetry, idle_timeout_s
        self._marking = asyncio.Lock()
        membership.on_change(self._start_over)

    def _start_over(self) -> None:
        self._ingest = self._make_ingest()

    async def consume(self, events: AsyncIterator[Any]) -> None:
        """Handle batches in order, for ever."""
        async for event in events:
            if event.message.generation_id == self._membership.generation:
                await self._handle(event, event.value)

    async def _handle(self, event: Any, batch: Batch) -> None:
        epoch = self._membership.epoch
        feed = self._sources.feeds.get(batch.place)
        if feed is None:
            return
        if feed.handled != batch.previous_offset + 1:
            raise HoleError(
                f"{batch.place}: a batch follows offset {batch.previous_offset}, but {feed.handled - 1} was handled last"
            )
        feed.busy = True
        try:
            await self._outbox.deliver(self._outputs(batch))
        finally:
            feed.busy = False
        if epoch == self._membership.epoch:
            feed.touched_s = time.monotonic()
            self._sources.handled(batch)
            event.ack()
            self._telemetry.add(self._ingest.take_counts())

    def _outputs(self, batch: Batch) -> list[Output]:
        records = batch.records
        return self._ingest.batch(
            batch.place.topic,
            batch.place.partition,
            [record.offset() or 0 for record in records],
            [record.value() for record in records],
            [record.timestamp()[1] for record in records],
            batch.previous_offset,
            _wall_ms(),
            self._ends.reached(batch.place, batch.next_offset),
        )

    async def mark_for_ever(self) -> None:
        """Say where each partition stands, at least once a second, by its batches or else by a mark."""
        while True:
            await asyncio.sleep(MARK_TICK_S)
            async with self._marking:
                if self._sources.open:
                    await self._outbox.deliver(self._marks(time.monotonic()))

    async def settle(self) -> None:
        """Return when, with the sources closed, everything fetched is delivered and no mark is under way."""
        while self._sources.records_under_way:
            await asyncio.sleep(SETTLE_POLL_S)
        async with self._marking:
            pass

    def _marks(self, now_s: float) -> list[Output]:
        """Marks of the partitions that are due; one with a batch under way gets its mark with the batch's rows."""
        outputs: list[Output] = []
        for place, feed in self._sources.feeds.items():
            if not feed.busy and now_s - feed.touched_s >= MARK_DUE_S:
                feed.touched_s = now_s
                outputs += self._mark(place, feed, now_s)
        return outputs

    def _mark(self, place: Place, feed: Feed, now_s: float) -> list[Output]:
        caught_up = feed.handled == feed.fetched and self._ends.reached(place, feed.position)
        idle = caught_up and now_s - feed.arrived_s >= self._idle_timeout_s
        return self._ingest.mark(place.topic, place.partition, feed.handled, _wall_ms(), caught_up, idle)


@dataclass(slots=True)
class Shard:
    """The state of one partition in this worker, and what is not stored of it yet.

    `last` is the newest event that may be acked once the state is stored; acking it acks everything before it.
    """

    stage: Stage
    writer: SnapshotWriter
    stored_offset: int
    fresh: bool
    last: Any = None
    rewound_at: int | None = None
    deliveries: list[Delivery] = field(default_factory=list)
    counts: Tally[Count] = field(default_factory=Tally)
    size_bytes: int = 0


class StageAgent:
    """Folds one internal topic into the shards of a stage, and stores their states before it acks.

    Args:
        name: of the stage, for logs and metrics.
        topic: the log that is folded; partition n is shard n.
        state_topic: where the snapshots are.
        factory: an empty stage for a shard.
        rewind: makes the topic's partition be read again from an offset.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        state_topic: str,
        factory: Callable[[int], Stage],
        store: ShardStore,
        membership: Membership,
        outbox: Outbox,
        telemetry: Telemetry,
        rewind: Callable[[Place, int], Any],
    ) -> None:
        self.name, self.topic, self.state_topic = name, topic, state_topic
        self.shards: dict[int, Shard] = {}
        self._factory, self._store, self._membership = factory, store, membership
        self._outbox, self._telemetry, self._rewind = outbox, telemetry, rewind
        self._storing = asyncio.Lock()
        membership.on_change(self.shards.clear)

    async def consume(self, events: AsyncIterator[Any]) -> None:
        """Fold in records in order, for ever."""
        async for event in events:
            message = event.message
            if message.generation_id != self._membership.generation:
                continue
            shard = self.shards.get(message.partition) or await self._load(message.partition)
            if shard is not None and await self._in_order(shard, message.partition, message.offset):
                if message.offset > shard.stage.covered_offset:
                    await self._step(shard, message.offset, event.value)
                shard.last = event
            await asyncio.sleep(0)

    def position(self, partition: int) -> int | None:
        """The next offset that is not folded in; None while the shard is not loaded."""
        shard = self.shards.get(partition)
        return shard.stage.covered_offset + 1 if shard and not shard.fresh else None

    async def _load(self, partition: int) -> Shard | None:
        epoch, generation = self._membership.epoch, self._membership.generation
        loaded = await asyncio.get_running_loop().run_in_executor(None, self._loaded_stage, partition)
        if epoch != self._membership.epoch:
            return None
        stage, found = loaded
        self.shards[partition] = Shard(
            stage=stage,
            writer=SnapshotWriter(partition, generation, found.keys),
            stored_offset=stage.covered_offset,
            fresh=found.snapshot is None,
        )
        log.info("shard.loaded", stage=self.name, shard=partition, covered_offset=stage.covered_offset)
        return self.shards[partition]

    def _loaded_stage(self, partition: int) -> tuple[Stage, Loaded]:
        found = self._store.load(self.state_topic, self.topic, partition)
        stage = self._factory(partition)
        if found.snapshot is not None:
            stage.load(found.snapshot.chunks)
            if stage.covered_offset != found.snapshot.covered_offset:
                raise Refused(
                    f"the snapshot of {self.name} shard {partition} says that it covers offset "
                    f"{found.snapshot.covered_offset}, but its state covers {stage.covered_offset}",
                    Exit.DATA,
                )
        return stage, found

    async def _in_order(self, shard: Shard, partition: int, offset: int) -> bool:
        """Whether the record is the next one or a repeat. At a hole the log is read again, once, from its edge:
        the state may be older than the committed offset when a newer snapshot was damaged."""
        due = shard.stage.covered_offset + 1
        if offset <= due or shard.fresh:
            shard.fresh, shard.rewound_at = False, None
            return True
        if shard.rewound_at is None:
            log.warning("shard.rewound", stage=self.name, shard=partition, from_offset=offset, to_offset=due)
            await self._rewind(Place(self.topic, partition), due)
        elif offset <= shard.rewound_at:
            raise HoleError(
                f"topic {self.topic} partition {partition}: offset {due} is due, but the log begins at {offset}"
            )
        shard.rewound_at = offset
        return False

    async def _step(self, shard: Shard, offset: int, payload: bytes) -> None:
        started_s = time.perf_counter()
        outputs = shard.stage.step(offset, payload)
        self._telemetry.step_seconds.labels(self.name).observe(time.perf_counter() - started_s)
        shard.counts += shard.stage.take_counts()
        if outputs:
            delivery = await self._outbox.post(outputs)
            shard.deliveries = [*(other for other in shard.deliveries if not other.done()), delivery]
            delivery.on_stored(partial(self._observe_alerts, shard, outputs))

    def _observe_alerts(self, shard: Shard, outputs: Sequence[Output]) -> None:
        """Count the alerts that were delivered, and how long after the event that was."""
        for output in outputs:
            if output.destination is Destination.ALERTS and output.value is not None:
                header = _alert_header(output.value)
                shard.counts["alerts", header.kind, header.state] += 1
                age = datetime.now(UTC) - header.updated_at
                self._telemetry.event_to_alert_seconds.observe(max(0.0, age.total_seconds()))

    async def settle(self) -> None:
        """Return when all that the stage has put out is delivered."""
        for shard in list(self.shards.values()):
            for delivery in shard.deliveries:
                await delivery

    async def store_for_ever(self, interval_s: float) -> None:
        """Store all shards at every interval."""
        while True:
            await asyncio.sleep(interval_s)
            await self.store()

    async def store(self) -> None:
        """Store every shard that moved since it was last stored, and ack what that covers."""
        async with self._storing:
            for partition, shard in list(self.shards.items()):
                if shard.last is not None and self.shards.get(partition) is shard:
                    await self._store_shard(partition, shard)
            sizes: Tally[str] = Tally()
            for shard in self.shards.values():
                sizes.update(shard.stage.gauges())
            self._telemetry.show_sizes(self.name, sizes)
            self._telemetry.snapshot_bytes.labels(self.name).set(sum(it.size_bytes for it in self.shards.values()))

    async def _store_shard(self, partition: int, shard: Shard) -> None:
        epoch, started_s = self._membership.epoch, time.perf_counter()
        covered_offset, last, deliveries = shard.stage.covered_offset, shard.last, shard.deliveries
        counts, shard.counts = shard.counts, Tally()
        shard.last, shard.deliveries = None, []
        moved = covered_offset > shard.stored_offset
        chunks = shard.stage.dump() if moved else {}
        for delivery in deliveries:
            await delivery
        obsolete: tuple[Entry, ...] = ()
        if moved:
            obsolete = await self._write(partition, shard, chunks, covered_offset)
            shard.stored_offset = covered_offset
            self._telemetry.snapshots.labels(self.name).inc()
            self._telemetry.snapshot_seconds.labels(self.name).observe(time.perf_counter() - started_s)
        self._telemetry.add(counts)
        if epoch == self._membership.epoch:
            last.ack()
            await self._outbox.deliver_records(self._records(partition, obsolete))

    async def _write(
        self, partition: int, shard: Shard, chunks: Mapping[str, bytes], covered_offset: int
    ) -> tuple[Entry, ...]:
        """Store a dumped state; what it no longer needs may be tombstoned afterwards."""
        plan = await asyncio.get_running_loop().run_in_executor(None, shard.writer.plan, chunks, covered_offset)
        await self._outbox.deliver_records(self._records(partition, plan.parts))
        await self._outbox.deliver_records(self._records(partition, (plan.manifest,)))
        shard.size_bytes = plan.size_bytes
        return shard.writer.obsolete(plan)

    def _records(self, partition: int, entries: Sequence[Entry]) -> list[Record]:
        return [Record(self.state_topic, entry.key.encode(), entry.value, partition) for entry in entries]


class _AlertHeader(msgspec.Struct):
    kind: str
    state: str
    updated_at: datetime


_alert_header = msgspec.json.Decoder(_AlertHeader).decode


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
