"""Sources: the data plane of the source topics. librdkafka fetches in batches what Faust's group was assigned.

A stock Faust agent pays two asyncio tasks for every record. Here a record is never alone: what librdkafka has
queued for a partition becomes one batch, and a batch is one message to the agent. Each batch knows the offset that
was fetched before it, so whoever handles it can tell that nothing was skipped, whatever holes transactions and
compaction leave between offsets.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import ne
from typing import Any, Final, NamedTuple

import numpy as np
import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

BATCH_RECORDS_MAX: Final = 40_000
QUEUED_RECORDS_MAX: Final = 120_000
FETCH_WAIT_S: Final = 0.02
TUNING: Final[Mapping[str, Any]] = {
    # Its default of 1 s throttles fetching to a small part of what the broker can give.
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 50,
    "fetch.message.max.bytes": 4 << 20,
    "queued.min.messages": 50_000,
    "queued.max.messages.kbytes": 32 << 10,
    "enable.partition.eof": True,
}
_FINAL_ERRORS: Final = frozenset({
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001  librdkafka's local errors are named so
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001
})  # fmt: skip
_OUT_OF_RANGE: Final = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001

log = structlog.get_logger(__name__)


class SourceError(Exception):
    """A source partition cannot be read on without losing records."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Columns(NamedTuple):
    """Consecutive records of one source partition, at least one; a value of None is a tombstone."""

    offsets: list[int]
    values: list[bytes | None]
    timestamps_ms: list[int]


class Batch(NamedTuple):
    """Consecutive records of one source partition. `previous_offset` is that of the record fetched before them."""

    place: Place
    previous_offset: int
    columns: Columns

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.columns.offsets[-1] + 1


class Fetched(NamedTuple):
    """What librdkafka had queued: records by partition, and what it reports beside them."""

    columns: dict[Place, Columns]
    reports: list[Message]


@dataclass(slots=True)
class Feed:
    """How far one owned source partition is fetched and handled.

    `fetched`, `posted` and `handled` are next offsets: of records fetched, of those given to ingest, and of those whose
    samples are on the broker. `end` is where librdkafka last reached the end of the partition, which
    may lie behind the last record (transaction markers). `touched_s` is when
    something was last written for it and `arrived_s` when a record last came, on the monotonic clock.
    """

    fetched: int
    posted: int
    handled: int
    end: int = -1
    touched_s: float = field(default_factory=time.monotonic)
    arrived_s: float = field(default_factory=time.monotonic)

    @property
    def position(self) -> int:
        """The next offset that is not handled, past holes at the partition's end."""
        return max(self.handled, self.end) if self.handled == self.fetched else self.handled


class Sources:
    """Fetches the source partitions of this worker, in one thread, while few enough records are under way.

    Args:
        properties: of the librdkafka consumer, which is assigned by hand and never joins the group.
        topics: the source topics.
    """

    def __init__(self, properties: Mapping[str, Any], topics: frozenset[str]) -> None:
        self.topics = topics
        self.feeds: dict[Place, Feed] = {}
        self.open = True
        self._consumer = Consumer({**TUNING, **properties}, logger=logging.getLogger("librdkafka"))
        self._thread = ThreadPoolExecutor(1, "sources")
        self._epoch = 0
        self._assigned_epoch = 0

    @property
    def assigned(self) -> bool:
        """Whether the partitions of the present assignment are being fetched."""
        return self._assigned_epoch == self._epoch

    @property
    def records_under_way(self) -> int:
        """Upper bound of the records fetched and not handled."""
        return sum(feed.fetched - feed.handled for feed in self.feeds.values())

    def forget(self) -> None:
        """Drop everything fetched: the partitions are revoked. It is fetched again from the committed offset."""
        self._epoch += 1
        self.feeds.clear()

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Fetch these partitions from these offsets, and no others."""
        self.feeds = {place: Feed(offset, offset, offset) for place, offset in positions.items()}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])
        self._assigned_epoch = self._epoch

    async def fetch(self) -> list[Batch]:
        """What librdkafka has queued, one batch per partition; empty when the partitions changed meanwhile.

        Raises:
            SourceError: a partition cannot be read on.
        """
        if not self.open or self.records_under_way >= QUEUED_RECORDS_MAX:
            return []
        epoch = self._epoch
        loop = asyncio.get_running_loop()
        fetched = await loop.run_in_executor(self._thread, self._consume)
        return self._batches(fetched) if epoch == self._epoch else []

    def handled(self, batch: Batch) -> None:
        """The batch's records are delivered."""
        feed = self.feeds.get(batch.place)
        if feed is not None:
            feed.handled = batch.next_offset

    def close(self) -> None:
        """Stop fetching for good."""
        self.open = False
        self._thread.shutdown(wait=True)
        self._consumer.close()

    def _consume(self) -> Fetched:
        """In the thread: take what is queued, and turn records into columns."""
        messages = self._consumer.consume(BATCH_RECORDS_MAX, FETCH_WAIT_S)
        reports = [message for message in messages if message.error() is not None]
        if reports:
            messages = [message for message in messages if message.error() is None]
        return Fetched(columns_by_place(messages, len(self.topics)), reports)

    def _batches(self, fetched: Fetched) -> list[Batch]:
        for message in fetched.reports:
            error = message.error()
            if error is not None:
                self._noted(Place(message.topic() or "", message.partition() or 0), error, message)
        return [
            self._batch(place, columns) for place, columns in fetched.columns.items() if place in self.feeds
        ]

    def _batch(self, place: Place, columns: Columns) -> Batch:
        feed = self.feeds[place]
        batch = Batch(place, feed.fetched - 1, columns)
        feed.fetched = batch.next_offset
        feed.arrived_s = time.monotonic()
        return batch

    def _noted(self, place: Place, error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            if place in self.feeds:
                self.feeds[place].end = int(message.offset() or 0)
        elif error.code() in _OUT_OF_RANGE:
            raise SourceError(
                f"topic {place.topic} partition {place.partition} has no records left at offset "
                f"{self.feeds[place].fetched if place in self.feeds else '?'}: its retention removed them before they "
                "were read. To go on from the oldest record that is left, and lose those, stop all workers and run "
                f"kafka-consumer-groups.sh --reset-offsets --to-earliest for topic {place.topic} of the group."
            )
        elif error.fatal() or error.code() in _FINAL_ERRORS:
            raise SourceError(f"topic {place.topic} partition {place.partition}: {error.str()}")
        else:
            log.warning("source.unavailable", topic=place.topic, partition=place.partition, error=error.str())


def columns_by_place(messages: Sequence[Message], topics: int) -> dict[Place, Columns]:
    """Records of so many topics as columns, partition by partition; those of one partition stay in their order.

    librdkafka hands over runs of records of one partition, so the place is made only where a run begins.
    """
    found: dict[Place, Columns] = {}
    first = 0
    for last in (*_run_starts(messages, topics), len(messages)):
        if last > first:
            run = messages[first:last]
            place = Place(run[0].topic() or "", run[0].partition() or 0)
            columns = found.setdefault(place, Columns([], [], []))
            columns.offsets.extend([message.offset() for message in run])  # type: ignore[misc]  # a record has one
            columns.values.extend([message.value() for message in run])
            columns.timestamps_ms.extend([message.timestamp()[1] for message in run])
        first = last
    return found


def _run_starts(messages: Sequence[Message], topics: int) -> list[int]:
    """Where a record lies in another partition than the one before it."""
    partitions = np.array([message.partition() for message in messages], np.int64)
    changes = partitions[1:] != partitions[:-1]
    if topics > 1:
        names = [message.topic() for message in messages]
        changes |= np.fromiter(map(ne, names[1:], names), np.bool_, max(0, len(names) - 1))
    starts: list[int] = (np.flatnonzero(changes) + 1).tolist()
    return starts
