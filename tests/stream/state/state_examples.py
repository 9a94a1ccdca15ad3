"""A small deployment's state, as its workers would have stored it, without running any."""

import json
import random
from collections.abc import Sequence

import msgspec
import yaml
from confluent_kafka import Producer

from detectors.portable.lifting import lifted, standing_of, tables_of
from detectors.portable.shard import FORMAT
from detectors.settings import Settings
from stream.config import Config
from stream.snapshots import SnapshotWriter
from stream.sources import Place
from stream.stages import TriageStage
from stream.state.archive import Archive, Desk, Head
from tests.simulator.in_one_process import InOneProcess

START_MS = 1_780_000_000_000
HOUR_MS = 3_600_000
PIPELINES = tuple(f"pipeline-{number}" for number in range(6))
Chunks = dict[str, bytes]


def process_of(topic: str, shards: int, runs: int = 40, settings: Settings | None = None) -> InOneProcess:
    """A worker without Kafka that has read hourly runs of some pipelines; the last one of the first pipeline is slow."""
    chance = random.Random(3)
    process = InOneProcess({topic: "events"}, {topic: 1}, settings or Settings(), shards)
    values, times = [], []
    for number in range(runs):
        for pipeline in PIPELINES:
            time_ms = START_MS + number * HOUR_MS + chance.randrange(60_000)
            slow = 30 if number == runs - 1 and pipeline == PIPELINES[0] else 1
            event = {
                "pipeline": pipeline,
                "state": "succeeded",
                "time": time_ms,
                "run_id": f"{pipeline}-{number}",
            }
            values.append(
                json.dumps({**event, "duration_ms": slow * 60_000 * chance.uniform(0.9, 1.1)}).encode()
            )
            times.append(time_ms)
    process.read(Place(topic, 0), range(len(values)), values, times, times[-1])
    process.mark(Place(topic, 0), times[-1] + 60_000)
    return process


def chunks_of(process: InOneProcess) -> tuple[list[Chunks], Chunks]:
    """The states of all shards, and that of triage."""
    return [it.dump() for it in process._detects], TriageStage(process._triage, len(process._detects)).dump()


def archive_of(process: InOneProcess) -> Archive:
    """What exporting it would give."""
    shards, desk = chunks_of(process)
    tables = tables_of(shards)
    series = [it for chunks in shards for it in lifted(chunks, tables)]
    head = Head(
        product="1.0",
        exported_at_ms=START_MS + 1000,
        stored_at_ms=START_MS,
        name="here",
        cluster="cluster",
        topics={},
        config_hash="abc",
        config="name: here\n",
        meaning={"window": "5m", "sources": {}},
        state_format=(*FORMAT, 6),
        tables=tables,
        standings=[standing_of(chunks, shard) for shard, chunks in enumerate(shards)],
        series=len(series),
    )
    return Archive(head, sorted(series, key=lambda it: it.name), Desk(desk, [], []))


def store(config: Config, shards: Sequence[Chunks | None], desk: Chunks | None) -> None:
    """Write snapshots as workers do; None leaves one out."""
    producer = Producer({"bootstrap.servers": str(config.kafka["bootstrap.servers"])})
    states = [(config.detect_state_topic, shard, chunks) for shard, chunks in enumerate(shards)]
    for topic, shard, chunks in [*states, (config.triage_state_topic, 0, desk)]:
        if chunks is not None:
            head = msgspec.msgpack.decode(chunks["head"])
            plan = SnapshotWriter(shard, 1).plan(
                chunks, head[1] if topic == config.triage_state_topic else head[2]
            )
            for entry in (*plan.parts, plan.manifest):
                producer.produce(topic, entry.value, entry.key.encode(), shard)
    assert producer.flush(30) == 0


def settings_text(name: str, kafka: str, topics: Sequence[str], shards: int, **more: object) -> str:
    """A configuration as people write it."""
    said = {
        "name": name,
        "kafka": {"bootstrap.servers": kafka},
        "sources": [{"topic": topic, "format": "events"} for topic in topics],
        "alerts": {"topic": f"{name}.alerts"},
        "topics": {"samples_partitions": shards, "replication_factor": 1},
        **more,
    }
    return yaml.safe_dump(said)
