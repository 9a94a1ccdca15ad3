"""The alert topic, read by people and by the demo: from a point in time, with no consumer group and no commits."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from detectors.alerts import Alert, decode
from stream.exits import Exit, Refused

REACH_TIMEOUT_S: Final = 10.0
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `decode` raises for a record that holds no alert."""
_POLL_S: Final = 0.2
AnswerT = TypeVar("AnswerT")
_OVERRIDES: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,
    "isolation.level": "read_committed",
    "log_level": 0,
}
CHANGING_LEADERS: Final = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
"""A partition is being made, or handed to another broker."""
_LASTING: Final = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
)


class Received(NamedTuple):
    """An alert, the bytes it came in, and the Kafka timestamp of its record."""

    alert: Alert
    value: bytes
    timestamp_ms: int


def open_consumer(properties: Mapping[str, Any]) -> Consumer:
    """A consumer for `follow`. librdkafka demands a group id; no group is joined and nothing is committed.

    Raises:
        Refused: a property is not accepted.
    """
    try:
        return Consumer({"group.id": "streamgauge-alerts", **properties, **_OVERRIDES})
    except KafkaException as error:
        raise Refused(f"kafka: {error.args[0].str()}", Exit.CONFIG) from None


def assign(consumer: Consumer, topic: str, since_ms: int | None) -> int:
    """Start reading a topic at the end (None), or at the first record from the epoch milliseconds on; how many partitions.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """
    try:
        return in_time(lambda: _assign(consumer, topic, since_ms), CHANGING_LEADERS)
    except KafkaException as error:
        raise Refused(f"Kafka cannot be reached: {error.args[0].str()}", Exit.KAFKA) from None


def in_time(ask: Callable[[], AnswerT], passing: Sequence[int]) -> AnswerT:
    """What Kafka answers, asked again for up to `REACH_TIMEOUT_S` while its errors are of those codes that pass.

    Raises:
        KafkaException: it has another error, or the same for too long.
    """
    deadline = time.monotonic() + REACH_TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in passing or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def _assign(consumer: Consumer, topic: str, since_ms: int | None) -> int:
    partitions = partitions_of(consumer, topic)
    starts = [TopicPartition(topic, partition, OFFSET_END) for partition in partitions]
    if since_ms is not None:
        starts = _offsets_from(consumer, starts, since_ms)
    elif starts:
        starts = [_end(consumer, start) for start in starts]
    consumer.assign(starts)
    return len(partitions)


def follow(
    consumer: Consumer,
    partitions: int,
    *,
    stop_at_end: bool,
    complain: Callable[[str], None],
    poll_s: float = _POLL_S,
) -> Iterator[Received]:
    """The alerts of the assigned partitions, as they come; those of one episode in their order.

    Args:
        consumer: as `assign` left it.
        partitions: how many are assigned.
        stop_at_end: whether to stop when every partition has been read to its present end.
        complain: told of records that hold no alert, which are passed over, and of Kafka being away.
        poll_s: how long one look for records may take.

    Raises:
        Refused: Kafka refuses the topic, or stays away for `REACH_TIMEOUT_S` when the end is to be reached.
    """
    for message in messages(consumer, partitions, stop_at_end=stop_at_end, complain=complain, poll_s=poll_s):
        if received := _read(message, complain):
            yield received


def messages(
    consumer: Consumer,
    partitions: int,
    *,
    stop_at_end: bool,
    complain: Callable[[str], None],
    poll_s: float = _POLL_S,
    for_s: float = math.inf,
) -> Iterator[Message]:
    """The records of the assigned partitions as they come, for so many seconds at most; otherwise as `follow`."""
    ended: set[int] = set()
    began_at_s = heard_at_s = time.monotonic()
    while (not stop_at_end or len(ended) < partitions) and time.monotonic() - began_at_s < for_s:
        message = consumer.poll(poll_s)
        if message is None:
            if stop_at_end and time.monotonic() - heard_at_s > REACH_TIMEOUT_S:
                raise Refused("Kafka stopped answering before the end of the topic", Exit.KAFKA)
            continue
        heard_at_s = time.monotonic()
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  a public constant
            ended.add(message.partition() or 0)
        else:
            judge(error, complain)


def _read(message: Message, complain: Callable[[str], None]) -> Received | None:
    value = message.value()
    if value is None:
        return None
    try:
        return Received(decode(value), value, message.timestamp()[1])
    except UNREADABLE as error:
        complain(f"no alert: {message.topic()}[{message.partition()}]@{message.offset()}: {error}")
        return None


def judge(error: KafkaError, complain: Callable[[str], None]) -> None:
    """Tell those who read of an error that passes.

    Raises:
        Refused: the error does not pass.
    """
    if error.code() in _LASTING or error.fatal():
        raise Refused(f"Kafka: {error.str()}", Exit.KAFKA)
    if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  a public constant
        complain(f"Kafka is away, waiting for it: {error.str()}")


def partitions_of(consumer: Consumer, topic: str) -> Sequence[int]:
    """The partitions of a topic.

    Raises:
        KafkaException: Kafka cannot be reached.
        Refused: there is no such topic.
    """
    known = consumer.list_topics(timeout=REACH_TIMEOUT_S).topics
    if topic not in known:
        raise Refused(f"there is no topic {topic}; make it with: streamgauge topics create", Exit.KAFKA)
    return sorted(known[topic].partitions)


def _end(consumer: Consumer, start: TopicPartition) -> TopicPartition:
    """The present end as a number: a record written before the first fetch is not missed."""
    _, end = consumer.get_watermark_offsets(start, timeout=REACH_TIMEOUT_S)
    return TopicPartition(start.topic, start.partition, end)


def _offsets_from(
    consumer: Consumer, starts: Sequence[TopicPartition], since_ms: int
) -> list[TopicPartition]:
    if since_ms <= 0:
        return [TopicPartition(start.topic, start.partition, OFFSET_BEGINNING) for start in starts]
    wanted = [TopicPartition(start.topic, start.partition, since_ms) for start in starts]
    return [
        found if found.offset >= 0 else _end(consumer, found)
        for found in consumer.offsets_for_times(wanted, timeout=REACH_TIMEOUT_S)
    ]
