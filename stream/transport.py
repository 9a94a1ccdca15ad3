"""Transport: how Faust reaches Kafka.

Its aiokafka driver keeps the group and the internal topics, librdkafka fetches the source topics, and the driver's
known ways to lose records are closed.
The subclasses lean on private names of faust-streaming, mode-streaming and aiokafka, which is why those three are
pinned to exact versions.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

import structlog
from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage
from yarl import URL

from stream.guards import Stopper
from stream.sources import FETCH_WAIT_S, Batch, Place, Sources

NO_GENERATION: Final = -1
"""The generation while no assignment is in force: no record belongs to it."""

BUSY_WAIT_S: Final = 0.005
INTERNAL_FETCH_WAIT_MS: Final = 50
LEAD_MAX: Final = 8
"""Records of its topic, for each shard, that detect may be behind before nothing more is fetched from the sources."""

_faust_log = logging.getLogger("faust.streamgauge")

log = structlog.get_logger(__name__)


class Records(NamedTuple):
    """Consecutive records of one partition of an internal topic, at least one: one message to its agent."""

    offsets: list[int]
    values: list[bytes]

    @classmethod
    def of(cls, fetched: Sequence[Any]) -> "Records":
        """What aiokafka gave for one partition."""
        return cls([it.offset for it in fetched], [it.value for it in fetched])

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.offsets[-1] + 1


class Membership:
    """The worker's place in the consumer group: which assignment is in force.

    `epoch` grows at every revocation and every assignment. Whoever awaits something compares it before and after:
    when it moved, what was begun belongs to another assignment and must be dropped.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.generation = NO_GENERATION
        self.assigned: frozenset[Place] = frozenset()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener()` called at every revocation and every assignment."""
        self._listeners.append(listener)

    def changed(self, assigned: frozenset[Place], generation: int) -> None:
        """A new assignment is in force, or (empty) none."""
        self.epoch += 1
        self.generation = generation
        self.assigned = assigned
        for listener in self._listeners:
            listener()


class Follower(Protocol):
    """The agent that folds in what ingest writes."""

    topic: str

    def position(self, partition: int) -> int | None:
        """The next offset that is not folded in; None while that is not known."""


class InternalTopicsThread(driver.AIOKafkaConsumerThread):
    """Two settings that Faust has written down for good.

    It asks for uncommitted records, whatever is configured; this consumer reads committed ones only. And it lets the
    broker wait 1.5 s for records of partitions that are empty, in which those of all others must wait: aiokafka has one fetch under way for a broker.
    """

    logger = _faust_log

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  read by aiokafka when the consumer starts
        consumer._fetch_max_wait_ms = INTERNAL_FETCH_WAIT_MS  # noqa: SLF001  as above
        return consumer


class SeekFirstRecovery(Recovery):
    """Faust resumes partitions before it seeks them to the committed offsets; here nothing flows until it has."""

    logger = _faust_log

    async def _resume_streams(self, generation_id: int = 0) -> None:
        self.app.consumer.stop_flow()
        await super()._resume_streams(generation_id)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Called by Faust when its tables, of which there are none, are restored."""
        self.app.consumer.stop_flow()
        await super().on_recovery_completed(generation_id)


class SeekFirstTableManager(TableManager):
    """The way by which Faust is given `SeekFirstRecovery`."""

    logger = _faust_log

    @property
    def recovery(self) -> Recovery:
        """The recovery service, made on first use."""
        if self._recovery is None:
            self._recovery = SeekFirstRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class _NoReadOffsets(dict[TP, Any]):
    """Nothing that was read.

    Faust drops what lies below the highest offset it has read, which would undo a rewind; the agents, which know what
    they have handled, leave repeats out themselves.
    """

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Not remembered."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Not remembered."""


class BatchConsumer(driver.Consumer):
    """aiokafka's consumer, with the source topics' records coming from librdkafka in batches."""

    logger = _faust_log

    def __init__(self, transport: "BatchTransport", *args: Any, **kwargs: Any) -> None:
        self.sources = transport.sources
        self.membership = transport.membership
        self.stopper = transport.stopper
        self.follower = transport.follower
        super().__init__(transport, *args, **kwargs)
        self._read_offset = _NoReadOffsets()

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return InternalTopicsThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Called at the start of a rebalance; everything fetched and folded is dropped when flow has stopped."""
        await super().on_partitions_revoked(revoked)
        self.sources.forget()
        self.membership.changed(frozenset(), NO_GENERATION)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Called at the end of a rebalance, before anything of the new assignment flows."""
        self.sources.forget()
        self.membership.changed(frozenset(Place(tp.topic, tp.partition) for tp in assigned), generation_id)
        log.info("partitions.assigned", generation=generation_id, partitions=len(assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def rewind(self, place: Place, offset: int) -> None:
        """Read an internal partition again from `offset`."""
        await self.seek_wait({TP(*place): offset})

    def committed(self, place: Place) -> int | None:
        """The committed offset as of this assignment, or None."""
        return self._committed_offset.get(TP(*place))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  Faust's signature
        """The next records, those of one partition in one piece: a message costs Faust the same, however much it carries.

        aiokafka comes last and nothing is awaited after it: what it has drained is lost to it, so it must reach
        Faust under the assignment it was drained for. What librdkafka gave is merely fetched again.
        """
        active = active_partitions or set()
        internal = {tp for tp in active if tp.topic not in self.sources.topics}
        epoch = self.membership.epoch
        try:
            batches = await self._fetch_sources()
        except Exception as error:  # noqa: BLE001  whatever it was, fetching cannot go on
            self.stopper.stop(error)
        wait_s = 0.0 if batches else BUSY_WAIT_S if self.sources.records_under_way else FETCH_WAIT_S
        drained = await super()._getmany(active_partitions=internal, timeout=wait_s) if internal else {}
        records: dict[TP, Any] = {
            tp: [Records.of(fetched)] for tp, fetched in (drained or {}).items() if fetched
        }
        if epoch == self.membership.epoch and self.flow_active:
            records.update({TP(*batch.place): [batch] for batch in batches})
        elif batches:
            self.sources.forget()
        return records

    async def _fetch_sources(self) -> list[Batch]:
        if not self.sources.assigned and not await self._assign_sources():
            return []
        return [] if self._is_far_ahead() else await self.sources.fetch()

    def _is_far_ahead(self) -> bool:
        """Whether so much waits for the shards of this worker that fetching more would only fill their topic."""
        shards = [place for place in self.membership.assigned if place.topic == self.follower.topic]
        return sum(self._waiting(place) for place in shards) > LEAD_MAX * len(shards)

    def _waiting(self, shard: Place) -> int:
        """Records that the shard has not folded in; 0 while that is not known."""
        consumer, tp = self._thread._ensure_consumer(), driver.ensure_aiokafka_TP(TP(*shard))  # noqa: SLF001
        end = consumer.highwater(tp) if tp in consumer.assignment() else None
        position = self.follower.position(shard.partition)
        return 0 if end is None or position is None else max(0, end - position)

    async def _assign_sources(self) -> bool:
        """Point librdkafka at the source partitions of this assignment; False when it changed meanwhile."""
        epoch = self.membership.epoch
        mine = [TP(*place) for place in self.membership.assigned if place.topic in self.sources.topics]
        try:
            self._thread._ensure_consumer().pause(*[driver.ensure_aiokafka_TP(tp) for tp in mine])  # noqa: SLF001
            positions = {Place(tp.topic, tp.partition): await self._begin(tp) for tp in mine}
        except IllegalStateError:
            return False
        if epoch != self.membership.epoch or not self.flow_active or None in positions.values():
            return False
        self.sources.assign(cast("dict[Place, int]", positions))
        return True

    async def _begin(self, tp: TP) -> int | None:
        """The committed offset, and without one where aiokafka begins; None when it is not known yet.

        aiokafka's own position will not do: it may have fetched before it was paused, and where retention has removed what it
        was to read, it has gone on from what is left, unasked.
        """
        committed = self.committed(Place(tp.topic, tp.partition))
        return await self.position(tp) if committed is None else committed

    def _to_message(self, tp: TP, record: Batch | Records) -> ConsumerMessage:
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=record.next_offset - 1,
            timestamp=0.0,
            timestamp_type=0,
            headers=[],
            key=None,
            value=cast("bytes", record),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: after the highest acked one.

        The agents ack in order, and an ack says that everything before it is stored. Faust would wait for every
        offset in between, and never see those of transaction markers.
        """
        acked = self._acked[tp]
        if not acked:
            return None
        highest = max(acked)
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return highest + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Holes between offsets need no book-keeping where the highest ack counts."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own stall warnings would fire for partitions that librdkafka fetches; `stream.guards` watches."""


class BatchTransport(driver.Transport):
    """Makes the consumer above; everything else is the stock driver's."""

    Consumer = BatchConsumer

    def __init__(
        self,
        url: list[URL],
        app: AppT,
        sources: Sources,
        follower: Follower,
        membership: Membership,
        stopper: Stopper,
    ) -> None:
        super().__init__(url, app)
        self.sources = sources
        self.follower = follower
        self.membership = membership
        self.stopper = stopper
