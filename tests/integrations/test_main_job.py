"""The main job on a real Kafka: events in, alerts out, through `streamgauge run` as users start it."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.alerts import Alert, decode
from detectors.reports import Followed
from detectors.series import series_text
from stream import simulation
from stream.backtest import Backtest, Place, Reading, Recorded, stretches, survey
from stream.ingest import Ingest
from tests.integrations.deployment import ROOT, STREAMGAUGE, Deployment, Worker

Deploy = Callable[..., Deployment]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "tools"
PARTITIONS = 4
DAYS = 450


def incidents(end_ms: int) -> list[dict[str, Any]]:
    """More than a year of the simulated platform, and three incidents."""
    events = simulation.history(end_ms, DAYS, end_ms + 20_000)
    events += [*simulation.slow_run(end_ms + 1000).events(), *simulation.thin_run(end_ms + 2000).events()]
    return sorted(events, key=lambda event: int(event["time"]))


def keyed(events: list[dict[str, Any]]) -> list[tuple[int, bytes]]:
    """Events as values, dealt out to the partitions fifty at a time, and a last one in each: time has gone on."""
    last = {"pipeline": "last", "state": "succeeded", "time": events[-1]["time"] + 60_000}
    dealt = [(number // 50 % PARTITIONS, event) for number, event in enumerate(events)]
    dealt += [(partition, last) for partition in range(PARTITIONS)]
    return [(partition, json.dumps(event).encode()) for partition, event in dealt]


def told(alerts: list[Alert]) -> dict[str, bytes]:
    """Alerts by event id, without their processing times and mode."""
    return {
        alert.event_id: msgspec.json.encode(
            msgspec.structs.replace(alert, detected_at="", detection_delay_ms=0, mode="live")
        )
        for alert in alerts
    }


def reference(deployment: Deployment, values: list[tuple[int, bytes]]) -> tuple[list[Alert], list[Followed]]:
    """Alerts and state of the same records, at the same positions, folded in one process."""
    topic, config = deployment.topic("events"), deployment.config
    records = [Recorded(Place(topic, partition), value, 0, -1) for partition, value in values]
    ingest = Ingest(
        {topic: "events"},
        config.topics.samples_partitions,
        {topic: PARTITIONS},
        config.limits_for_ingest(),
        300_000,
    )
    settings = config.settings()
    reading = Reading(ingest, settings.allowed_lateness_ms, int(time.time() * 1000))
    left = survey(records, {topic: "events"}).places
    backtest = Backtest(settings)
    return list(backtest.run(reading.outputs(stretches(records, left)))), backtest.followed()


def test_alerts_and_state_are_those_of_an_undisturbed_run_over_kill_9_and_restarts(deploy: Deploy) -> None:
    unhurried = {"time": {"allowed_lateness": "1s", "idle_timeout": "10m"}}
    deployment = deploy({"events": "events"}, unhurried)
    values = keyed(incidents(int(time.time() * 1000) - 120_000))
    expected, expected_state = reference(deployment, values)
    assert {alert.kind for alert in expected} >= {"latency", "volume", "freshness"}
    deployment.publish("events", values)
    seen = [killed_after(deployment.start(), wait_s) for wait_s in (0.0, 0.3, 0.6)]
    worker = deployment.start()
    deployment.wait_until_read(worker)
    deployment.wait_for_alerts(len(told(expected)))
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    assert any(0 < records < len(values) for records in seen), f"no kill fell into the work: {seen}"
    assert told(deployment.alerts()) == told(expected)
    assert watched(deployment.followed()) == watched(expected_state)
    assert told(backtested(deployment)) == told(expected)


def backtested(deployment: Deployment) -> list[Alert]:
    """What `streamgauge backtest` says of what Kafka holds of a deployment's events."""
    command = [*STREAMGAUGE, "backtest", "--from", f"{deployment.topic('events')}@-1h"]
    command += ["--config", str(deployment.config_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [decode(line) for line in done.stdout.splitlines()]


def killed_after(worker: Worker, wait_s: float) -> float:
    """Kill a worker some time after it has begun to work; the records it had counted by then."""
    deadline = time.monotonic() + 60
    while not worker.metric("streamgauge_records_total") and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(wait_s)
    seen = worker.metric("streamgauge_records_total")
    assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    return seen


def watched(followed: list[Followed]) -> list[Followed]:
    """The series but those of the last events, which a live worker still holds back for late ones."""
    return sorted(series for series in followed if ("pipeline", "last") not in series.labels)


@pytest.fixture
def openlineage(deploy: Deploy) -> Deployment:
    """A worker's stored state after it has read the recorded OpenLineage streams of three tools."""
    deployment = deploy({"openlineage": "openlineage"})
    lines = [
        line
        for tool in ("airflow", "dbt", "dagster")
        for line in (FIXTURES / f"ol_{tool}.jsonl").read_text().splitlines()
    ]
    values = [
        (number % PARTITIONS, json.dumps(json.loads(line)["value"]).encode())
        for number, line in enumerate(lines)
    ]
    deployment.publish("openlineage", values)
    worker = deployment.start()
    deployment.wait_until_read(worker)
    wait_until_settled(worker, len(values))
    assert worker.metric("streamgauge_records_total") == len(values)
    assert worker.metric("streamgauge_dead_letters_total") == 0
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    return deployment


def wait_until_settled(worker: Worker, records: int) -> None:
    """Wait until so many records are in stored state and none of their rows is pending."""
    pending = 'streamgauge_stage_size{name="pending_rows",stage="detect"}'
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if worker.metric("streamgauge_records_total") >= records and f"{pending} 0.0" in worker.metrics():
            return
        time.sleep(0.2)
    raise AssertionError(worker.metrics())


def latest(deployment: Deployment, signal_name: str) -> dict[str, float | None]:
    """The latest sample of each series of one signal, by its name."""
    return {
        series_text(series.signal, series.labels): series.latest
        for series in deployment.followed()
        if series.signal == signal_name
    }


def test_openlineage_from_airflow_dbt_and_dagster_gives_latency_failure_and_schema_series(
    openlineage: Deployment,
) -> None:
    latency = latest(openlineage, "latency")
    assert latency['latency{namespace="af",pipeline="etl_demo",task="extract"}'] == 4340
    assert latency['latency{namespace="dbt-test2",pipeline="model.shop.orders"}'] == 172
    assert latency['latency{namespace="dagster-test",pipeline="raw"}'] == 121
    failures = latest(openlineage, "failures")
    assert failures['failures{namespace="af",pipeline="etl_demo",task="extract"}'] == 0
    assert failures['failures{namespace="af",pipeline="etl_demo",task="load"}'] == 1
    assert (
        failures['failures{namespace="dbt-test2",pipeline="test.shop.not_null_orders_amount.106140f9fd"}']
        == 1
    )
    assert failures['failures{namespace="dbt-test2",pipeline="model.shop.orders"}'] == 0
    assert failures['failures{namespace="dagster-test",pipeline="raw"}'] == 0
    assert failures['failures{namespace="dagster-test",pipeline="bad"}'] == 1
    fields = latest(openlineage, "schema")
    assert fields['schema{dataset="shop.main.orders",namespace="duckdb://shop.duckdb"}'] == 2
    assert fields['schema{dataset="raw",namespace="dagster-test"}'] == 1


GOOD = {"pipeline": "good", "state": "succeeded", "duration_ms": 5}


def bad_values() -> dict[str, bytes]:
    """One record of each kind that must not cost its neighbours."""
    nested = b'{"a":' * 100 + b"1" + b"}" * 100
    return {
        "truncated": b'{"pipeline": "x", "sta',
        "huge": json.dumps({**GOOD, "error": "x" * (10 << 20)}).encode(),
        "wrong type": b'{"pipeline": 5, "state": "succeeded", "time": 1}',
        "100 deep": b'{"pipeline": "x", "state": "succeeded", "time": 1, "extra": ' + nested + b"}",
        "not UTF-8": b'{"pipeline": "\xff\xfe", "state": "succeeded", "time": 1}',
        "year 9999": b'{"pipeline": "x", "state": "succeeded", "time": "9999-12-31T23:59:59Z"}',
    }


def test_bad_records_are_dead_lettered_with_reason_and_position_and_their_neighbours_are_read(
    deploy: Deploy,
) -> None:
    deployment = deploy({"events": "events"}, source_config={"max.message.bytes": str(12 << 20)})
    start_ms = int(time.time() * 1000) - 3_600_000
    values: list[tuple[int, bytes]] = []
    for number, bad in enumerate(bad_values().values()):
        good = json.dumps({**GOOD, "time": start_ms + number * 1000}).encode()
        values += [(0, good), (0, bad), (0, good.replace(b'"good"', b'"other"'))]
    deployment.publish("events", values)
    worker = deployment.start()
    deployment.wait_until_read(worker)
    wait_until_settled(worker, len(values))
    assert worker.metric("streamgauge_records_total") == len(values)
    assert worker.metric("streamgauge_dead_letters_total") == len(bad_values())
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    letters = deployment.records(deployment.config.dead_letters.topic)
    said = [(headers["reason"].decode(), int(headers["offset"])) for _, _, headers in letters]
    assert sorted(said, key=lambda pair: pair[1]) == [
        ("not_json", 1),
        ("oversize", 4),
        ("wrong_type", 7),
        ("too_deep", 10),
        ("not_utf8", 13),
        ("future_time", 16),
    ]
    counts = {labels: n for name, labels, _, n, _ in deployment.followed() if name == "latency"}
    assert counts == {(("pipeline", "good"),): 6, (("pipeline", "other"),): 6}


def test_metrics_of_both_kinds_become_series_and_a_spike_in_one_is_an_alert(deploy: Deploy) -> None:
    deployment = deploy({"metrics": "metrics"})
    start_ms = int(time.time() * 1000) - 4 * 86_400_000
    rng = random.Random(4)
    values: list[tuple[int, bytes]] = []
    for minute in range(0, 3 * 1440, 2):
        time_ms = start_ms + minute * 60_000
        depth = 900.0 if minute in (4000, 4002) else rng.gauss(50, 4)
        ours = {"name": "queue_depth", "value": depth, "time": time_ms, "labels": {"queue": "orders"}}
        stamp = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        adapter = {
            "name": "cpu",
            "value": f"{rng.gauss(0.5, 0.02):.4f}",
            "timestamp": stamp,
            "labels": {"host": "a"},
        }
        values += [(0, json.dumps(ours).encode()), (1, json.dumps(adapter).encode())]
    deployment.publish("metrics", values)
    worker = deployment.start()
    deployment.wait_until_read(worker)
    wait_until_settled(worker, len(values))
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    known = [(dict(it.labels), it.n) for it in deployment.followed() if it.signal == "value"]
    counts = {(labels["name"], labels.get("measure")): n for labels, n in known}
    samples, hours = 3 * 720, 3 * 24 - 2
    assert {name: n for (name, of), n in counts.items() if of is None} == {
        "queue_depth": samples,
        "cpu": samples,
    }
    assert all(n in (hours, hours + 1) for (_, of), n in counts.items() if of == "hourly_mean")
    (alert, *_) = (alert for alert in deployment.alerts() if alert.observed == 900)
    assert (alert.kind, alert.labels["name"], alert.direction) == ("value", "queue_depth", "up")
