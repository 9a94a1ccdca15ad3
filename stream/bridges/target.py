"""Target: where a bridge takes alerts, and the two ways in which it can fail to take one."""

from typing import Final, Protocol

from detectors.alerts import Alert, Mode, State
from stream.alert_group import Delivery
from stream.formats.dead import DeadReason

STALE_MS: Final = 86_400_000


class NotDelivered(Exception):
    """The target did not take an alert; `reason` is the word for it."""

    reason: DeadReason


class Rejected(NotDelivered):
    """The target refuses this alert, and would do so again."""

    reason = DeadReason.REFUSED


class Unavailable(NotDelivered):
    """The target cannot take anything now; `retry_after_s` is how long it asks to be left alone."""

    reason = DeadReason.UNAVAILABLE

    def __init__(self, why: str, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Target(Protocol):
    """What a bridge needs of a target."""

    def wants(self, alert: Alert) -> bool:
        """Whether it is told of this alert at all."""

    def deliver(self, delivery: Delivery) -> None:
        """Take it there.

        Raises:
            NotDelivered: it was not taken.
        """

    def keep_up(self) -> None:
        """Whatever is due beside deliveries; called several times a second while there is nothing to retry."""

    def close(self) -> None:
        """Nothing more is delivered."""


def is_notification(alert: Alert) -> bool:
    """Whether a target may be told of it: a live alert that people are to be told of, or that somebody has acknowledged; never one that is pending or suppressed.

    What was found more than a day after it happened is history: a worker that reads a backlog of weeks for the first time pages nobody. What is still open then is
    told when its reminder is due.
    """
    told = alert.notify or alert.state is State.ACKNOWLEDGED
    return (
        alert.mode is Mode.LIVE
        and alert.detection_delay_ms <= STALE_MS
        and told
        and alert.state not in {State.PENDING, State.SUPPRESSED}
    )
