"""What the simulator has found, each as small as it can be said."""

import json
from typing import Any

from detectors.alerts import Kind
from detectors.settings import Settings
from stream.sources import Place
from tests.simulator.in_one_process import InOneProcess

TOPIC = "pipeline.events"
START_MS = 1_780_000_000_000
MINUTE_MS = 60_000
ONE, OTHER = Place(TOPIC, 0), Place(TOPIC, 1)
SETTINGS = Settings(allowed_lateness_ms=30_000, idle_timeout_ms=10_000)


def worker(partitions: int = 1, settings: Settings = SETTINGS) -> InOneProcess:
    return InOneProcess({TOPIC: "events"}, {TOPIC: partitions}, settings)


class Feed:
    """Publishes runs of one pipeline to one partition, each read at once."""

    def __init__(self, process: InOneProcess, place: Place) -> None:
        self._process, self._place, self._offset = process, place, 0

    def run(
        self, pipeline: str, minute: float, *, told_s: float = 0.0, read_minute: float | None = None
    ) -> None:
        at_ms = START_MS + int(minute * MINUTE_MS)
        body: dict[str, Any] = {
            "pipeline": pipeline,
            "state": "succeeded",
            "time": at_ms + int(told_s * 1000),
        }
        read_ms = START_MS + int((minute if read_minute is None else read_minute) * MINUTE_MS)
        self._process.read(self._place, [self._offset], [json.dumps(body).encode()], [at_ms], read_ms)
        self._offset += 1


def overdue(process: InOneProcess) -> list[str]:
    opened = (alert for alert in process.alerts.values() if alert.sequence == 1)
    return sorted(alert.starts_at for alert in opened if alert.kind == Kind.FRESHNESS)


def test_a_restart_does_not_change_when_a_run_is_overdue() -> None:
    told = []
    for restarts in (False, True):
        process = worker()
        feed, minute = Feed(process, ONE), 0
        for gap in (15, 1, 10, 10, 15, 1, 1, 1, 10, 1, 10, 15, 1, 1, 1):
            minute += gap
            feed.run("orders", minute)
        if restarts:
            process.restart()
        process.mark(ONE, START_MS + 1_000_000 * MINUTE_MS)
        told.append(overdue(process))
    assert told[0] == told[1]
    assert len(told[0]) == 1


def test_a_partition_whose_owner_is_gone_holds_time_back() -> None:
    """The other partition goes on; when a new owner reads what has waited meanwhile, nothing was silent."""
    process = worker(partitions=2)
    one, other = Feed(process, ONE), Feed(process, OTHER)
    for minute in range(0, 20, 2):
        one.run("payments", minute)
        other.run("orders", minute)
    process.mark(OTHER, START_MS + 19 * MINUTE_MS)
    for minute in range(20, 40, 2):
        one.run("payments", minute)
    for minute in range(20, 40, 2):
        other.run("orders", minute, read_minute=40)
    process.mark(ONE, START_MS + 41 * MINUTE_MS)
    process.mark(OTHER, START_MS + 41 * MINUTE_MS)
    assert overdue(process) == []


def test_a_run_reported_by_a_clock_that_is_fast_is_not_overdue() -> None:
    """Its event time is a second ahead of Kafka's; then nothing comes for a while, but less than a gap."""
    process = worker()
    feed = Feed(process, ONE)
    for minute in range(0, 200, 10):
        feed.run("orders", minute, told_s=1)
    process.mark(ONE, START_MS + 199 * MINUTE_MS)
    feed.run("orders", 200, told_s=1)
    assert overdue(process) == []


def test_an_alert_of_the_series_cap_has_the_same_id_whenever_it_is_read() -> None:
    ids = []
    for read_minute in (5, 6):
        process = worker(settings=Settings(series_max=1))
        feed = Feed(process, ONE)
        for number in range(3):
            feed.run(f"pipeline-{number}", number, read_minute=read_minute)
        process.mark(ONE, START_MS + 10 * MINUTE_MS)
        ids.append(list(process.alerts))
    assert len(ids[0]) == 1
    assert ids[0] == ids[1]
