"""Subscribe to alerts from Python: typed, by a consumer group, at least once.

    from stream.subscribe import subscribe

    with subscribe("pager", states=["firing"], match={"pipeline": "orders*"}) as alerts:
        for alert in alerts:
            page(alert.owner, alert.summary)

See docs/how-to/subscribe.md.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

import structlog

from detectors.alerts import Alert, Kind, State
from stream.alert_group import AlertGroup, Delivery, Unreadable
from stream.alert_match import AlertMatch, Globs
from stream.config import Override, librdkafka_properties, load
from stream.exits import Exit, Refused

__all__ = ["Alert", "Kind", "Refused", "State", "Subscription", "Unreadable", "subscribe"]

OPTION: Final = "subscribe(kafka=)"

log = structlog.get_logger(__name__)


def subscribe(  # noqa: PLR0913  one argument for each way to choose
    group: str,
    *,
    states: Collection[str] = (),
    kinds: Collection[str] = (),
    match: Globs | None = None,
    from_beginning: bool = False,
    on_unreadable: Callable[[Unreadable], None] | None = None,
    config: str | Path | None = None,
    kafka: Mapping[str, str] | None = None,
    topic: str | None = None,
) -> "Subscription":
    """Alerts as they come, shared between all who subscribe with the same `group`.

    Args:
        group: the consumer group: a name of your own. It remembers what was handled.
        states: only these, such as `firing`; all when empty.
        kinds: only these, such as `latency`; all when empty.
        match: globs by label name, or by `signal`, `severity` or `owner`; of several globs in a list one has to match.
        from_beginning: a group that is new begins with what the topic holds, not with what comes.
        on_unreadable: told of each record that holds no alert; without it they are logged. They are passed over.
        config: configuration file; without it ./streamgauge.yaml if that exists.
        kafka: connection properties over those of the configuration, such as `{"bootstrap.servers": "localhost:9092"}`.
        topic: the alert topic, over the configuration.

    Raises:
        Refused: the configuration is wrong, Kafka cannot be reached, or there is no such topic.
        ValueError: there is no such state or kind.
    """
    wanted = AlertMatch(states, kinds, match)
    overrides = [Override(("kafka", name), value, OPTION) for name, value in (kafka or {}).items()]
    settings = load(Path(config) if config else None, overrides)
    if group == settings.name:
        raise Refused(
            f"the group {group} is that of the workers; choose a name for your own group", Exit.USAGE
        )
    properties = librdkafka_properties(settings, "member")
    members = AlertGroup(properties, group, topic or settings.alerts.topic, from_beginning=from_beginning)
    return Subscription(members, wanted, on_unreadable or _log)


class Subscription(Iterator[Alert]):
    """The alerts of one subscriber, an iterator that waits for more; use it in a `with` block, or close it.

    An alert counts as handled when the next one is asked for: if the body of the loop raises, or is left by `break`, the
    alert it had comes again, unless it was acked. It belongs to one thread, except for `stop`.

    `unreadable` is how many records held no alert.
    """

    def __init__(
        self, group: AlertGroup, wanted: AlertMatch, on_unreadable: Callable[[Unreadable], None]
    ) -> None:
        self.unreadable = 0
        self._group, self._wanted, self._on_unreadable = group, wanted, on_unreadable
        self._record: Delivery | None = None
        self._stopped = Event()
        self._closed = False

    @property
    def record(self) -> Delivery | None:
        """The record of the alert that was given last: its bytes, headers and place."""
        return self._record

    def __next__(self) -> Alert:
        if self._closed:
            raise StopIteration
        self._group.done()
        while not self._stopped.is_set():
            received = self._group.poll()
            if isinstance(received, Delivery) and self._wanted.wants(received.alert):
                self._record = received
                return received.alert
            if isinstance(received, Unreadable):
                self.unreadable += 1
                self._on_unreadable(received)
            self._group.done()
        raise StopIteration

    def ack(self) -> None:
        """The alert that was given last is handled: commit it now, before the loop goes on.

        Raises:
            KafkaException: Kafka does not answer, or the alert has gone to another subscriber of the group meanwhile.
        """
        self._group.done()
        self._group.commit()

    def stop(self) -> None:
        """End the loop when it next asks for an alert; may be called from a signal handler or another thread."""
        self._stopped.set()

    def close(self) -> None:
        """Commit what was handled and leave the group; a second time it does nothing."""
        if not self._closed:
            self._closed = True
            self._group.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _log(unreadable: Unreadable) -> None:
    log.warning("record.holds_no_alert", what=str(unreadable))
