"""A storm on a real Kafka: thousands of series fire in one minute, a worker is killed in the middle; few notices, and every alert is there."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from detectors.alerts import Alert, Kind
from detectors.commands import Outcome
from stream import answers
from tests.detectors.triage_log import moment
from tests.faults.topic_log import ends
from tests.integrations.deployment import PARTITIONS, PATIENCE_S, Deployment

Deploy = Callable[..., Deployment]
SERIES: Final = 2_000
MINUTE_MS: Final = 60_000
EVERY_MS: Final = 60 * MINUTE_MS
LEARNED_RUNS: Final = 10
BEGIN_MS: Final = 1_780_000_000_000
STORM_MS: Final = BEGIN_MS + LEARNED_RUNS * EVERY_MS
NOTICES_MAX: Final = 5


def run(number: int, time_ms: int, duration_ms: int) -> tuple[int, bytes]:
    said = {"pipeline": f"p{number}", "state": "succeeded", "time": time_ms, "duration_ms": duration_ms}
    return number % PARTITIONS, json.dumps(said).encode()


def learned() -> Iterator[tuple[int, bytes]]:
    for number in range(LEARNED_RUNS):
        for series in range(SERIES):
            yield run(series, BEGIN_MS + number * EVERY_MS + series, 60_000 + 137 * (number + series) % 4000)


def storm() -> Iterator[tuple[int, bytes]]:
    """Within a minute every pipeline has a run that takes an hour; then time goes on in every partition."""
    for series in range(SERIES):
        yield run(series, STORM_MS + series * MINUTE_MS // SERIES, EVERY_MS)
    for partition in range(PARTITIONS):
        yield run(SERIES + partition, STORM_MS + 5 * MINUTE_MS, 1000)


def of_pipelines(deployment: Deployment) -> list[Alert]:
    return [it for it in deployment.alerts() if it.kind is Kind.LATENCY]


def test_a_storm_is_few_notices_and_no_alert_is_lost_or_different_over_a_kill(deploy: Deploy) -> None:
    deployment = deploy({"events": "events"}, {"time": {"allowed_lateness": "1s", "idle_timeout": "10m"}})
    deployment.publish("events", learned())
    first = deployment.start()
    deployment.wait_until_read(first)
    deployment.publish("events", storm())
    topic, deadline = deployment.config.alerts.topic, time.monotonic() + PATIENCE_S
    while not ends(deployment.bootstrap_servers, topic) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL

    until = moment(STORM_MS + 6 * EVERY_MS)
    said: dict[str, Any] = {
        "command": "silence",
        "command_id": "s",
        "author": "eva",
        "match": {"pipeline": "p1?"},
    }
    said |= {"time": moment(STORM_MS), "until": until}
    deployment.publish("commands", [(0, msgspec.json.encode(said))])
    deployment.start()
    while len({it.alert_id for it in of_pipelines(deployment)}) < SERIES and time.monotonic() < deadline:
        time.sleep(0.5)
    alerts = deployment.alerts()
    once = {it.event_id: it for it in alerts}
    assert len({it.alert_id for it in once.values() if it.kind is Kind.LATENCY}) == SERIES
    assert len({(it.alert_id, it.sequence) for it in once.values()}) == len(once)
    assert 0 < sum(it.notify for it in once.values()) <= NOTICES_MAX
    while not (audit := deployment.records(deployment.config.audit.topic)) and time.monotonic() < deadline:
        time.sleep(0.1)
    ((_, value, _),) = audit
    assert answers.decode(value or b"").outcome is Outcome.DONE
