"""A bridge without Kafka: records, target and dead letters that do what a test says."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Event

from detectors.alerts import Alert, encode
from stream.alert_group import Delivery, Unreadable
from stream.bridges.bridge import Bridge
from stream.bridges.retries import Retries
from stream.bridges.target import NotDelivered, Unavailable
from stream.bridges.telemetry import BridgeTelemetry
from stream.formats.dead import Position


def delivery(alert: Alert, offset: int = 0) -> Delivery:
    """An alert as it comes from the topic."""
    return Delivery(alert, encode(alert), (), Position("alerts", 0, offset, 1_000))


PATIENT = Retries(refusals_max=3, retry_for_s=1e9)


class Script:
    """Records in, what happens to each out; the bridge is told to stop when there are no more.

    Args:
        records: what comes, in order.
        outcomes: what befalls each attempt to deliver: None, or what it fails of; None for ever when they run out.
        letters: the same of each attempt to write a dead letter.
        retries: when to give up.
        keeps: whether the record under way is still the bridge's after a wait.
    """

    def __init__(
        self,
        records: Iterable[Delivery | Unreadable],
        outcomes: Iterable[NotDelivered | None] = (),
        letters: Iterable[Unavailable | None] = (),
        retries: Retries = PATIENT,
        keeps: Callable[[], bool] = lambda: True,
    ) -> None:
        self.joined, self.closed, self.kept_up = True, 0, 0
        self.done_offsets: list[int] = []
        self.delivered: list[Delivery] = []
        self.buried: list[tuple[Delivery, str, str]] = []
        self.waits: list[float] = []
        self.telemetry = BridgeTelemetry("test")
        self.stop = Event()
        self._records, self._outcomes, self._letters = deque(records), deque(outcomes), deque(letters)
        self._keeps, self._under_way = keeps, -1
        self.bridge = Bridge("webhook/test", self, self, retries, self, self.telemetry, self.stop)  # type: ignore[arg-type]

    def count(self, name: str, *labels: str) -> float:
        """The value of a metric."""
        value: float = getattr(self.telemetry, name).labels("webhook/test", *labels)._value.get()
        return value

    def poll(self) -> Delivery | Unreadable | None:
        if not self._records:
            self.stop.set()
            self._under_way = -1
            return None
        record = self._records.popleft()
        self._under_way = record.place.offset
        return record

    def done(self) -> None:
        if self._under_way >= 0:
            self.done_offsets.append(self._under_way)
        self._under_way = -1

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        self.waits.append(seconds)
        return self._keeps() and not until()

    def lag(self) -> int:
        return len(self._records)

    def close(self) -> None:
        self.closed += 1

    def wants(self, alert: Alert) -> bool:
        return alert.severity != "info"

    def deliver(self, given: Delivery) -> None:
        self._play(self._outcomes)
        self.delivered.append(given)

    def keep_up(self) -> None:
        self.kept_up += 1

    def write(self, given: Delivery, why: NotDelivered, bridge: str) -> None:
        self._play(self._letters)
        self.buried.append((given, why.reason, bridge))

    def _play(self, outcomes: deque[NotDelivered | None] | deque[Unavailable | None]) -> None:
        if outcomes and (outcome := outcomes.popleft()) is not None:
            raise outcome
