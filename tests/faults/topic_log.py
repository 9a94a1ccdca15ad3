"""Topic logs: what a topic holds, record by record, as a reader of committed records sees it."""

import time
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

ANSWER_S_MAX: Final = 60.0
NOT_YET: Final = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""What a broker says that was just started, or whose topic of offsets is just being made."""


class Entry(NamedTuple):
    """One record of a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def read_log(bootstrap_servers: str, topic: str, begins: Mapping[int, int] | None = None) -> list[Entry]:
    """Every record of a topic up to its present end, partition by partition in order; `begins` are first offsets."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap_servers,
        "group.id": "judge",
        "enable.partition.eof": True,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 10,
        "log_level": 0,
    })  # fmt: skip
    try:
        partitions = sorted(consumer.list_topics(topic, ANSWER_S_MAX).topics[topic].partitions)
        places = [TopicPartition(topic, it, (begins or {}).get(it, 0)) for it in partitions]
        return [entry for place in places for entry in _partition(consumer, place)]
    finally:
        consumer.close()


def committed_offsets(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """The next offset that a group will read of each partition; 0 where it has committed none."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, ANSWER_S_MAX).topics[topic].partitions
        told = _committed(consumer, [TopicPartition(topic, it) for it in partitions])
    finally:
        consumer.close()
    return {it.partition: max(0, it.offset) for it in told}


def ends(bootstrap_servers: str, topic: str) -> int:
    """The sum of the end offsets of a topic's partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "judge", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, ANSWER_S_MAX).topics[topic].partitions
        watermarks = [
            consumer.get_watermark_offsets(TopicPartition(topic, it), ANSWER_S_MAX) for it in partitions
        ]
    finally:
        consumer.close()
    return sum(end for _, end in watermarks)


def uncommitted(bootstrap_servers: str, group: str, topics: list[str]) -> int:
    """Records of these topics, as a reader of committed ones sees them, that the group has not committed."""
    left = 0
    for topic in topics:
        committed = committed_offsets(bootstrap_servers, group, topic)
        left += len(read_log(bootstrap_servers, topic, committed))
    return left


def _committed(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    deadline = time.monotonic() + ANSWER_S_MAX
    while True:
        try:
            return consumer.committed(places, ANSWER_S_MAX)
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _partition(consumer: Consumer, place: TopicPartition) -> Iterator[Entry]:
    consumer.assign([place])
    deadline = time.monotonic() + ANSWER_S_MAX
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        error = message.error() if message is not None else None
        if message is not None and error is None:
            deadline = time.monotonic() + ANSWER_S_MAX
            yield _entry(message)
        elif error is not None and error.name() == "_PARTITION_EOF":
            return
    raise AssertionError(
        f"topic {place.topic} partition {place.partition} did not answer for {ANSWER_S_MAX:g} s"
    )


def _entry(message: Message) -> Entry:
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    return Entry(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(headers),
    )
