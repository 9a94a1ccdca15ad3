"""A model that is added by `config apply` on a real Kafka knows the 30 days before, and judges at once; a kill in between changes nothing."""

import json
import random
import signal
import time
from collections.abc import Callable, Iterable

import yaml
from typer.testing import CliRunner

from detectors.alerts import Alert
from detectors.wording import time_text
from stream.cli import app
from tests.integrations.deployment import PATIENCE_S, Deployment, Worker

Deploy = Callable[..., Deployment]
MODEL = "river.anomaly.HalfSpaceTrees"
STEP_MS, DAYS = 600_000, 30
LIVE = 24
"""Samples that come after the model; the later half of them is an incident."""
NOTHING_WAITS = 'streamgauge_stage_size{name="pending_rows",stage="detect"} 0.0'
"""A model finds no past to learn while the rows wait for partitions without records: it learns of them as they come."""
WARMED = 'streamgauge_stage_events_total{event="models_warmed"} 1.0'


def depth(times_ms: Iterable[int], level: float) -> Iterable[tuple[int, bytes]]:
    rng = random.Random(5)
    for at_ms in times_ms:
        for name in ("queue_depth", "other_depth"):
            value = rng.gauss(level if name == "queue_depth" else 50.0, 5.0)
            yield 0, json.dumps({"name": name, "value": value, "time": at_ms}).encode()


def test_a_model_that_is_added_judges_at_once_by_30_days_of_history(deploy: Deploy) -> None:
    deployment = deploy({"metrics": "metrics"})
    now_ms = time.time_ns() // 1_000_000
    begin_ms, live_ms = now_ms - DAYS * 144 * STEP_MS, now_ms - LIVE * STEP_MS
    deployment.publish("metrics", depth(range(begin_ms, live_ms, STEP_MS), 50.0))
    worker = deployment.start()
    deployment.wait_until_read(worker)
    wait_until_shown(worker, NOTHING_WAITS)

    modelled = yaml.safe_load(deployment.config_path.read_text())
    modelled["series"] = [
        {"match": {"name": "queue_depth"}, "model": MODEL, "parameters": {"n_trees": 5, "height": 6}}
    ]
    file = deployment.folder / "modelled.yaml"
    file.write_text(yaml.safe_dump(modelled))
    applied = CliRunner().invoke(app, ["config", "apply", str(file), "--timeout", "60s"])
    assert applied.exit_code == 0, applied.output
    wait_until_shown(worker, WARMED)
    worker.end(signal.SIGKILL)
    worker = deployment.start()

    middle_ms = live_ms + LIVE // 2 * STEP_MS
    deployment.publish("metrics", depth(range(live_ms, middle_ms, STEP_MS), 50.0))
    deployment.publish("metrics", depth(range(middle_ms, now_ms, STEP_MS), 130.0))
    alert = wait_for_alert(deployment, middle_ms)
    assert (alert.labels["name"], alert.baseline.method) == ("queue_depth", MODEL)
    assert not alert.baseline.warming
    assert alert.transition_reason == "opened: unusual"
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()


def wait_for_alert(deployment: Deployment, since_ms: int) -> Alert:
    """The first alert that began from a time on."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := [it for it in deployment.alerts() if it.starts_at >= time_text(since_ms)]:
            return found[0]
        time.sleep(0.2)
    raise AssertionError([(it.summary, it.starts_at) for it in deployment.alerts()])


def wait_until_shown(worker: Worker, shown: str) -> None:
    """Wait until a line is among the worker's metrics."""
    deadline = time.monotonic() + PATIENCE_S
    while shown not in worker.metrics():
        assert time.monotonic() < deadline, worker.metrics()
        time.sleep(0.1)
