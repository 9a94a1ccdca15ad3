"""Sources: the data plane of the source topics. librdkafka fetches in batches what Faust's group was assigned.

A stock Faust agent pays two asyncio tasks for every record. Here a record is never alone: what librdkafka has
queued for a partition becomes one batch, and a batch is one message to the agent. Each batch knows the offset that
was fetched before it, so whoever handles it can tell that nothing was skipped, whatever holes transactions and
compaction leave between offsets.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import KafkaError

from stream.librdkafka import Consumer, Fetched, Report
from stream.message_columns import Columns

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


class Batch(NamedTuple):
    """Consecutive records of one source partition. `previous_offset` is that of the record fetched before them; `turn` is its feed's."""

    place: Place
    previous_offset: int
    columns: Columns
    turn: int = 0

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return int(self.columns.offsets[-1]) + 1


@dataclass(slots=True)
class Feed:
    """How far one owned source partition is fetched and handled.

    `fetched`, `posted` and `handled` are next offsets: of records fetched, of those given to ingest, and of those whose
    samples are on the broker. `end` is where librdkafka last reached the end of the partition, which
    may lie behind the last record (transaction markers). `touched_s` is when
    something was last written for it and `arrived_s` when a record last came, on the monotonic clock. Of one that is `held` nothing is
    fetched; `turn` grows when it is, and a batch of an earlier turn is fetched again.
    """

    fetched: int
    posted: int
    handled: int
    end: int = -1
    touched_s: float = field(default_factory=time.monotonic)
    arrived_s: float = field(default_factory=time.monotonic)
    held: bool = False
    turn: int = 0

    @property
    def position(self) -> int:
        """The next offset that is not handled, past holes at the partition's end."""
        return max(self.handled, self.end) if self.handled == self.fetched else self.handled


class Sources:
    """Fetches the source partitions of this worker, in one thread, while few enough records are under way.

    Args:
        properties: of the librdkafka consumer, which is assigned by hand and never joins the group.
        topics: the source topics.
        besides: what is wanted of their records beside the values: names of headers, or `KEY`.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        topics: frozenset[str],
        besides: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.topics = topics
        self.feeds: dict[Place, Feed] = {}
        self.open = True
        self._consumer = Consumer({**TUNING, **properties}, BATCH_RECORDS_MAX, besides)
        self._thread = ThreadPoolExecutor(1, "sources")
        self._epoch = 0
        self._assigned_epoch = 0
        self._moved: set[Place] = set()

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
        self._moved.clear()
        self._consumer.assign(positions)
        self._assigned_epoch = self._epoch

    def hold(self, batch: Batch) -> None:
        """Fetch no more of a partition for now. This batch and all after it are dropped, and fetched again when it is let go."""
        feed = self.feeds[batch.place]
        feed.fetched = feed.posted = batch.previous_offset + 1
        feed.end, feed.held = -1, True
        feed.turn += 1
        self._moved.add(batch.place)

    def let_go(self, place: Place) -> None:
        """Fetch on where a partition is held; when it is not owned any more, nothing happens."""
        if place in self.feeds:
            self.feeds[place].held = False
            self._moved.add(place)

    async def fetch(self) -> list[Batch]:
        """What librdkafka has queued, one batch per partition; empty when the partitions changed meanwhile.

        Raises:
            SourceError: a partition cannot be read on.
        """
        if not self.open or self.records_under_way >= QUEUED_RECORDS_MAX:
            return []
        if self._moved:
            flowing = {place: feed.fetched for place, feed in self.feeds.items() if not feed.held}
            self._consumer.assign(flowing)
            self._moved.clear()
        epoch = self._epoch
        loop = asyncio.get_running_loop()
        fetched = await loop.run_in_executor(self._thread, self._consumer.fetch, FETCH_WAIT_S)
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

    def _batches(self, fetched: Fetched) -> list[Batch]:
        for report in fetched.reports:
            self._noted(Place(report.topic, report.partition), report)
        return [
            self._batch(Place(*place), columns)
            for place, columns in fetched.columns.items()
            if self._flows(Place(*place))
        ]

    def _flows(self, place: Place) -> bool:
        """Whether what librdkafka gave of a partition was fetched from where its feed stands."""
        return place in self.feeds and place not in self._moved

    def _batch(self, place: Place, columns: Columns) -> Batch:
        feed = self.feeds[place]
        batch = Batch(place, feed.fetched - 1, columns, feed.turn)
        feed.fetched = batch.next_offset
        feed.arrived_s = time.monotonic()
        return batch

    def _noted(self, place: Place, report: Report) -> None:
        error = report.error
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            if self._flows(place):
                self.feeds[place].end = report.offset
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
