"""A scenario for fault tests: topics, a backlog, counting workers that are killed and started, and what came out."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from stream.shard_store import ShardStore
from tests.faults.counting import SHARDS, TRIAGE_SHARDS, CountingDetect, Setup, shard_of

ROOT = Path(__file__).parents[2]
SOURCE_PARTITIONS = 4
PATIENCE_S = 60.0


@dataclass
class Worker:
    """A worker process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, number: signal.Signals, timeout_s: float = PATIENCE_S) -> int:
        """Send a signal and wait; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def logged(self, event: str) -> list[dict[str, object]]:
        """Its log lines with this event."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]

    def wait_for(self, event: str, times: int = 1) -> list[dict[str, object]]:
        """Its log lines with this event, once there are so many."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if len(found := self.logged(event)) >= times:
                return found
            assert self.process.poll() is None, f"the worker ended:\n{self.log.read_text()}"
            time.sleep(0.05)
        raise AssertionError(f"{event} was not logged {times} times:\n{self.log.read_text()}")

    def wait_to_work(self, stage: str = "detect") -> None:
        """Return once it has done a step of this stage."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.metric(f'streamgauge_step_seconds_count{{stage="{stage}"}}'):
            assert time.monotonic() < deadline, f"{stage} has done nothing:\n{self.log.read_text()}"
            time.sleep(0.05)

    def get(self, path: str) -> str:
        """What its HTTP server answers."""
        address = self.wait_for("http.listening")[0]["address"]
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, sample: str) -> float:
        """The value of one sample in /metrics; 0 when it is not there."""
        found = re.search(rf"^{re.escape(sample)} (\S+)$", self.get("/metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0


@dataclass
class Scenario:
    """One group on one broker, with topics of its own."""

    bootstrap_servers: str
    folder: Path
    name: str
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.setup = Setup(self.bootstrap_servers, self.name, f"{self.name}.source", f"{self.name}.alerts")
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        compacted = {"cleanup.policy": "compact"}
        topics = [
            NewTopic(self.setup.source, SOURCE_PARTITIONS, 1),
            NewTopic(self.setup.alerts, 2, 1),
            NewTopic(f"{self.name}.samples", SHARDS, 1, config={"max.message.bytes": str(8 << 20)}),
            NewTopic(f"{self.name}.anomalies", TRIAGE_SHARDS, 1),
            NewTopic(f"{self.name}.detect-state", SHARDS, 1, config=compacted),
            NewTopic(f"{self.name}.triage-state", TRIAGE_SHARDS, 1, config=compacted),
        ]
        for made in admin.create_topics(topics).values():
            made.result()

    def publish(self, keys: Sequence[str]) -> None:
        """One record per key; a key keeps to one partition."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "linger.ms": 20, "acks": "all"})
        for key in keys:
            while True:
                try:
                    producer.produce(
                        self.setup.source, key.encode(), partition=shard_of(key, SOURCE_PARTITIONS)
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
        assert producer.flush(60) == 0

    def start(self, **settings: Any) -> Worker:
        """Start a worker."""
        setup = msgspec.structs.replace(self.setup, **settings)
        log = self.folder / f"worker-{len(self.workers)}.log"
        command = [sys.executable, "-m", "tests.faults.counting", msgspec.json.encode(setup).decode()]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stderr=stream,
                stdout=stream,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                },
            )
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    @property
    def read_topics(self) -> list[str]:
        """The topics that the group reads."""
        return [self.setup.source, f"{self.name}.samples", f"{self.name}.anomalies"]

    def delete_records(self, topic: str) -> None:
        """Remove every record of a topic, as its retention would."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        partitions = admin.list_topics(topic, 10).topics[topic].partitions
        for deleted in admin.delete_records(
            [TopicPartition(topic, n, OFFSET_END) for n in partitions]
        ).values():
            deleted.result()

    def lag(self) -> int:
        """Records of the source and internal topics beyond the committed offsets."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": self.name})
        places = [TopicPartition(self.setup.source, n) for n in range(SOURCE_PARTITIONS)]
        places += [TopicPartition(f"{self.name}.samples", n) for n in range(SHARDS)]
        places += [TopicPartition(f"{self.name}.anomalies", n) for n in range(TRIAGE_SHARDS)]
        try:
            ends = [consumer.get_watermark_offsets(place, 10)[1] for place in places]
            committed = [max(0, place.offset) for place in consumer.committed(places, 10)]
        finally:
            consumer.close()
        return sum(max(0, end - position) for end, position in zip(ends, committed, strict=True))

    def counts(self) -> Counter[str]:
        """The stored state: records per key."""
        store = ShardStore({"bootstrap.servers": self.bootstrap_servers, "group.id": self.name})
        counts: Counter[str] = Counter()
        for shard in range(SHARDS):
            loaded = store.load(f"{self.name}.detect-state", f"{self.name}.samples", shard)
            if loaded.snapshot is not None:
                stage = CountingDetect(shard)
                stage.load(loaded.snapshot.chunks)
                counts.update(stage.state.counts)
        return counts

    def alerts(self) -> list[bytes]:
        """Every record of the alert topic, repeats included."""
        return [
            value for _, value in read_topic(self.bootstrap_servers, self.setup.alerts) if value is not None
        ]

    def wait_for_progress(self, records: int) -> None:
        """Until the stored state counts more records than these."""
        deadline = time.monotonic() + PATIENCE_S
        while self.counts().total() <= records:
            assert time.monotonic() < deadline, "no snapshot was stored"
            time.sleep(0.1)

    def wait_for_counts(self, expected: Counter[str]) -> None:
        """Until the stored state is complete; what is wrong with it then is for the test to say."""
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline and self.counts().total() < expected.total():
            time.sleep(0.5)

    def close(self) -> None:
        """End what still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()


@contextmanager
def new_scenario(kafka: str, folder: Path) -> Iterator[Scenario]:
    """A scenario on a broker, its workers ended afterwards."""
    scenario = Scenario(kafka, folder, f"count-{uuid.uuid4().hex[:8]}")
    try:
        yield scenario
    finally:
        scenario.close()


def read_topic(bootstrap_servers: str, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Key and value of every record of a topic, partition by partition."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap_servers,
        "group.id": "reader",
        "enable.partition.eof": True,
        "enable.auto.commit": False,
    })  # fmt: skip
    try:
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            consumer.assign([TopicPartition(topic, partition, 0)])
            while (message := consumer.poll(30)) is not None and message.error() is None:
                yield message.key(), message.value()
    finally:
        consumer.close()
