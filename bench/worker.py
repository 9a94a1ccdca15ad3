"""What one worker reads a second from a real Kafka, from a topic that is filled before it starts."""

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import nullcontext
from pathlib import Path

import yaml
from confluent_kafka import Producer

from bench.stages import run_events
from stream.config import load
from stream.local_broker import free_ports
from stream.testing.choice import choose_broker, describe
from stream.topics import Broker, create, wanted

PARTITIONS = 4
TIMEOUT_S = 300.0


def machine() -> str:
    """The machine and the interpreter."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def measure(count: int) -> tuple[str, float]:
    """The broker used, and the seconds from the first event that is in stored state to the last."""
    choice = choose_broker()
    with choice.make() or nullcontext() as started, tempfile.TemporaryDirectory() as folder:
        servers = started.bootstrap_servers if started else choice.bootstrap_servers or ""
        config = _deploy(Path(folder), servers, count)
        return describe(choice, servers).description, _read(config, Path(folder), count)


def _deploy(folder: Path, servers: str, count: int) -> Path:
    path = folder / "streamgauge.yaml"
    name = f"bench-{os.getpid()}"
    source = f"{name}.events"
    said = {
        "name": name,
        "kafka": {"bootstrap.servers": servers},
        "sources": [{"topic": source, "format": "events"}],
        "snapshot_interval": "1s",
    }
    path.write_text(yaml.safe_dump({**said, "alerts": {"topic": f"{name}.alerts"}}))
    config = load(path)
    create(Broker(config).admin, wanted(config))
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    for number, value in enumerate(run_events(count, int(time.time() * 1000))):
        producer.produce(source, value, partition=number % PARTITIONS)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush(TIMEOUT_S)
    return path


def _read(config: Path, folder: Path, count: int) -> float:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "stream", "run", "--config", str(config), "--http-port", str(port)]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        began, seen_first, seen = 0.0, 0.0, 0.0
        deadline = time.monotonic() + TIMEOUT_S
        while seen < count:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "worker.log").read_text())
            time.sleep(0.1)
            seen = _records_read(port)
            if seen and not began:
                began, seen_first = time.monotonic(), seen
        return (time.monotonic() - began) * count / max(1.0, count - seen_first)
    finally:
        process.terminate()
        process.wait()


def _records_read(port: int) -> float:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0.0
    return sum(
        float(found) for found in re.findall(r"^streamgauge_records_total{.*} (\S+)$", text, re.MULTILINE)
    )
