"""Stage agent: the shell of detect and of triage. It folds one internal topic into the shards of a stage.

The order never varies: outputs delivered, then the state stored, and only then the input acked. What is done twice
after a crash is left out by the fences in the state; what was acked is stored.
"""

import asyncio
import time
from bisect import bisect_right
from collections import Counter as Tally
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import structlog

from detectors.outputs import Destination, Output
from detectors.stage import Count, HoleError, Stage
from stream.exits import Exit, Refused
from stream.outbox import Delivery, Outbox, Record
from stream.shard_store import Loaded, ShardStore
from stream.snapshots import Entry, SnapshotWriter
from stream.sources import Place
from stream.telemetry import Telemetry
from stream.topology import StageSpec
from stream.transport import Membership, Records

Result = TypeVar("Result")

FOLD_S_MAX: Final = 0.25
"""For how long records are folded in before the state may be stored."""
REST_SHARE: Final = 8.0
"""Time between snapshots, in times that the last ones took."""

log = structlog.get_logger(__name__)


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
    alerts: Tally[Count] = field(default_factory=Tally)
    sizes: Mapping[str, float] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def moved(self) -> bool:
        """Whether it has folded in records since it was stored."""
        return self.stage.covered_offset > self.stored_offset


def _stretches(records: Records, covered_offset: int) -> Iterator[Records]:
    """The records that are not covered, cut where offsets are missing."""
    offsets, values = records
    first = bisect_right(offsets, covered_offset)
    for end in range(first + 1, len(offsets) + 1):
        if end == len(offsets) or offsets[end] != offsets[end - 1] + 1:
            yield Records(offsets[first:end], values[first:end])
            first = end


class Dump(NamedTuple):
    """What changed of a state up to a moment between two steps."""

    covered_offset: int
    chunks: dict[str, bytes]
    counts: Tally[Count]


def _dump(shard: Shard) -> Dump:
    counts, shard.counts = shard.counts, Tally()
    chunks = shard.stage.changed() if shard.moved else {}
    return Dump(shard.stage.covered_offset, chunks, counts)


class StageAgent:
    """Folds one internal topic into the shards of a stage, and stores their states before it acks.

    Args:
        spec: the stage; partition n of its topic is shard n.
        store: where its snapshots are read.
        membership: the assignment in force, with which all shards are dropped.
        outbox: what writes outputs and snapshots.
        telemetry: the worker's metrics.
        rewind: makes a partition be read again from an offset.
    """

    def __init__(
        self,
        spec: StageSpec,
        store: ShardStore,
        membership: Membership,
        outbox: Outbox,
        telemetry: Telemetry,
        rewind: Callable[[Place, int], Awaitable[None]],
    ) -> None:
        self.name, self.topic, self.state_topic = spec.name, spec.topic, spec.state_topic
        self.shards: dict[int, Shard] = {}
        self._factory, self._store, self._membership = spec.factory, store, membership
        self._outbox, self._telemetry, self._rewind = outbox, telemetry, rewind
        self._thread = ThreadPoolExecutor(1, spec.name)
        self._planning = ThreadPoolExecutor(1, f"{spec.name}-snapshots")
        self._folding, self._storing = asyncio.Lock(), asyncio.Lock()
        self._finished = False
        self._step_seconds = telemetry.step_seconds.labels(spec.name)
        membership.on_change(self.shards.clear)

    async def consume(self, events: AsyncIterator[Any]) -> None:
        """Fold in records in order, for ever."""
        async for event in events:
            await self._take(event)

    async def _take(self, event: Any) -> None:
        message, records = event.message, event.value
        if message.generation_id != self._membership.generation:
            return
        shard = self.shards.get(message.partition) or await self._load(message.partition)
        if shard is None:
            return
        for stretch in _stretches(records, shard.stage.covered_offset):
            if not await self._fold_all(shard, message.partition, stretch):
                return
        shard.last = event

    async def _fold_all(self, shard: Shard, partition: int, records: Records) -> bool:
        """Fold in consecutive records, with pauses in which the state may be stored; False when it was not to be."""
        while records.offsets:
            async with self._folding:
                if self._finished or self.shards.get(partition) is not shard:
                    return False
                if not await self._in_order(shard, partition, records.offsets[0]):
                    return False
                done = await self._fold(shard, records)
            if shard.stage.is_to_be_stored:
                await self.store()
            records = Records(records.offsets[done:], records.values[done:])
        return True

    def position(self, partition: int) -> int | None:
        """The next offset that is not folded in; None while the shard is not loaded."""
        shard = self.shards.get(partition)
        return shard.stage.covered_offset + 1 if shard and not shard.fresh else None

    async def _load(self, partition: int) -> Shard | None:
        epoch, generation = self._membership.epoch, self._membership.generation
        stage, found = await self._in_thread(self._loaded_stage, partition)
        if epoch != self._membership.epoch:
            return None
        self.shards[partition] = Shard(
            stage=stage,
            writer=SnapshotWriter(partition, generation, found.keys),
            stored_offset=stage.covered_offset,
            fresh=found.snapshot is None,
            sizes=stage.gauges(),
        )
        self._show_sizes()
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
        """Whether the record is the next one or a repeat.

        At a hole the log is read again, once, from its edge: the state may be older than the committed offset when
        a newer snapshot was damaged.
        """
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

    async def _fold(self, shard: Shard, records: Records) -> int:
        """Fold in as many records as time allows, in a thread, for heartbeats and health must go on; how many it were.

        Their outputs are posted whatever happened meanwhile: no state may cover a record whose outputs were not.
        """
        done, outputs = await self._in_thread(self._steps, shard, records)
        self._show_sizes()
        if outputs:
            delivery = await self._outbox.post(outputs)
            shard.deliveries = [*(other for other in shard.deliveries if not other.done()), delivery]
            delivery.on_stored(partial(self._observe_alerts, shard, outputs))
        return done

    def _steps(self, shard: Shard, records: Records) -> tuple[int, list[Output]]:
        outputs: list[Output] = []
        done, began_s = 0, time.perf_counter()
        for offset, payload in zip(*records, strict=True):
            started_s = time.perf_counter()
            if done and (started_s - began_s > FOLD_S_MAX or shard.stage.is_to_be_stored):
                break
            outputs += shard.stage.step(offset, payload)
            self._step_seconds.observe(time.perf_counter() - started_s)
            done += 1
        counts = shard.stage.take_counts()
        shard.counts.update(counts)
        shard.sizes = shard.stage.gauges()
        self._telemetry.folded(counts)
        return done, outputs

    async def _in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _observe_alerts(self, shard: Shard, outputs: Sequence[Output]) -> None:
        """Count the alerts that were delivered, and how long after the event that was."""
        for output in outputs:
            if output.destination is Destination.ALERTS and output.value is not None:
                header = _alert_header(output.value)
                shard.alerts["alerts", header.kind, header.state] += 1
                age = datetime.now(UTC) - header.updated_at
                self._telemetry.event_to_alert_seconds.observe(max(0.0, age.total_seconds()))

    async def settle(self) -> None:
        """Return when all that the stage has put out is delivered, a step under way included."""
        async with self._folding:
            deliveries = [delivery for shard in self.shards.values() for delivery in shard.deliveries]
        for delivery in deliveries:
            await delivery

    async def finish(self) -> None:
        """Fold in nothing more, and store all that was: what the next worker folds in again would be put out twice."""
        async with self._folding:
            self._finished = True
        await self.store()

    async def store_for_ever(self, interval_s: float) -> None:
        """Store all shards at every interval, or less often where that would take more than a ninth of the time."""
        rest_s = interval_s
        while True:
            await asyncio.sleep(rest_s)
            started_s = time.monotonic()
            await self.store()
            rest_s = max(interval_s, REST_SHARE * (time.monotonic() - started_s))

    async def store(self) -> None:
        """Store every shard that moved since it was last stored, and ack what that covers."""
        async with self._storing:
            for partition, shard in list(self.shards.items()):
                await self._store_shard(partition, shard)
            self._show_snapshots()

    async def _store_shard(self, partition: int, shard: Shard) -> None:
        epoch, started_s = self._membership.epoch, time.perf_counter()
        async with self._folding:
            last, deliveries = shard.last, shard.deliveries
            if self.shards.get(partition) is not shard or (last is None and not shard.moved):
                return
            shard.last, shard.deliveries = None, []
            dumped = await self._in_thread(_dump, shard)
        for delivery in deliveries:
            await delivery
        obsolete: tuple[Entry, ...] = ()
        if dumped.covered_offset > shard.stored_offset:
            obsolete = await self._write(partition, shard, dumped)
            self._telemetry.snapshots.labels(self.name).inc()
            self._telemetry.snapshot_seconds.labels(self.name).observe(time.perf_counter() - started_s)
        self._telemetry.add(dumped.counts + shard.alerts)
        shard.alerts.clear()
        if epoch == self._membership.epoch:
            if last is not None:
                last.ack()
            await self._outbox.deliver_records(self._records(partition, obsolete))

    def _show_sizes(self) -> None:
        sizes: Tally[str] = Tally()
        for shard in self.shards.values():
            sizes.update(shard.sizes)
        self._telemetry.show_sizes(self.name, sizes)

    def _show_snapshots(self) -> None:
        size_bytes = sum(it.size_bytes for it in self.shards.values())
        self._telemetry.snapshot_bytes.labels(self.name).set(size_bytes)

    async def _write(self, partition: int, shard: Shard, dumped: Dump) -> tuple[Entry, ...]:
        """Store a dumped state; what it no longer needs may be tombstoned afterwards."""
        plan = await asyncio.get_running_loop().run_in_executor(
            self._planning, shard.writer.plan, dumped.chunks, dumped.covered_offset
        )
        await self._outbox.deliver_records(self._records(partition, plan.parts))
        await self._outbox.deliver_records(self._records(partition, (plan.manifest,)))
        shard.stored_offset, shard.size_bytes = dumped.covered_offset, plan.size_bytes
        return shard.writer.obsolete(plan)

    def _records(self, partition: int, entries: Sequence[Entry]) -> list[Record]:
        return [Record(self.state_topic, entry.key.encode(), entry.value, partition) for entry in entries]


class _AlertHeader(msgspec.Struct):
    kind: str
    state: str
    updated_at: datetime


_alert_header = msgspec.json.Decoder(_AlertHeader).decode
