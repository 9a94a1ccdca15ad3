"""The product itself, killed at random moments: its alerts are those of a run that nobody disturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream.exits import Exit
from tests.faults.scenario import PATIENCE_S, ROOT, Worker, read_topic

HOUR_MS = 3_600_000
PIPELINES = 60
RUNS = 600
INCIDENT_RUNS = range(560, 575)


def run_events(end_ms: int) -> Iterator[dict[str, Any]]:
    """Two events for each hourly run; late in the history three pipelines get slow, thin and failing."""
    chance = random.Random(11)
    for number in range(RUNS):
        for pipeline in range(PIPELINES):
            incident = pipeline if number in INCIDENT_RUNS else None
            start_ms = end_ms - (RUNS - number) * HOUR_MS + pipeline * 20_000 + chance.randrange(5_000)
            duration_ms = int(60_000 * chance.lognormvariate(0, 0.1)) * (8 if incident == 1 else 1)
            rows = int(50_000 * chance.lognormvariate(0, 0.1)) // (12 if incident == 2 else 1)
            base = {"pipeline": f"pipeline-{pipeline}", "task": "load", "run_id": f"{pipeline}-{number}"}
            yield {**base, "state": "started", "time": start_ms}
            state = "failed" if incident == 3 else "succeeded"
            yield {
                **base,
                "state": state,
                "time": start_ms + duration_ms,
                "duration_ms": duration_ms,
                "rows": rows,
            }


class Product:
    """One group of real workers over the shared source topic."""

    def __init__(self, kafka: str, folder: Path, source: str, name: str) -> None:
        self.kafka, self.name, self.alerts_topic = kafka, name, f"{name}.alerts"
        self.folder = folder / name
        self.folder.mkdir()
        self.workers: list[Worker] = []
        self.config = self.folder / "streamgauge.yaml"
        self.config.write_text(
            f"name: {name}\n"
            f"kafka: {{bootstrap.servers: '{kafka}', session.timeout.ms: 3000, heartbeat.interval.ms: 500}}\n"
            f"sources: [{{topic: {source}, format: events}}]\n"
            f"alerts: {{topic: {name}.alerts}}\n"
            "time: {idle_timeout: 2s}\n"
            "snapshot_interval: 1s\n"
            "http: {port: 0}\n"
        )
        assert self.command("topics", "create").wait(PATIENCE_S) == 0

    def command(self, *arguments: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-c", "from stream.cli import main; main()", *arguments]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with (log or Path(os.devnull)).open("wb") as stream:
            return subprocess.Popen(
                [*program, "--config", str(self.config)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path},
                stdout=stream,
                stderr=stream,
            )

    def start(self) -> Worker:
        log = self.folder / f"worker-{len(self.workers)}.log"
        process = self.command("run", "--log-format", "json", log=log)
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    def finish(self, worker: Worker) -> None:
        """Wait until the worker has nothing left to do and time has passed the last record, and drain it."""
        worker.wait_for("shard.loaded", 5)
        quiet_since = time.monotonic()
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() - quiet_since < 5 and time.monotonic() < deadline:
            if worker.metric('streamgauge_stage_size{name="pending_rows",stage="detect"}'):
                quiet_since = time.monotonic()
            time.sleep(0.2)
        assert worker.end(signal.SIGTERM) == Exit.OK, worker.log.read_text()

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert written, repeats included, without its processing times."""
        found = [json.loads(value) for _, value in read_topic(self.kafka, self.alerts_topic) if value]
        return [
            {k: v for k, v in alert.items() if k not in ("detected_at", "detection_delay_ms")}
            for alert in found
        ]

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()


@pytest.fixture
def published(kafka: str, make_topic: Any) -> str:
    """A source topic with a history, in which a pipeline's events lie in any partition."""
    topic: str = make_topic(partitions=4, config={"retention.ms": "-1"})
    chance = random.Random(5)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 50, "acks": "all"})
    events = sorted(run_events(int(time.time() * 1000)), key=lambda event: event["time"])
    for event in events:
        producer.produce(
            topic, json.dumps(event).encode(), partition=chance.randrange(4), timestamp=event["time"]
        )
        producer.poll(0)
    assert producer.flush(60) == 0
    return topic


def test_kills_at_random_moments_change_no_alert(kafka: str, tmp_path: Path, published: str):
    stem = uuid.uuid4().hex[:8]
    undisturbed = Product(kafka, tmp_path, published, f"calm-{stem}")
    killed = Product(kafka, tmp_path, published, f"killed-{stem}")
    chance = random.Random(3)
    try:
        undisturbed.finish(undisturbed.start())
        resumed, told = 0, []
        for _ in range(4):
            worker = killed.start()
            worker.wait_for("shard.loaded")
            time.sleep(chance.uniform(0.3, 2.0))
            assert worker.end(signal.SIGKILL) == -signal.SIGKILL
            resumed += any(line["covered_offset"] != -1 for line in worker.logged("shard.loaded"))
            told.append({alert["event_id"] for alert in killed.alerts()})
        killed.finish(killed.start())
    finally:
        undisturbed.close()
        killed.close()
    expected = {alert["event_id"]: alert for alert in undisturbed.alerts()}
    kinds = Counter(alert["kind"] for alert in expected.values())
    assert {"latency", "volume", "failures"} <= kinds.keys(), f"the incidents were not found: {kinds}"
    assert resumed >= 1, "no worker took up where another was killed"
    assert sum(ids < expected.keys() for ids in told) >= 2, "the kills did not hit workers at work"
    found = killed.alerts()
    assert {alert["event_id"] for alert in found} == expected.keys()
    assert all(alert == expected[alert["event_id"]] for alert in found)
