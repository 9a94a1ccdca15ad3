"""Settings of single series on a real Kafka: a declared schedule from the second day on, a correction, and the shadow topic."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from detectors.alerts import Alert, Mode, State, decode
from tests.integrations.deployment import PATIENCE_S, Deployment

Deploy = Callable[..., Deployment]
DAY_MS, MINUTE_MS = 86_400_000, 60_000


def run_of(pipeline: str, time_ms: int) -> tuple[int, bytes]:
    said = {"pipeline": pipeline, "state": "succeeded", "time": time_ms, "run_id": f"{pipeline}-{time_ms}"}
    return 0, json.dumps(said).encode()


def in_shadow(deployment: Deployment) -> list[Alert]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := deployment.records(deployment.config.shadow_alerts_topic):
            return [decode(value or b"") for _, value, _ in found]
        time.sleep(0.2)
    raise AssertionError("\n".join(worker.log.read_text() for worker in deployment.workers))


@pytest.fixture
def expected_ms() -> int:
    """Some minutes ago, to the minute."""
    return (time.time_ns() // 1_000_000 // MINUTE_MS - 6) * MINUTE_MS


def test_a_run_that_is_missing_on_its_second_day_fires_and_is_corrected_when_it_was_only_told_late(
    deploy: Deploy, expected_ms: int
) -> None:
    clock = datetime.fromtimestamp(expected_ms / 1000, UTC)
    schedule = f"{clock.minute} {clock.hour} * * * within 2m"
    deployment = deploy(
        {"events": "events"},
        {
            "series": [
                {"match": {"pipeline": "*", "signal": "freshness"}, "schedule": schedule},
                {"match": {"pipeline": "refunds"}, "mode": "shadow"},
                {"match": {"pipeline": "clock"}, "mode": "off"},
            ]
        },
    )
    worker = deployment.start()

    def history() -> Iterator[tuple[int, bytes]]:
        yield run_of("orders", expected_ms - DAY_MS)
        yield run_of("refunds", expected_ms - DAY_MS)
        yield from (run_of("clock", expected_ms + n * MINUTE_MS) for n in range(5))

    deployment.publish("events", history())
    fired = deployment.wait_for_alerts(1)[0]
    assert (fired.state, fired.transition_reason) == (State.FIRING, "opened: run_overdue")
    assert fired.labels["pipeline"] == "orders"
    assert fired.baseline.method == "declared_schedule"
    (aside,) = in_shadow(deployment)
    assert (aside.labels["pipeline"], aside.mode) == ("refunds", Mode.SHADOW)

    deployment.publish(
        "events", [run_of("orders", expected_ms + 1000), run_of("clock", expected_ms + 5 * MINUTE_MS)]
    )
    alerts = {it.event_id: it for it in deployment.wait_for_alerts(2)}
    assert {it.labels["pipeline"] for it in alerts.values()} == {"orders"}
    corrected = max(alerts.values(), key=lambda it: it.sequence)
    assert (corrected.state, corrected.transition_reason) == (State.CORRECTED, "corrected: run_on_time")
    assert corrected.notify
    assert corrected.alert_id == fired.alert_id
    latest = {key: value for key, value, _ in deployment.records(deployment.config.alerts.state_topic)}
    assert latest[fired.alert_id.encode()] is None
    assert worker.process.poll() is None
