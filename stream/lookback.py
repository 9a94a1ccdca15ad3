"""Lookback: the records just before the offset at which reading goes on, of topics of which only so many a second are looked at."""

import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, KafkaError, TopicPartition

from stream.formats.pace import LOOKBACK, Past
from stream.sources import SourceError

PATIENCE_S: Final = 30.0
POLL_S: Final = 0.5


class Lookback:
    """Asks Kafka.

    Args:
        properties: of a librdkafka consumer, which is assigned by hand and never joins its group.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._properties = {**properties, "enable.partition.eof": True, "auto.offset.reset": "earliest"}

    def past(self, topic: str, partition: int, offset: int) -> Past:
        """Offsets and timestamps of the records before this offset that are left, `LOOKBACK` offsets back at most.

        Raises:
            SourceError: Kafka did not give them in time.
        """
        offsets: list[int] = []
        times_ms: list[int] = []
        consumer = Consumer(self._properties)
        try:
            consumer.assign([TopicPartition(topic, partition, max(0, offset - LOOKBACK))])
            deadline = time.monotonic() + PATIENCE_S
            while not offsets or offsets[-1] < offset - 1:
                if time.monotonic() > deadline:
                    raise SourceError(
                        f"topic {topic} partition {partition}: the records before offset {offset}, by which its sample "
                        f"goes on, did not come within {PATIENCE_S:g} s"
                    )
                message = consumer.poll(POLL_S)
                error = message.error() if message is not None else None
                at = message.offset() if message is not None else None
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's own
                    break
                if message is None or error is not None or at is None:
                    continue
                if at >= offset:
                    break
                offsets.append(at)
                times_ms.append(message.timestamp()[1])
        finally:
            consumer.close()
        return Past(np.array(offsets, np.int64), np.array(times_ms, np.int64))
