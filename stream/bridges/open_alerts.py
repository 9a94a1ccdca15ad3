"""Open alerts: what is open now, from the compacted topic at the start and from both topics as they go on."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, Message

from detectors.alerts import FIRST_SEQUENCE, Alert, State, decode
from stream.alert_records import has_ended
from stream.alert_stream import UNREADABLE, assign, judge, open_consumer

REMEMBERED_MAX: Final = 100_000
"""Alerts that are over and still remembered, so that an older record of one does not open it again."""
READ_MAX: Final = 500
_WAIT_S: Final = 0.2

log = structlog.get_logger(__name__)


class OpenAlerts:
    """The latest record of each alert that is open, by `alert_id`; the older record of an alert changes nothing, whatever its topic."""

    def __init__(self) -> None:
        self._open: dict[str, Alert] = {}
        self._over: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Alert]:
        return iter(list(self._open.values()))

    def learn(self, alert: Alert) -> None:
        """Take in a record of either topic."""
        key = alert.alert_id
        known = self._open[key].sequence if key in self._open else self._over.get(key, 0)
        if alert.sequence < known:
            return
        self._over.pop(key, None)
        if _is_open(alert):
            self._open[key] = alert
        else:
            self._open.pop(key, None)
            self._remember(key, alert.sequence)

    def forget(self, alert_id: str) -> None:
        """Take in a tombstone of the compacted topic."""
        if (alert := self._open.pop(alert_id, None)) is not None:
            self._remember(alert_id, alert.sequence)

    def _remember(self, alert_id: str, sequence: int) -> None:
        self._over[alert_id] = sequence
        if len(self._over) > REMEMBERED_MAX:
            del self._over[next(iter(self._over))]


def _is_open(alert: Alert) -> bool:
    """Whether people have been told of it and it is not over; missing data never ends an alert."""
    fires = alert.state in {State.FIRING, State.ACKNOWLEDGED}
    return (fires and not has_ended(alert)) or (
        alert.state is State.NO_DATA and alert.sequence > FIRST_SEQUENCE
    )


class StateTopic:
    """Reads the compacted topic into `OpenAlerts`, outside of every group.

    Args:
        properties: of librdkafka, for a consumer that is assigned by hand.
        topic: the topic of open alerts.
        into: what learns of them.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str, into: OpenAlerts) -> None:
        self._into = into
        self._consumer = open_consumer(properties)
        self._unread = assign(self._consumer, topic, 0)

    def read_all(self) -> None:
        """Read to the present end."""
        while self._unread > 0:
            self.read(_WAIT_S)

    def read(self, wait_s: float = 0.0) -> None:
        """Read what is there, waiting so long for it.

        Raises:
            Refused: Kafka refuses the topic.
        """
        for message in self._consumer.consume(READ_MAX, wait_s):
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  a public constant
                self._unread -= 1
            else:
                judge(error, lambda what: log.warning("kafka.says", what=what))

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        key, value = message.key(), message.value()
        if value is None:
            self._into.forget(key.decode(errors="replace") if isinstance(key, bytes) else str(key))
            return
        try:
            self._into.learn(decode(value))
        except UNREADABLE as error:
            log.warning("record.holds_no_alert", what=str(error))
