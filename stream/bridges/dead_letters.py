"""Dead letters of bridges: an alert that a target does not take, as it is, with the reason and the target's name."""

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.alert_group import Delivery
from stream.alert_stream import REACH_TIMEOUT_S
from stream.bridges.target import NotDelivered, Unavailable
from stream.exits import Exit, Refused
from stream.formats.dead import UnreadableError, dead_letter

BYTES_MAX: Final = 900 << 10
"""What one record takes by Kafka's defaults, with room for headers; an alert is hardly ever cut."""
WRITE_S_MAX: Final = 10.0


class DeadLetters:
    """Writes to the dead-letter topic; a write has happened when the call returns.

    Args:
        properties: of librdkafka, for a producer.
        topic: the dead-letter topic.

    Raises:
        Refused: a property is not accepted, Kafka cannot be reached, or there is no such topic.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        try:
            self._producer = Producer(
                {**properties, "log_level": 0, "message.timeout.ms": int(WRITE_S_MAX * 1000)}
            )
        except KafkaException as error:
            raise Refused(f"kafka: {error.args[0].str()}", Exit.CONFIG) from None
        try:
            known = self._producer.list_topics(timeout=REACH_TIMEOUT_S).topics
        except KafkaException as error:
            servers = properties.get("bootstrap.servers")
            raise Refused(
                f"Kafka cannot be reached at {servers}: {error.args[0].str()}", Exit.KAFKA
            ) from None
        if topic not in known:
            raise Refused(f"there is no topic {topic}; make it with: streamgauge topics create", Exit.KAFKA)

    def write(self, delivery: Delivery, why: NotDelivered, bridge: str) -> None:
        """Write one alert.

        Raises:
            Unavailable: Kafka did not take it in time.
        """
        letter = dead_letter(delivery.place, delivery.value, UnreadableError(why.reason, str(why)), BYTES_MAX)
        headers: list[tuple[str, str | bytes | None]] = [*letter.headers, ("bridge", bridge)]
        failed: list[KafkaError] = []

        def told(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error)

        try:
            self._producer.produce(self._topic, letter.value, letter.key, headers=headers, on_delivery=told)
        except (KafkaException, BufferError) as error:
            raise Unavailable(f"the dead-letter topic {self._topic}: {error}") from None
        left = self._producer.flush(WRITE_S_MAX + 1)
        if failed or left:
            said = failed[0].str() if failed else "no answer"
            raise Unavailable(f"the dead-letter topic {self._topic}: {said}")
