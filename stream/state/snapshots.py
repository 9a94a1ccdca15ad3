"""Stored snapshots, read from their topics as they are: no group is joined, nothing is committed, no worker is disturbed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final, NamedTuple

from confluent_kafka import Message, TopicPartition

from stream.alert_stream import assign, messages, open_consumer
from stream.exits import Exit, Refused
from stream.snapshots import MANIFEST, Snapshot, SnapshotError, SnapshotLog

MOMENT_S: Final = 1.0


class Stored(NamedTuple):
    """The best snapshot of one shard, when the last one was stored, and every key in its log."""

    snapshot: Snapshot | None
    stored_at_ms: int
    keys: frozenset[str]


class StateTopic:
    """One state topic, read to its present end; `catch_up` reads what came since.

    Args:
        properties: of a librdkafka consumer.
        topic: which has to be there.
        complain: told of what passes by itself.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str, complain: Callable[[str], None]) -> None:
        self._consumer, self._topic, self._complain = open_consumer(properties), topic, complain
        self._logs = [SnapshotLog() for _ in range(assign(self._consumer, topic, 0))]
        self._stored_at_ms = [0] * len(self._logs)
        self._take(messages(self._consumer, self.shards, stop_at_end=True, complain=complain))

    @property
    def shards(self) -> int:
        """How many partitions it has."""
        return len(self._logs)

    def catch_up(self) -> None:
        """Read what comes for a moment."""
        self._take(
            messages(self._consumer, self.shards, stop_at_end=False, complain=self._complain, for_s=MOMENT_S)
        )

    def _take(self, records: Iterator[Message]) -> None:
        for message in records:
            partition, key = message.partition() or 0, (message.key() or b"").decode(errors="replace")
            value = message.value()
            self._logs[partition].add(key, value)
            if value is not None and key.endswith(MANIFEST):
                self._stored_at_ms[partition] = message.timestamp()[1]

    def stored(self, shard: int) -> Stored:
        """The best snapshot of a shard.

        Raises:
            Refused: there are some, and none can be used.
        """
        log = self._logs[shard]
        try:
            snapshot, flaws = log.best()
        except SnapshotError as error:
            raise Refused(
                f"no snapshot of shard {shard} in topic {self._topic} can be used: {error}", Exit.DATA
            ) from None
        for flaw in flaws:
            self._complain(f"passed over: {flaw}")
        return Stored(snapshot, self._stored_at_ms[shard], frozenset(log.entries))

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()


def records_from(
    properties: Mapping[str, Any], topic: str, next_offset: int, complain: Callable[[str], None]
) -> Iterator[Message]:
    """The records of a topic's partition 0 from an offset to the present end."""
    with closing(open_consumer(properties)) as consumer:
        consumer.assign([TopicPartition(topic, 0, next_offset)])
        yield from messages(consumer, 1, stop_at_end=True, complain=complain)
