"""Bridge: takes the alerts of one group to one target, each at least once, in order, and gives none up without a dead letter."""

import math
import random
import sys
import time
from collections.abc import Callable
from threading import Event
from typing import Final, Protocol

import structlog

from stream.alert_group import Delivery, Unreadable
from stream.bridges.dead_letters import DeadLetters
from stream.bridges.retries import Attempts, Retries
from stream.bridges.target import NotDelivered, Target, Unavailable, is_notification
from stream.bridges.telemetry import BridgeTelemetry

STALL_S: Final = 120.0
LAG_EVERY_S: Final = 5.0
NEVER_GIVE_UP: Final = Retries(refusals_max=sys.maxsize, retry_for_s=math.inf)

log = structlog.get_logger(__name__)


class Records(Protocol):
    """What a bridge needs of `stream.alert_group.AlertGroup`."""

    joined: bool

    def poll(self) -> Delivery | Unreadable | None:
        """The next record, if one comes soon."""

    def done(self) -> None:
        """The record given last is handled."""

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Wait without losing membership; whether the record under way is still ours."""

    def lag(self) -> int:
        """Records not handled."""

    def close(self) -> None:
        """Leave."""


class Bridge:
    """One target of one kind, `KIND/NAME`, in a thread of its own: a target that is away holds up no other.

    Args:
        name: `KIND/NAME`, for metrics, logs and dead letters.
        records: its group on the alert topic.
        target: where alerts go.
        retries: when to give one up.
        dead_letters: where those go that are given up.
        telemetry: counts.
        stop: set when it is to end.
    """

    def __init__(
        self,
        name: str,
        records: Records,
        target: Target,
        retries: Retries,
        dead_letters: DeadLetters,
        telemetry: BridgeTelemetry,
        stop: Event,
    ) -> None:
        self.name = name
        self._records, self._target, self._retries = records, target, retries
        self._dead_letters, self._telemetry, self._stop = dead_letters, telemetry, stop
        self._alive_s = time.monotonic()
        self._lag_s = 0.0

    def run(self) -> None:
        """Deliver until told to stop; what is under way then is not committed unless it was taken."""
        try:
            while self._goes_on():
                self._turn()
        finally:
            self._target.close()
            self._records.close()

    def unhealthy(self) -> str | None:
        """Why it should be restarted, if so."""
        stood_s = time.monotonic() - self._alive_s
        return f"{self.name} has stood still for {stood_s:.0f} s" if stood_s > STALL_S else None

    def unready(self) -> str | None:
        """Why it delivers nothing, if so."""
        return None if self._records.joined else f"{self.name} has not joined its group yet"

    def _turn(self) -> None:
        received = self._records.poll()
        self._target.keep_up()
        if isinstance(received, Delivery):
            if not self._handle(received):
                return
        elif received is not None:
            self._telemetry.unreadable.labels(self.name).inc()
            log.warning("record.holds_no_alert", bridge=self.name, what=str(received))
        self._records.done()
        if self._alive_s - self._lag_s > LAG_EVERY_S:
            self._lag_s = self._alive_s
            self._telemetry.lag_records.labels(self.name).set(self._records.lag())

    def _handle(self, delivery: Delivery) -> bool:
        """Whether the record needs nothing more."""
        if not (is_notification(delivery.alert) and self._target.wants(delivery.alert)):
            self._telemetry.passed_over.labels(self.name).inc()
            return True
        return self._until_done(
            lambda: self._deliver(delivery), self._retries, lambda why: self._bury(delivery, why)
        )

    def _deliver(self, delivery: Delivery) -> None:
        self._target.deliver(delivery)
        delay_s = time.time() - delivery.place.timestamp_ms / 1000
        self._telemetry.delivered.labels(self.name, delivery.alert.state).inc()
        self._telemetry.delay_seconds.labels(self.name).observe(max(0.0, delay_s))

    def _bury(self, delivery: Delivery, why: NotDelivered) -> bool:
        return self._until_done(lambda: self._dead_letter(delivery, why), NEVER_GIVE_UP, lambda _: False)

    def _dead_letter(self, delivery: Delivery, why: NotDelivered) -> None:
        self._dead_letters.write(delivery, why, self.name)
        self._telemetry.dead_letters.labels(self.name, why.reason).inc()
        alert = delivery.alert
        log.error(
            "alert.given_up", bridge=self.name, alert=alert.alert_id, sequence=alert.sequence, why=str(why)
        )

    def _until_done(
        self, act: Callable[[], None], retries: Retries, give_up: Callable[[NotDelivered], bool]
    ) -> bool:
        """Try until it is done or given up; whether so, and not because it is not ours to do any more."""
        attempts = Attempts(retries, began_s := time.monotonic())
        while self._goes_on():
            try:
                act()
            except NotDelivered as why:
                tried_s = time.monotonic() - began_s
                self._note(why, attempts.failures, tried_s)
                wait_s = attempts.wait_s(why, began_s + tried_s, random.random())
                if wait_s is None:
                    return give_up(why)
                if not self._records.wait(wait_s, lambda: not self._goes_on()):
                    return False
            else:
                self._telemetry.retrying_seconds.labels(self.name).set(0)
                return True
        return False

    def _note(self, why: NotDelivered, failures: int, tried_s: float) -> None:
        self._telemetry.failures.labels(self.name, why.reason).inc()
        self._telemetry.retrying_seconds.labels(self.name).set(tried_s)
        say = log.info if failures and isinstance(why, Unavailable) else log.warning
        say("delivery.failed", bridge=self.name, why=str(why), tried_s=round(tried_s, 1))

    def _goes_on(self) -> bool:
        """Show that it is alive; whether it was not told to stop."""
        self._alive_s = time.monotonic()
        return not self._stop.is_set()
