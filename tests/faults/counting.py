"""A worker whose every result can be computed by hand: it counts records per key, and alerts at each hundredth.

The stages are as plain as stages can be, so what a fault test finds wrong is the runtime's. A key must keep to one
source partition; then counts and alerts are functions of the source topic alone.
"""

import asyncio
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
from faust.transport.drivers.aiokafka import Consumer

from detectors.outputs import Destination, Output
from detectors.stage import Count, HoleError
from stream import logs
from stream.exits import Refused
from stream.topology import Clients, Ints, StageSpec, Topology
from stream.worker import run_worker

SHARDS = 4
TRIAGE_SHARDS = 2
EVERY = 100
_pack = msgspec.msgpack.encode


class Row(msgspec.Struct, array_like=True):
    offset: int
    key: str


class Rows(msgspec.Struct, array_like=True):
    source: str
    first_offset: int
    last_offset: int
    rows: list[Row]


class Anomaly(msgspec.Struct, array_like=True):
    key: str
    count: int


class CountingIngest:
    """Deals records out to shards; every record takes `pause_us` microseconds."""

    def __init__(self, pause_us: int = 0) -> None:
        self._pause_s = pause_us / 1e6

    def batch(
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | Ints,
        previous_offset: int,
        wall_ms: int,
        caught_up: bool,
    ) -> list[Output]:
        rows: list[list[Row]] = [[] for _ in range(SHARDS)]
        for offset, value in zip(offsets, values, strict=True):
            key = (value or b"").decode()
            rows[shard_of(key, SHARDS)].append(Row(int(offset), key))
        time.sleep(self._pause_s * len(values))
        return self._outputs(topic, partition, previous_offset + 1, int(offsets[-1]), rows)

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        return self._outputs(topic, partition, next_offset, next_offset - 1, [[] for _ in range(SHARDS)])

    @staticmethod
    def _outputs(topic: str, partition: int, first: int, last: int, rows: list[list[Row]]) -> list[Output]:
        source = f"{topic}/{partition}"
        return [
            Output(Destination.SAMPLES, None, _pack(Rows(source, first, last, shard_rows)), shard)
            for shard, shard_rows in enumerate(rows)
        ]

    def take_counts(self) -> Counter[Count]:
        return Counter()


class DetectState(msgspec.Struct):
    covered_offset: int = -1
    fences: dict[str, int] = {}
    counts: dict[str, int] = {}


class CountingDetect:
    """Counts the records of each key, each once; every record takes `pause_us` microseconds."""

    is_to_be_stored = False

    def __init__(self, _shard: int, pause_us: int = 0) -> None:
        self._pause_s = pause_us / 1e6
        self.state = DetectState(-1, {}, {})
        self._tally: Counter[Count] = Counter()

    @property
    def covered_offset(self) -> int:
        return self.state.covered_offset

    def step(self, offset: int, payload: bytes) -> list[Output]:
        batch = msgspec.msgpack.decode(payload, type=Rows)
        fence = self.state.fences.get(batch.source, batch.first_offset - 1)
        if batch.first_offset > fence + 1:
            raise HoleError(f"{batch.source}: {batch.first_offset} follows {fence}")
        new = [row for row in batch.rows if row.offset > fence]
        self._tally["fenced", batch.source.split("/")[0]] += len(batch.rows) - len(new)
        self._tally["records", batch.source.split("/")[0]] += len(new)
        self.state.fences[batch.source] = max(fence, batch.last_offset)
        self.state.covered_offset = offset
        time.sleep(self._pause_s * len(new))
        return [output for row in new for output in self._count(row.key)]

    def _count(self, key: str) -> list[Output]:
        count = self.state.counts[key] = self.state.counts.get(key, 0) + 1
        if count % EVERY:
            return []
        shard = shard_of(key, TRIAGE_SHARDS)
        return [Output(Destination.ANOMALIES, None, _pack(Anomaly(key, count)), shard)]

    def changed(self) -> dict[str, bytes]:
        return self.dump()

    def dump(self) -> dict[str, bytes]:
        """State in several chunks, so that changed and unchanged ones both occur."""
        chunks = {"head": _pack((self.state.covered_offset, self.state.fences))}
        for block in range(8):
            mine = {key: n for key, n in sorted(self.state.counts.items()) if shard_of(key, 64) % 8 == block}
            chunks[f"counts-{block}"] = _pack(mine)
        return chunks

    def load(self, chunks: dict[str, bytes]) -> None:
        covered, fences = msgspec.msgpack.decode(chunks["head"], type=tuple[int, dict[str, int]])
        counts: dict[str, int] = {}
        for name, chunk in chunks.items():
            if name != "head":
                counts |= msgspec.msgpack.decode(chunk, type=dict[str, int])
        self.state = DetectState(covered, fences, counts)

    def take_counts(self) -> Counter[Count]:
        taken, self._tally = self._tally, Counter()
        return taken

    def gauges(self) -> dict[str, float]:
        return {"series": float(len(self.state.counts))}


class CountingTriage:
    """One alert for each anomaly, each once."""

    is_to_be_stored = False

    def __init__(self, _shard: int) -> None:
        self.covered_offset = -1
        self.seen: dict[str, int] = {}

    def step(self, offset: int, payload: bytes) -> list[Output]:
        anomaly = msgspec.msgpack.decode(payload, type=Anomaly)
        self.covered_offset = offset
        seen = self.seen.get(anomaly.key, 0)
        if anomaly.count <= seen:
            return []
        if anomaly.count != seen + EVERY:
            raise HoleError(f"{anomaly.key}: {anomaly.count} follows {seen}")
        self.seen[anomaly.key] = anomaly.count
        return [Output(Destination.ALERTS, anomaly.key.encode(), alert(anomaly.key, anomaly.count))]

    def changed(self) -> dict[str, bytes]:
        return self.dump()

    def dump(self) -> dict[str, bytes]:
        return {"all": _pack((self.covered_offset, self.seen))}

    def load(self, chunks: dict[str, bytes]) -> None:
        self.covered_offset, self.seen = msgspec.msgpack.decode(
            chunks["all"], type=tuple[int, dict[str, int]]
        )

    def take_counts(self) -> Counter[Count]:
        return Counter()

    def gauges(self) -> dict[str, float]:
        return {"episodes": float(len(self.seen))}


def alert(key: str, count: int) -> bytes:
    """The alert that the `count`-th record of `key` leads to."""
    body = {
        "kind": "value",
        "state": "firing",
        "updated_at": "2024-01-01T00:00:00.000Z",
        "key": key,
        "count": count,
    }
    return msgspec.json.encode(body)


def expected_alerts(keys: Iterable[str]) -> set[bytes]:
    """The alerts of an undisturbed run over records with these keys."""
    counts = Counter(keys)
    return {alert(key, n) for key, total in counts.items() for n in range(EVERY, total + 1, EVERY)}


def shard_of(key: str, shards: int) -> int:
    return zlib.crc32(key.encode()) % shards


class Setup(msgspec.Struct):
    """How to run the worker: the internal topics are `<name>.samples` and so on; a deaf one never reads those."""

    bootstrap_servers: str
    name: str
    source: str
    alerts: str
    http_port: int = 0
    session_s: float = 6.0
    snapshot_interval_s: float = 0.5
    stall_s: float = 60.0
    pause_us: int = 0
    idle_timeout_s: float = 30.0
    deaf: bool = False


def topology(setup: Setup) -> Topology:
    common = {"bootstrap.servers": setup.bootstrap_servers}
    consuming = {
        "group.id": setup.name,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
    }
    faust = {
        "broker": f"kafka://{setup.bootstrap_servers}",
        "broker_session_timeout": setup.session_s,
        "broker_heartbeat_interval": setup.session_s / 6,
    }
    name = setup.name
    return Topology(
        group=name,
        version="test",
        source_topics=frozenset({setup.source}),
        make_ingest=partial(CountingIngest, setup.pause_us),
        stages=(
            StageSpec(
                "detect",
                f"{name}.samples",
                f"{name}.detect-state",
                partial(CountingDetect, pause_us=setup.pause_us),
            ),
            StageSpec("triage", f"{name}.anomalies", f"{name}.triage-state", CountingTriage),
        ),
        destinations={
            Destination.SAMPLES: f"{name}.samples",
            Destination.ANOMALIES: f"{name}.anomalies",
            Destination.ALERTS: setup.alerts,
        },
        clients=Clients(
            consumer=common | consuming,
            producer=common | {"enable.idempotence": True, "acks": "all", "delivery.timeout.ms": 30000},
            admin=common,
            faust=faust,
        ),
        snapshot_interval_s=setup.snapshot_interval_s,
        idle_timeout_s=setup.idle_timeout_s,
        stall_s=setup.stall_s,
        http_port=setup.http_port,
    )


def turn_deaf() -> None:
    """Let Faust's consumer give nothing of what aiokafka fetches, while its heartbeats go on."""

    async def nothing(*_: Any, **__: Any) -> dict[Any, Any]:
        await asyncio.sleep(0.1)
        return {}

    Consumer._getmany = nothing  # type: ignore[method-assign]


def main(setup_json: str) -> int:
    """Run a counting worker; the argument is a `Setup` as JSON."""
    logs.configure("info", "json")
    setup = msgspec.json.decode(setup_json, type=Setup)
    if setup.deaf:
        turn_deaf()
    try:
        run_worker(topology(setup))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
