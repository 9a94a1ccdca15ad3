"""Scenarios: what a seed stands for. Settings, the records of every source partition, and which faults there are.

A small platform runs for some twenty minutes: each round its pipelines report starts and ends, some with rows, schemas
and metrics. Things go wrong in ways that detectors must see, and records misbehave in ways that they must not mind.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from detectors.settings import Settings
from stream.formats.limits import Limits
from stream.ingest import Ingest
from stream.sources import Place

START_MS: Final = 1_780_000_000_000
EVENTS: Final = "pipeline.events"
METRICS: Final = "metrics"
LINEAGE: Final = "openlineage.events"
CANARY: Final = "canary"
LATENESS_MS: Final = 30_000
DELAY_MS_MAX: Final = 8_000
"""How long after its event time a record that is no latecomer is published, at most."""
CLOCK_SKEW_MS_MAX: Final = 5_000
"""How far a worker's clock is off, at most; with delays and stale ends well below the allowed lateness."""

_FORMATS: Final = {EVENTS: "events", METRICS: "metrics", LINEAGE: "openlineage"}
_COLUMNS: Final = ("amount", "id", "note", "region")
_POISON: Final[tuple[bytes | None, ...]] = (
    None,
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b'{"pipeline": "orders"}',
    b'{"pipeline": "orders", "state": "done", "time": 1780000000000}',
    b"[" * 2_000,
    b'{"name": "queue", "value": "many", "time": 1780000000000}',
)


@dataclass(frozen=True)
class Published:
    """A source record, when it is published, and how many offsets before it hold none (transaction markers)."""

    at_ms: int
    place: Place
    value: bytes | None
    gap: int = 0
    time_ms: int | None = None
    """Its event time, if it has a proper one."""


@dataclass(frozen=True)
class Faults:
    """How likely each fault is at a turn of the scheduler; 0 leaves it out."""

    crash: float = 0.0
    rebalance: float = 0.0
    freeze: float = 0.0
    damage: float = 0.0
    compact: float = 0.0
    trim: float = 0.0
    away: float = 0.0
    back: float = 1.0
    workers_max: int = 1


@dataclass(frozen=True)
class Hazards:
    """How likely a record misbehaves in each way."""

    disorder: bool
    late: float
    future: float
    fast_clock: float
    poison: float
    duplicate: float
    gap: float
    pause: float


@dataclass(frozen=True)
class Scenario:
    """Everything that a seed decides before the first turn."""

    seed: int
    settings: Settings
    limits: Limits
    formats: Mapping[str, str]
    partitions: Mapping[str, int]
    records: tuple[Published, ...]
    shards: int
    faults: Faults
    batch_sizes: tuple[int, ...]
    mark_interval_ms: int
    mark_share: float
    ends_interval_ms: int
    snapshot_interval_ms: int
    commit_interval_ms: int
    burst: int
    """How many tasks go on before anything else happens."""
    step_ms: int
    """How far the clock moves at a time, at most."""
    pause_share: float
    """How often a shell dallies between a step and its outputs."""

    def make_ingest(self) -> Ingest:
        """A fresh ingest."""
        settings = self.settings
        return Ingest(
            self.formats,
            self.shards,
            self.partitions,
            self.limits,
            settings.allowed_skew_ms,
            allowed_lateness_ms=settings.allowed_lateness_ms,
        )

    def places(self) -> list[Place]:
        """Every source partition."""
        return [Place(topic, n) for topic, count in self.partitions.items() for n in range(count)]


def make_scenario(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = random.Random(f"{seed}/scenario")
    partitions = {EVENTS: chance.randint(1, 3)}
    if chance.random() < 0.5:
        partitions[METRICS] = 1
    if chance.random() < 0.4:
        partitions[LINEAGE] = chance.randint(1, 2)
    idle_timeout_ms, shards = chance.choice([10_000, 20_000, 60_000, 400_000]), chance.randint(1, 3)
    return Scenario(
        seed=seed,
        settings=Settings(
            allowed_lateness_ms=LATENESS_MS,
            idle_timeout_ms=idle_timeout_ms,
            window_ms=60_000,
            shards=shards,
        ),
        limits=Limits(nesting_max=32, sample_bytes_max=chance.choice([4 << 20, 4_000])),
        formats={topic: _FORMATS[topic] for topic in partitions},
        partitions=partitions,
        records=_Platform(chance, partitions, idle_timeout_ms).records(),
        shards=shards,
        faults=_faults(chance),
        batch_sizes=chance.choice([(1,), (1, 2, 3), (1, 5, 40), (200,)]),
        mark_interval_ms=chance.choice([15_000, 60_000, 200_000]),
        mark_share=chance.choice([0.5, 1.0]),
        ends_interval_ms=chance.choice([1_000, 5_000]),
        snapshot_interval_ms=chance.choice([5_000, 20_000, 120_000]),
        commit_interval_ms=chance.choice([1_000, 60_000]),
        burst=chance.choice([1, 2, 6]),
        step_ms=chance.choice([2_000, 10_000, 40_000]),
        pause_share=chance.choice([0.0, 0.3]),
    )


def _faults(chance: random.Random) -> Faults:
    """Each kind of fault is there in about half of all scenarios, so that each is also met without the others."""
    damage = chance.random() < 0.3

    def rate(share: float, least: float, most: float) -> float:
        return chance.uniform(least, most) if chance.random() < share else 0.0

    return Faults(
        crash=rate(0.7, 0.002, 0.02),
        rebalance=rate(0.5, 0.002, 0.02),
        freeze=rate(0.5, 0.002, 0.02),
        damage=0.7 if damage else 0.0,
        compact=rate(0.5, 0.01, 0.05),
        trim=0.0 if damage else rate(0.5, 0.01, 0.05),
        away=rate(0.5, 0.005, 0.03),
        back=chance.uniform(0.002, 0.02),
        workers_max=chance.randint(1, 3),
    )


def _hazards(chance: random.Random) -> Hazards:
    def rate(most: float) -> float:
        return chance.uniform(0, most) if chance.random() < 0.5 else 0.0

    return Hazards(
        disorder=chance.random() < 0.7,
        late=rate(0.3),
        future=rate(0.05),
        fast_clock=rate(0.1),
        poison=rate(0.15),
        duplicate=rate(0.1),
        gap=rate(0.2),
        pause=rate(0.3),
    )


@dataclass
class _Platform:
    """Makes up the source records."""

    chance: random.Random
    partitions: Mapping[str, int]
    idle_timeout_ms: int
    _records: list[Published] = field(default_factory=list)

    def records(self) -> tuple[Published, ...]:
        """All of them, in the order in which they are published."""
        chance = self.chance
        self._hazards = _hazards(chance)
        self._failing = {CANARY: 0.0, "orders": 0.2, "payments": chance.choice([0.2, 0.9])}
        round_ms = chance.choice([70_000, 90_000, 150_000])
        now_ms = START_MS
        for number in range(chance.randint(11, 15)):
            now_ms += round_ms + (
                chance.randint(2, 6) * round_ms if chance.random() < self._hazards.pause else 0
            )
            self._round(number, now_ms)
        self._records.sort(key=lambda record: record.at_ms)
        self._make_some_late()
        return tuple(self._records)

    def _round(self, number: int, now_ms: int) -> None:
        chance = self.chance
        self._run(CANARY, number, now_ms, 5_000, ordinary=True)
        for pipeline in ("orders", "payments")[: chance.choice([1, 2, 2])]:
            if number < 7 or chance.random() > 0.12:
                self._run(pipeline, number, now_ms, 9_000, ordinary=number < 7)
        if METRICS in self.partitions:
            for step in range(2):
                spike = 500 if number > 8 and chance.random() < 0.2 else 0
                at_ms = now_ms + step * 20_000
                body = {"name": "queue", "value": round(chance.gauss(50, 5) + spike, 3), "time": at_ms}
                self._publish(METRICS, at_ms, body)
        if LINEAGE in self.partitions:
            self._lineage(number, now_ms)

    def _run(self, pipeline: str, number: int, now_ms: int, usual_ms: int, *, ordinary: bool) -> None:
        """The run events of one run: a start, perhaps, and an end."""
        chance = self.chance
        start_ms = now_ms + chance.randint(0, 5_000)
        slow, thin, failed = (
            not ordinary and chance.random() < share for share in (0.15, 0.15, self._failing[pipeline])
        )
        duration_ms = int(usual_ms * chance.uniform(0.9, 1.1)) * (6 if slow else 1)
        base: dict[str, Any] = {"pipeline": pipeline, "run_id": f"{pipeline}-{number}"}
        if chance.random() < 0.6:
            self._publish(EVENTS, start_ms, {**base, "state": "started", "time": start_ms})
        end: dict[str, Any] = {
            **base,
            "state": "failed" if failed else "succeeded",
            "time": start_ms + duration_ms,
        }
        if failed:
            end["error"] = f"step {number} broke"
        else:
            end |= {
                "duration_ms": duration_ms,
                "rows": int(1000 * chance.uniform(0.9, 1.1) * (0.03 if thin else 1)),
            }
        if pipeline != CANARY and chance.random() < 0.3:
            columns = chance.sample(_COLUMNS, chance.randint(1, len(_COLUMNS)))
            fields = [{"name": name, "type": chance.choice(["long", "string"])} for name in sorted(columns)]
            end |= {"dataset": f"db.{pipeline}", "schema": fields}
        self._publish(EVENTS, start_ms + duration_ms, end)

    def _lineage(self, number: int, now_ms: int) -> None:
        chance = self.chance
        run = {"runId": f"run-{number}"}
        job = {"namespace": "spark", "name": "daily.load"}
        rows = int(500 * chance.uniform(0.9, 1.1)) * (40 if number > 8 and chance.random() < 0.2 else 1)
        statistics = {"outputStatistics": {"rowCount": rows}}
        output = {"namespace": "db", "name": "daily", "outputFacets": statistics}
        for state, at_ms in (("START", now_ms), ("COMPLETE", now_ms + chance.randint(4_000, 6_000))):
            body: dict[str, Any] = {"eventType": state, "run": run, "job": job}
            if state == "COMPLETE":
                body["outputs"] = [output]
            self._publish(LINEAGE, at_ms, {**body, "eventTime": _rfc3339(at_ms)}, "eventTime")

    def _publish(self, topic: str, time_ms: int, body: dict[str, Any], time_key: str = "time") -> None:
        """Publish a record soon after its event time, perhaps twice, perhaps with rubbish before it."""
        chance, hazards = self.chance, self._hazards
        delay_ms = chance.randint(0, DELAY_MS_MAX) if hazards.disorder else 10
        told_ms: int | None = time_ms
        if chance.random() < hazards.fast_clock and time_key == "time":
            told_ms = body["time"] = time_ms + delay_ms + chance.randint(1, 20_000)
        elif chance.random() < hazards.future and time_key == "time":
            told_ms, body["time"] = None, time_ms + chance.randint(600_000, 10_000_000)
        if chance.random() < hazards.poison:
            self._add(topic, time_ms + delay_ms, chance.choice(_POISON), None)
        value = json.dumps(body).encode()
        self._add(topic, time_ms + delay_ms, value, told_ms)
        if chance.random() < hazards.duplicate:
            self._add(topic, time_ms + delay_ms + chance.randint(0, 5_000), value, told_ms)

    def _add(self, topic: str, at_ms: int, value: bytes | None, time_ms: int | None) -> None:
        place = Place(topic, self.chance.randrange(self.partitions[topic]))
        gap = self.chance.choice([1, 1, 5]) if self.chance.random() < self._hazards.gap else 0
        self._records.append(Published(at_ms, place, value, gap, time_ms))

    def _make_some_late(self) -> None:
        """Publish some run events that are late, where and when their partition cannot have counted as idle.

        In an idle partition time goes on by the wall clock, and what that has passed depends on when it was read.
        """
        stands: dict[Place, _Standing] = {}
        late: list[Published] = []
        for record in self._records:
            stand = stands.setdefault(record.place, _Standing())
            wanted = record.place.topic == EVENTS and self.chance.random() < self._hazards.late
            if wanted and stand.busy(record.at_ms, self.idle_timeout_ms):
                late.append(self._latecomer(record, stand, len(late)))
            stand.take(record, self.idle_timeout_ms)
        self._records = sorted((*self._records, *late), key=lambda record: record.at_ms)

    def _latecomer(self, record: Published, stand: "_Standing", serial: int) -> Published:
        time_ms = stand.high_ms - LATENESS_MS - self.chance.randint(1, 200_000)
        body = {"pipeline": "orders", "state": "succeeded", "time": time_ms, "run_id": f"late-{serial}"}
        body |= {"duration_ms": self.chance.randint(8_000, 10_000)}
        return Published(record.at_ms, record.place, json.dumps(body).encode())


@dataclass
class _Standing:
    """Where a partition stands: since when records come so often that it cannot be idle, and its greatest event time."""

    busy_since_ms: int = 0
    last_ms: int = 0
    high_ms: int = 0

    def busy(self, at_ms: int, idle_timeout_ms: int) -> bool:
        """Whether it is, and its watermark lies past every time at which it may have been idle."""
        return (
            at_ms - self.last_ms < idle_timeout_ms // 2
            and self.high_ms > self.busy_since_ms + CLOCK_SKEW_MS_MAX
        )

    def take(self, record: Published, idle_timeout_ms: int) -> None:
        """A record is published there."""
        if record.at_ms - self.last_ms >= idle_timeout_ms // 2:
            self.busy_since_ms = record.at_ms
        self.last_ms = record.at_ms
        if record.time_ms is not None:
            self.high_ms = max(self.high_ms, min(record.time_ms, record.at_ms))


def _rfc3339(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
