"""Deliveries: records that a command sends and that must arrive, or be complained about."""

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.exits import Exit, Refused

TOPIC_TIMEOUT_S_MAX: Final = 5.0
_POLL_S: Final = 0.1
_GRACE_S: Final = 2.0
_NO_TOPIC: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001  a public constant


class Deliveries:
    """Sends records to one topic, as fast as the broker takes them.

    Args:
        properties: of the librdkafka producer.
        topic: where the records go.
        timeout_s: how long the broker may take for a record.

    Raises:
        Refused: a property is not accepted.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str, timeout_s: float) -> None:
        self._topic, self._timeout_s = topic, timeout_s
        self._servers = properties.get("bootstrap.servers")
        self._away_reason = ""
        self._failure: KafkaError | None = None
        self.delivered = 0
        limits = {
            "message.timeout.ms": max(1, round(timeout_s * 1000)),
            "topic.metadata.propagation.max.ms": round(min(timeout_s / 2, TOPIC_TIMEOUT_S_MAX) * 1000),
            "partitioner": "murmur2_random",
            "log_level": 0,
            "error_cb": self._on_error,
        }
        try:
            self._producer = Producer({**properties, **limits})
        except KafkaException as error:
            raise Refused(f"kafka: {error.args[0].str()}", Exit.CONFIG) from None

    def send(self, key: bytes | None, value: bytes) -> None:
        """Hands over a record, waiting while the buffer is full.

        Raises:
            Refused: a record could not be delivered.
        """
        while not self._taken(key, value):
            self._producer.poll(_POLL_S)
            self._check()
        self._producer.poll(0)
        self._check()

    def _taken(self, key: bytes | None, value: bytes) -> bool:
        try:
            self._producer.produce(self._topic, value, key, on_delivery=self._on_delivery)
        except BufferError:
            return False
        except KafkaException as error:
            self._failure = error.args[0]
        return True

    def finish(self) -> int:
        """Waits until every record is on the broker; how many there were.

        Raises:
            Refused: a record could not be delivered in time.
        """
        left = self._producer.flush(self._timeout_s + _GRACE_S)
        self._check()
        if left:
            raise self._refusal("it did not answer")
        return self.delivered

    def _check(self) -> None:
        if self._failure is None:
            return
        self._producer.purge()
        if self._failure.code() in _NO_TOPIC:
            raise Refused(
                f"there is no topic {self._topic} on {self._servers}; make it with: streamgauge topics create",
                Exit.KAFKA,
            )
        timed_out = self._failure.code() == KafkaError._MSG_TIMED_OUT  # noqa: SLF001  a public constant
        raise self._refusal(self._away_reason if timed_out and self._away_reason else self._failure.str())

    def _refusal(self, reason: str) -> Refused:
        so_far = f", {self.delivered} records were delivered" if self.delivered else ""
        return Refused(
            f"Kafka at {self._servers} did not take a record for {self._topic} within {self._timeout_s:g} s{so_far}: {reason}",
            Exit.KAFKA,
        )

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1
        elif self._failure is None:
            self._failure = error

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._away_reason:  # noqa: SLF001  a public constant
            self._away_reason = error.str()
