"""A deployment of Streamgauge on the test broker: its own topics and group, workers as processes, and its alerts."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from detectors.alerts import Alert, decode
from detectors.detect import Detect
from detectors.reports import Followed
from stream.config import Config, librdkafka_properties, load
from stream.local_broker import free_ports
from stream.shard_store import ShardStore
from stream.topics import Broker, create, wanted

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0
PARTITIONS = 4
STREAMGAUGE = (sys.executable, "-m", "stream")


@dataclass
class Worker:
    """One `streamgauge run`."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    def metrics(self) -> str:
        """The text of /metrics; empty while the worker does not answer."""
        return self.get("/metrics")

    @property
    def peak_bytes(self) -> int:
        """The most memory that it has had so far, as Linux says."""
        said = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(said.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        return bool(self.get("/readyz"))

    @property
    def unready(self) -> list[str]:
        """Why /readyz says that it is not ready; empty when it is, and when it does not answer."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
        except urllib.error.HTTPError as refused:
            return list(json.loads(refused.read())["reasons"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        return []

    def get(self, path: str) -> str:
        """What the worker's server answers; empty unless it answers 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    def metric(self, name: str) -> float:
        """A sample, or the sum of a metric's samples."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", self.metrics(), re.MULTILINE)
        return sum(map(float, found))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines with this event."""
        lines = self.log.read_text().splitlines()
        said = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
        return [line for line in said if line["event"] == event]

    def wait_for(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Its log lines with this event, once there are so many."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if len(found := self.logged(event)) >= times:
                return found
            assert self.process.poll() is None, f"the worker ended:\n{self.log.read_text()}"
            time.sleep(0.02)
        raise AssertionError(f"{event} was not logged {times} times:\n{self.log.read_text()}")

    @property
    def stop_reason(self) -> str:
        """Why it ended itself; empty while it has not."""
        return str(self.logged("worker.stopped")[-1]["reason"]) if self.logged("worker.stopped") else ""

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@dataclass
class Deployment:
    """Topics, configuration and workers under one unique name."""

    bootstrap_servers: str
    folder: Path
    sources: Mapping[str, str | Mapping[str, Any]]
    """Topics by a short name, each with its format, or with all that the configuration says of it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    source_config: Mapping[str, str] = field(default_factory=dict)
    copies: int = 1

    def __post_init__(self) -> None:
        self.name = f"it-{uuid.uuid4().hex[:8]}"
        self.workers: list[Worker] = []
        said = {
            "name": self.name,
            "kafka": {
                "bootstrap.servers": self.bootstrap_servers,
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 1500,
            },
            "sources": [
                {"topic": self.topic(name), **({"format": how} if isinstance(how, str) else how)}
                for name, how in self.sources.items()
            ],
            "alerts": {"topic": self.topic("alerts")},
            "time": {"allowed_lateness": "1s", "idle_timeout": "2s"},
            "snapshot_interval": "1s",
            "http": {"port": 0},
            "topics": {"replication_factor": self.copies},
            **self.settings,
        }
        self.config_path = self.folder / f"{self.name}.yaml"
        self.config_path.write_text(yaml.safe_dump(said))
        self.config: Config = load(self.config_path)
        broker = Broker(self.config)
        sources = [
            NewTopic(self.topic(name), PARTITIONS, self.copies, config=dict(self.source_config))
            for name in self.sources
        ]
        for made in broker.admin.create_topics(sources).values() if sources else ():
            made.result()
        create(broker.admin, wanted(self.config))

    def topic(self, name: str) -> str:
        """The full name of one of this deployment's topics."""
        return f"{self.name}.{name}"

    def publish(self, source: str, values: Iterable[tuple[int, bytes]]) -> None:
        """Write values to partitions of a source."""
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "message.max.bytes": 12 << 20,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        refused: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                refused.append(error)

        for partition, value in values:
            producer.produce(self.topic(source), value, partition=partition, on_delivery=delivered)
            producer.poll(0)
        assert producer.flush(60) == 0
        assert not refused

    def start(
        self,
        program: Sequence[str] = STREAMGAUGE,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = ("run",),
    ) -> Worker:
        """Start a worker, or another command that runs like one, by default of this source tree."""
        log = self.folder / f"{self.name}-{len(self.workers)}.log"
        (port,) = free_ports(1)
        options = ["--config", str(self.config_path), "--http-port", str(port), "--log-format", "json"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*program, *command, *options],
                cwd=ROOT,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            )
        self.workers.append(Worker(process, log, port))
        return self.workers[-1]

    def wait_until_read(self, worker: Worker) -> None:
        """Wait until a worker has nothing left to read, internal topics included."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert worker.process.poll() is None, worker.log.read_text()
            if worker.is_ready and self.is_known(worker) and not worker.metric("streamgauge_lag_records"):
                return
            time.sleep(0.2)
        raise AssertionError(f"still lagging:\n{worker.log.read_text()}\n{worker.metrics()}")

    def is_known(self, worker: Worker) -> bool:
        """Whether a worker knows the lag of everything it reads."""
        topics = [self.topic(name) for name in self.sources]
        topics += [self.config.samples_topic, self.config.anomalies_topic]
        shown = worker.metrics()
        return all(f'streamgauge_lag_records{{topic="{topic}"}}' in shown for topic in topics)

    def wait_for_alerts(self, count: int) -> list[Alert]:
        """Wait until so many different alerts are there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            alerts = self.alerts()
            if len({alert.event_id for alert in alerts}) >= count:
                return alerts
            time.sleep(0.3)
        raise AssertionError("\n".join(worker.log.read_text() for worker in self.workers))

    def records(self, topic: str) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        """Key, value and headers of every record of a topic."""
        consumer = Consumer({
            "bootstrap.servers": self.bootstrap_servers,
            "group.id": "reader",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        })  # fmt: skip
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = []
        ended = 0
        while ended < len(partitions):
            message = consumer.poll(10)
            assert message is not None
            if message.error() is not None:
                ended += 1
                continue
            headers = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
            found.append((message.key(), message.value(), headers))
        consumer.close()
        return found

    def alerts(self) -> list[Alert]:
        """Every alert so far."""
        return [decode(value) for _, value, _ in self.records(self.config.alerts.topic) if value is not None]

    def followed(self) -> list[Followed]:
        """Every series in the stored state of detect."""
        store = ShardStore(librdkafka_properties(self.config, "consumer"))
        found: list[Followed] = []
        for shard in range(self.config.topics.samples_partitions):
            loaded = store.load(self.config.detect_state_topic, self.config.samples_topic, shard)
            if loaded.snapshot is not None:
                detect = Detect(self.config.settings(), shard)
                detect.load(loaded.snapshot.chunks)
                found += detect.followed()
        return found

    def close(self) -> None:
        """Kill whatever runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
