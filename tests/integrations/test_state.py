"""State is exported from one deployment and imported into another with other shards: what was learned and what people asked for goes on there."""

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from detectors.alerts import Alert, State
from stream.cli import app
from stream.exits import Exit, Refused
from tests.integrations.deployment import PATIENCE_S, Deployment

pytestmark = pytest.mark.needs_apache
Deploy = Callable[..., Deployment]
PIPELINES = [f"pipeline-{number}" for number in range(8)]
HOUR_MS = 3_600_000
RUNS = 150


def say(deployment: Deployment, *arguments: str) -> Result:
    options = ["--config", str(deployment.config_path)]
    return CliRunner().invoke(app, [*arguments, *options], catch_exceptions=True)


def said(deployment: Deployment, *arguments: str) -> Result:
    """The same of a command that has to succeed."""
    result = say(deployment, *arguments)
    assert result.exit_code == Exit.OK, (result.output, result.exception)
    return result


def refusal(deployment: Deployment, *arguments: str) -> Refused:
    result = say(deployment, *arguments)
    assert isinstance(result.exception, Refused), (result.output, result.exception)
    return result.exception


def run(pipeline: str, time_ms: int, duration_ms: float) -> tuple[int, bytes]:
    event = {"pipeline": pipeline, "state": "succeeded", "time": time_ms, "duration_ms": duration_ms}
    return PIPELINES.index(pipeline) % 4, json.dumps({**event, "run_id": f"{pipeline}-{time_ms}"}).encode()


def history(now_ms: int) -> Iterator[tuple[int, bytes]]:
    """Hourly runs of every pipeline up to now."""
    chance = random.Random(7)
    for number in range(RUNS, 0, -1):
        for pipeline in PIPELINES:
            yield run(
                pipeline,
                now_ms - number * HOUR_MS + chance.randrange(60_000),
                60_000 * chance.uniform(0.9, 1.1),
            )


def wait_for(deployment: Deployment, is_it: Callable[[Alert], bool]) -> Alert:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := [it for it in deployment.alerts() if is_it(it)]:
            return found[-1]
        time.sleep(0.3)
    raise AssertionError(f"{deployment.alerts()}\n{deployment.workers[-1].log.read_text()}")


def is_slow(pipeline: str) -> Callable[[Alert], bool]:
    return lambda alert: alert.kind == "latency" and alert.labels["pipeline"] == pipeline


@pytest.fixture
def learned(deploy: Deploy) -> Deployment:
    """A deployment of three shards that has learned, with one alert that was acknowledged and a silence."""
    deployment = deploy({"events": "events"}, {"topics": {"samples_partitions": 3}})
    now_ms = time.time_ns() // 1_000_000
    deployment.publish("events", history(now_ms))
    worker = deployment.start()
    worker.wait_for("worker.ready")
    deployment.wait_until_read(worker)
    deployment.publish("events", [run("pipeline-0", now_ms, 1_200_000)])
    alert = wait_for(deployment, is_slow("pipeline-0"))
    said(deployment, "ack", alert.alert_id, "--author", "eva", "--timeout", "60s")
    said(
        deployment,
        "silence",
        "--match",
        "pipeline=pipeline-1",
        "--for",
        "4h",
        "--author",
        "eva",
        "--timeout",
        "60s",
    )
    return deployment


def elsewhere(deploy: Deploy, learned: Deployment, shards: int, **more: Any) -> Deployment:
    """Another deployment on the same sources."""
    sources = [{"topic": learned.topic("events"), "format": "events"}]
    return deploy({}, {"topics": {"samples_partitions": shards}, "sources": sources, **more})


def test_state_goes_on_in_another_deployment_with_other_shards(
    deploy: Deploy, learned: Deployment, tmp_path: Path
) -> None:
    file = str(tmp_path / "state.sgs")
    exported = said(learned, "state", "export", file)
    assert "from 3 shards" in exported.stderr
    assert "worker" not in str(refusal(learned, "state", "inspect"))
    assert "are running" in str(refusal(learned, "state", "import", file))
    assert learned.workers[-1].end(signal.SIGTERM) == 0
    said(learned, "state", "export", file)

    summary = json.loads(said(learned, "state", "inspect", file, "--json").stdout)
    assert [it["acknowledged_by"] for it in summary["open_alerts"]] == ["eva"]
    assert [it["match"] for it in summary["silences"]] == [{"pipeline": "pipeline-1"}]
    (latency,) = [it for it in summary["signals"] if it["signal"] == "latency"]
    assert (latency["series"], latency["warming"]) == (len(PIPELINES), 0)
    told = said(learned, "state", "inspect", file, "--series", "latency{pipeline=pipeline-3}", "--json")
    known = json.loads(told.stdout)
    assert known["samples"] == RUNS
    assert 55_000 < known["level"] < 65_000 < known["upper"] < 200_000

    there = elsewhere(deploy, learned, 5)
    assert "nothing was changed" in said(there, "state", "import", file, "--dry-run").stderr
    said(there, "state", "import", file)
    assert "nothing to do" in said(there, "state", "import", file).stderr
    again = str(tmp_path / "again.sgs")
    said(there, "state", "export", again)
    assert (
        json.loads(said(there, "state", "inspect", again, "--json").stdout)["signals"] == summary["signals"]
    )

    worker = there.start()
    worker.wait_for("worker.ready")
    now_ms = time.time_ns() // 1_000_000
    slow = [run(pipeline, now_ms, 1_200_000) for pipeline in ("pipeline-0", "pipeline-1", "pipeline-2")]
    learned.publish("events", slow)
    alarmed = wait_for(there, is_slow("pipeline-2"))
    assert alarmed.state is State.FIRING
    assert not alarmed.baseline.warming
    assert alarmed.baseline.n == RUNS
    there.wait_until_read(worker)
    silenced = wait_for(there, is_slow("pipeline-1"))
    assert silenced.state is State.SUPPRESSED
    assert not [it for it in there.alerts() if is_slow("pipeline-0")(it) and it.state is State.FIRING]
    assert "open alert" in said(there, "state", "inspect", "--from-kafka").stdout
    refused = refusal(learned, "state", "import", file)
    assert "--force" in str(refused)
    assert refused.code == Exit.CONDITION
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()

    said(learned, "state", "import", file, "--force")
    worker = learned.start()
    restored = wait_for(learned, is_slow("pipeline-2"))
    assert restored.alert_id == alarmed.alert_id
    assert restored.baseline.n == RUNS
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
