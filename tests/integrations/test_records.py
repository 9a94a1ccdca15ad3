"""A topic of anyone's JSON, on a real broker: its schema is learned, a change is an alert, and a `kill -9` changes nothing."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

from detectors.alerts import State
from tests.integrations.deployment import PARTITIONS, Deployment, Worker

Deploy = Callable[..., Deployment]
RECORDS, CHANGED, REPEATED = 16_000, 12_000, 1_200
SOURCE = {
    "format": "records",
    "event_time": {"path": "meta.at"},
    "labels": {"region": {"path": "region"}},
    "id": {"path": "meta.id"},
}


def records(start_ms: int) -> list[tuple[int, bytes]]:
    """Orders of two regions, whose amount becomes text in one of them."""
    values = []
    for number in range(RECORDS):
        region = ("eu", "us")[number // PARTITIONS % 2]
        changed = region == "us" and number >= CHANGED
        record: dict[str, Any] = {
            "meta": {"at": start_ms + number * 10, "id": number},
            "region": region,
            "amount": f"{number}" if changed else number,
            "items": [{"sku": "a"}] * (number % 3),
        }
        values.append((number % PARTITIONS, json.dumps(record).encode()))
    return values


def wait_until_stored(worker: Worker, count: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if worker.metric("streamgauge_records_total") >= count:
            return
        time.sleep(0.2)
    raise AssertionError(worker.metrics())


def test_a_changed_type_is_one_alert_with_its_first_record_repeats_are_another_and_each_record_counts_once_over_a_kill(
    deploy: Deploy,
) -> None:
    deployment = deploy(
        {"orders": SOURCE}, {"time": {"allowed_lateness": "1s", "idle_timeout": "2s", "window": "10s"}}
    )
    values = records(int(time.time() * 1000) - 600_000)
    deployment.publish("orders", values[: CHANGED // 2])
    worker = deployment.start()
    wait_until_stored(worker, CHANGED // 4)
    assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    deployment.publish("orders", [*values[CHANGED // 2 :], (0, b"no JSON"), *values[-REPEATED:]])
    worker = deployment.start()
    wait_until_stored(worker, RECORDS + 1 + REPEATED - CHANGED // 2)
    deployment.wait_until_read(worker)
    deadline = time.monotonic() + 60
    while {"schema", "duplicates"} - {it.kind for it in deployment.alerts()} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()

    topic = deployment.topic("orders")
    (alert,) = [it for it in deployment.alerts() if it.kind == "schema" and it.sequence == 1]
    assert alert.state is State.FIRING
    assert (alert.kind, alert.series.labels) == ("schema", {"region": "us", "topic": topic})
    change = alert.schema_change
    assert change is not None
    assert (change.change, change.path, change.from_, change.to) == (
        "type_changed",
        "amount",
        "integer",
        "string",
    )
    assert (change.first.topic, change.first.first_offset) == (topic, (CHANGED + PARTITIONS) // PARTITIONS)
    letters = deployment.records(deployment.config.dead_letters.topic)
    assert [headers["reason"] for _, _, headers in letters] == [b"not_json"]
    (repeats,) = [
        it
        for it in deployment.alerts()
        if (it.kind, it.sequence, it.labels.get("region")) == ("duplicates", 1, "eu")
    ]
    assert repeats.observed is not None
    assert repeats.observed > 0.3
    known = {
        dict(series.labels)["region"]: series for series in deployment.followed() if series.signal == "schema"
    }
    assert {region: series.latest for region, series in known.items()} == {"eu": 9, "us": 9}
