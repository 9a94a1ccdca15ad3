"""Retained: what a topic's partition still holds, read once from its beginning to its present end. Nothing is joined or committed."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream.alert_stream import REACH_TIMEOUT_S, open_consumer
from stream.exits import Exit, Refused

_POLL_S: Final = 0.2
_FETCHED_MAX: Final = 500
_BUFFER: Final[Mapping[str, Any]] = {"queued.max.messages.kbytes": 16_384}


class Kept(NamedTuple):
    """A record that is still there."""

    offset: int
    timestamp_ms: int
    value: bytes


class Retained:
    """One partition; `begin` is the offset of its first record, and `end` the next offset at the time when this was made.

    Raises:
        Refused: Kafka does not answer, or there is no such partition.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition
        self._consumer = open_consumer({**properties, **_BUFFER})
        try:
            self.begin, self.end = self._offsets()
        except KafkaException as error:
            self.close()
            raise Refused(f"Kafka cannot be reached: {error.args[0].str()}", Exit.KAFKA) from None
        except Refused:
            self.close()
            raise

    def _offsets(self) -> tuple[int, int]:
        known = self._consumer.list_topics(self.topic, REACH_TIMEOUT_S).topics[self.topic]
        if self.partition not in known.partitions:
            raise Refused(
                f"topic {self.topic} has no partition {self.partition}; streamgauge topics create says what is wrong",
                Exit.KAFKA,
            )
        return self._consumer.get_watermark_offsets(
            TopicPartition(self.topic, self.partition), REACH_TIMEOUT_S
        )

    def __len__(self) -> int:
        return self.end - self.begin

    def read(self, first: int = 0) -> Iterator[Kept]:
        """Every record up to `end`, once, from `first` on where that is retained.

        Raises:
            Refused: Kafka stops answering.
        """
        try:
            if (begin := max(self.begin, first)) < self.end:
                self._consumer.assign([TopicPartition(self.topic, self.partition, begin)])
                yield from self._records(self._consumer)
        finally:
            self.close()

    def _records(self, consumer: Consumer) -> Iterator[Kept]:
        heard_s = time.monotonic()
        while True:
            messages = consumer.consume(_FETCHED_MAX, _POLL_S)
            if not messages and time.monotonic() - heard_s > REACH_TIMEOUT_S:
                raise Refused(f"Kafka stopped answering before the end of the topic {self.topic}", Exit.KAFKA)
            for message in messages:
                heard_s, error, offset = time.monotonic(), message.error(), message.offset() or 0
                if error is None and offset < self.end:
                    yield Kept(offset, message.timestamp()[1], message.value() or b"")
                if _is_end(error) or (error is None and offset >= self.end - 1):
                    return
                if error is not None and error.fatal():
                    raise Refused(f"Kafka: {error.str()}", Exit.KAFKA)
                heard_s = time.monotonic()

    def close(self) -> None:
        """Let go of Kafka; may be called again."""
        self._consumer.close()


def _is_end(error: KafkaError | None) -> bool:
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  so named by librdkafka
