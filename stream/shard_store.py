"""Shard store: reads a shard's snapshots from their topic, and refuses what cannot be the state of its log."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.exits import Exit, Refused
from stream.snapshots import Snapshot, SnapshotError, SnapshotLog

SILENCE_S_MAX: Final = 30.0
POLL_S: Final = 1.0
FETCH_WAIT_MS: Final = 10
ASK_AGAIN_S: Final = 0.1
_PASSING: Final = frozenset({
    KafkaError._TRANSPORT,  # noqa: SLF001  librdkafka's local errors are named so
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._WAIT_COORD,  # noqa: SLF001
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_LEADER_EPOCH,
})  # fmt: skip

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The best snapshot of a shard, if it has any, and every key that is in its log."""

    snapshot: Snapshot | None
    keys: frozenset[str]


class ShardStore:
    """Loads shards. Safe to use from several threads.

    Args:
        properties: of a librdkafka consumer with the worker's group id; it is assigned by hand.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._properties = {
            **properties,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
        }

    def load(self, state_topic: str, topic: str, partition: int) -> Loaded:
        """The best snapshot of the shard that folds `topic`'s `partition`.

        Raises:
            Refused: a snapshot must exist and does not, none is usable, it covers more than its log holds, or the
                state topic does not answer.
        """
        consumer = Consumer(self._properties, logger=logging.getLogger("librdkafka"))
        try:
            snapshots = self._read(consumer, state_topic, partition)
            snapshot, flaws = snapshots.best()
            for flaw in flaws:
                log.error("snapshot.passed_over", topic=state_topic, shard=partition, flaw=flaw)
            self._check(consumer, state_topic, TopicPartition(topic, partition), snapshot)
        except SnapshotError as error:
            raise Refused(
                f"no snapshot of shard {partition} in topic {state_topic} can be used: {error}", Exit.DATA
            ) from None
        except KafkaException as error:
            raise Refused(
                f"topic {state_topic} partition {partition}: {error.args[0].str()}", Exit.KAFKA
            ) from None
        finally:
            consumer.close()
        return Loaded(snapshot, frozenset(snapshots.entries))

    def _read(self, consumer: Consumer, topic: str, partition: int) -> SnapshotLog:
        snapshots = SnapshotLog()
        for message in _to_the_end(consumer, TopicPartition(topic, partition, 0)):
            if message.error() is None:
                snapshots.add((message.key() or b"").decode(errors="replace"), message.value())
        return snapshots

    def _check(
        self, consumer: Consumer, state_topic: str, place: TopicPartition, snapshot: Snapshot | None
    ) -> None:
        if snapshot is None:
            committed = answered(lambda: consumer.committed([place], SILENCE_S_MAX))[0]
            if committed.offset > 0:
                raise Refused(
                    f"the group has handled topic {place.topic} partition {place.partition} up to offset "
                    f"{committed.offset}, but topic {state_topic} holds no snapshot of it: its state is gone. Was the "
                    "topic deleted, or not compacted? To bring a backup back: streamgauge state import. To begin anew, "
                    "stop all workers and delete the group's offsets.",
                    Exit.DATA,
                )
            return
        _, end = answered(lambda: consumer.get_watermark_offsets(place, SILENCE_S_MAX))
        if snapshot.covered_offset >= end:
            end = _end(consumer, place)
        if snapshot.covered_offset >= end:
            raise Refused(
                f"the snapshot in topic {state_topic} covers offset {snapshot.covered_offset} of topic {place.topic} "
                f"partition {place.partition}, which ends at {end}: that topic was made anew or cut. To begin anew, "
                "stop all workers and delete the internal topics and the group together.",
                Exit.DATA,
            )


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """The next offset of a partition, by reading there, which takes a second: the embedded broker answers too low when asked."""
    *_, told = _to_the_end(consumer, TopicPartition(place.topic, place.partition, OFFSET_END))
    return int(told.offset() or 0)


def _to_the_end(consumer: Consumer, place: TopicPartition) -> Iterator[Message]:
    """Every record from `place` to the end of its partition, and then the event that tells the end."""
    consumer.assign([place])
    heard_s = time.monotonic()
    while True:
        message = consumer.poll(POLL_S)
        if message is None or _passing(message.error()):
            if time.monotonic() - heard_s > SILENCE_S_MAX:
                raise Refused(f"topic {place.topic} partition {place.partition} does not answer", Exit.KAFKA)
            continue
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  so named by librdkafka
            raise KafkaException(error)
        heard_s = time.monotonic()
        yield message
        if error is not None:
            return


def answered(ask: Callable[[], Answer]) -> Answer:
    """The answer to a question that is asked again while leaders and coordinators move."""
    asked_s = time.monotonic()
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not _passing(error.args[0]) or time.monotonic() - asked_s > SILENCE_S_MAX:
                raise
            time.sleep(ASK_AGAIN_S)


def _passing(error: KafkaError | None) -> bool:
    """Whether what is reported passes by itself."""
    return error is not None and error.code() in _PASSING
