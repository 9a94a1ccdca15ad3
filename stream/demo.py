"""The demo: a worker on a broker, a simulated platform that publishes to it, and three incidents to find.

This module starts and stops the parts and says when what happens; `simulation` knows what the platform does.
"""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from stream import simulation
from stream.exits import Exit, Refused
from stream.local_broker import free_ports
from stream.publisher import Publisher

HISTORY_DAYS = 14
BUFFER_RECORDS_MAX = 50_000
OVERDUE_AFTER_MS = 22_000
READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
LOG_LINES_SHOWN = 30
GROUP: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500}
"""The embedded broker lets a group wait for half the session timeout before it begins."""
SETTINGS = {
    "name": "streamgauge-demo",
    "sources": [{"topic": "pipeline.events", "format": "events"}],
    "time": {"allowed_lateness": "1s", "idle_timeout": "2s"},
    "snapshot_interval": "2s",
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoWorker:
    """A `streamgauge run` of the demo's own."""

    config: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    url: str

    def wait_until_ready(self) -> None:
        """Wait for `/readyz`.

        Raises:
            Refused: the worker ended, or was not ready in time; the message ends with its last log lines.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._failure(f"the worker ended with exit code {self.process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1):  # noqa: S310  loopback, our own
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise self._failure(f"the worker was not ready within {READY_TIMEOUT_S:g} s")

    def _failure(self, what: str) -> Refused:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return Refused("\n".join([what, *lines]), Exit.FAILURE)


def write_config(folder: Path, bootstrap_servers: str) -> Path:
    """The demo's configuration as a file."""
    path = folder / "streamgauge.yaml"
    kafka: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, **GROUP}
    path.write_text(yaml.safe_dump({"kafka": kafka, **SETTINGS}, sort_keys=False))
    return path


@contextmanager
def demo_worker(config: Path) -> Iterator[DemoWorker]:
    """A running worker; stopped, and waited for, at the end."""
    log = config.with_name("worker.log")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "stream", "run", "--config", str(config), "--http-port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=os.environ
        )
    try:
        yield DemoWorker(config, log, process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def now_ms() -> int:
    """The wall clock, epoch milliseconds."""
    return int(time.time() * 1000)


def metrics(worker: DemoWorker) -> dict[str, float]:
    """What the worker counts, summed over labels."""
    totals: defaultdict[str, float] = defaultdict(float)
    with urllib.request.urlopen(f"{worker.url}/metrics", timeout=5) as answer:  # noqa: S310  loopback, our own
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                totals[sample.name] += sample.value
    return totals


def publish_history(publisher: Publisher) -> int:
    """Publish two weeks of ordinary runs; returns how many events they were."""
    end_ms = now_ms()
    events = simulation.history(end_ms, HISTORY_DAYS, end_ms + OVERDUE_AFTER_MS)
    for event in events:
        publish(publisher, event)
    publisher.flush(30)
    return len(events)


def publish_incidents(publisher: Publisher, say: Say) -> None:
    """Publish, as they happen, a run that takes too long and one that carries too little."""
    slow, thin = simulation.slow_run(now_ms()), simulation.thin_run(now_ms() + 500)
    events = sorted(
        (event for run in (slow, thin) for event in run.events()), key=lambda event: event["time"]
    )
    for event in events:
        time.sleep(max(0.0, event["time"] / 1000 - time.time()))
        publish(publisher, event)
        say(_told(event))
    publisher.flush(10)


def _told(event: dict[str, Any]) -> str:
    name = f"{event['pipeline']}/{event['task']}"
    if event["state"] == "started":
        return f"{name} started"
    return f"{name} succeeded after {event['duration_ms'] / 1000:.1f} s with {event['rows']:,} rows"


def publish(publisher: Publisher, event: dict[str, Any]) -> None:
    """Publish one event of the simulation."""
    fields = dict(event)
    publisher.event(fields.pop("pipeline"), fields.pop("state"), **fields)
