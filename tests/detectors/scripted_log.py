"""A scripted source: run events laid out in partitions, cut into sample batches any way a test likes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from detectors.alerts import Alert, Mode
from detectors.detect import Detect
from detectors.paging import Paging
from detectors.samples import (
    NEVER,
    RUN_COLUMNS,
    RUNS,
    SCHEMA_COLUMNS,
    VALUE_COLUMNS,
    VERSION,
    Field,
    Key,
    Mark,
    Rows,
    RunState,
    SampleBatch,
    encode_key,
)
from detectors.series import canonical_labels, run_hash
from detectors.settings import Settings
from detectors.triage import Triage

TOPIC = "pipeline.events"
NAN = float("nan")


@dataclass(frozen=True)
class Event:
    """One source record: a run event, a metric sample (`value`) or a declared schema (`fields`)."""

    time_ms: int
    pipeline: str
    state: RunState = RunState.SUCCEEDED
    run: str = ""
    duration_ms: float = NAN
    rows: float = NAN
    value: float | None = None
    fields: tuple[tuple[str, str, bool | None], ...] | None = None
    error: str = ""
    task: str = ""


Log = list[list[Event]]
"""The records of each source partition, in the order of their offsets."""


class BatchBuilder:
    """Collects the rows that one fetched batch sends to one samples partition.

    `runs`, `values` and `declared` each hold one list per column, in the order of `RUN_COLUMNS`, `VALUE_COLUMNS` and
    `SCHEMA_COLUMNS`.
    """

    def __init__(self) -> None:
        self.runs: list[list[Any]] = [[] for _ in RUN_COLUMNS]
        self.values: list[list[Any]] = [[] for _ in VALUE_COLUMNS]
        self.declared: list[list[Any]] = [[] for _ in SCHEMA_COLUMNS]
        self.home: list[int] = []
        self.dead: list[tuple[int, str]] = []
        self.errors: dict[int, str] = {}
        self._keys: dict[Key, int] = {}
        self._schemas: dict[tuple[Field, ...], int] = {}

    def key(self, key: Key) -> int:
        """Index of `key` in this batch's dictionary."""
        return self._keys.setdefault(key, len(self._keys))

    def schema(self, fields: tuple[Field, ...]) -> int:
        """Index of a declared schema in this batch's dictionary."""
        return self._schemas.setdefault(fields, len(self._schemas))

    def encode(self, mark: Mark) -> bytes:
        """The record to write: all rows, with the mark."""
        texts = [encode_key(key) for key in self._keys]
        return msgspec.msgpack.encode(
            SampleBatch(
                version=VERSION,
                mark=mark,
                keys=b"".join(texts),
                key_ends=np.cumsum([len(text) for text in texts]).astype("<i4").tobytes(),
                idents=b"".join(key.ident for key in self._keys),
                kinds=bytes(key.follower_kind for key in self._keys),
                schemas=[list(fields) for fields in self._schemas],
                runs=_rows(self.runs, RUN_COLUMNS),
                values=_rows(self.values, VALUE_COLUMNS),
                declared=_rows(self.declared, SCHEMA_COLUMNS),
                home=np.array(self.home, "<i8").tobytes(),
                dead=self.dead,
                errors=self.errors,
            )
        )


def _rows(columns: list[list[Any]], layout: tuple[tuple[str, str], ...]) -> Rows:
    return Rows(
        [np.array(column, dtype).tobytes() for column, (_, dtype) in zip(columns, layout, strict=True)]
    )


def batch(log: Log, partition: int, first: int, last: int, *, idle: bool = False, wall_ms: int = 0) -> bytes:
    """The sample batch that covers offsets `first` to `last` of one partition, as ingest would write it."""
    builder = BatchBuilder()
    high_ms = NEVER
    for offset in range(first, last + 1):
        event = log[partition][offset]
        _add(builder, event, offset, high_ms)
        high_ms = max(high_ms, event.time_ms)
    partitions = {TOPIC: len(log)}
    return builder.encode(Mark(TOPIC, partition, first, last, high_ms, idle, idle, wall_ms, partitions))


def _add(builder: BatchBuilder, event: Event, offset: int, high_ms: int) -> None:
    builder.home.append(offset)
    if event.value is not None:
        key = builder.key(Key("value", canonical_labels({"name": event.pipeline})))
        _append(builder.values, offset, event.time_ms, high_ms, key, event.value)
        return
    if event.fields is not None:
        key = builder.key(Key("schema", canonical_labels({"dataset": event.pipeline})))
        _append(builder.declared, offset, event.time_ms, high_ms, key, builder.schema(event.fields))
        return
    key = builder.key(Key(RUNS, canonical_labels({"pipeline": event.pipeline, "task": event.task})))
    if event.error:
        builder.errors[len(builder.runs[0])] = event.error
    row = (key, run_hash(event.run), int(event.state), event.duration_ms, event.rows, NAN)
    _append(builder.runs, offset, event.time_ms, high_ms, *row)


def _append(columns: list[list[Any]], *row: object) -> None:
    for column, cell in zip(columns, row, strict=True):
        column.append(cell)


def whole(log: Log) -> Iterator[bytes]:
    """Each partition as one batch, then the marks that end the recording."""
    for partition, events in enumerate(log):
        if events:
            yield batch(log, partition, 0, len(events) - 1)
    yield from ending(log)


def cut(log: Log, seed: int) -> Iterator[bytes]:
    """The same records in batches of random size from partitions in random order, some of them sent twice."""
    rng = random.Random(seed)
    position = [0] * len(log)
    while open_ := [partition for partition, events in enumerate(log) if position[partition] < len(events)]:
        partition = rng.choice(open_)
        first = max(0, position[partition] - rng.choice([0, 0, 0, 1, 7]))
        last = min(len(log[partition]), position[partition] + rng.choice([1, 2, 5, 40])) - 1
        yield batch(log, partition, first, last)
        position[partition] = last + 1
    yield from ending(log)


def ending(log: Log, after_ms: int = 100_000) -> Iterator[bytes]:
    """Marks that say: all partitions are idle, and it is `after_ms` past the last event."""
    last_ms = max((event.time_ms for events in log for event in events), default=0)
    for partition, events in enumerate(log):
        yield batch(log, partition, len(events), len(events) - 1, idle=True, wall_ms=last_ms + after_ms)


UNGATHERED = Paging(remind_ms=None, storm_pages=1 << 30)
"""Every alert is told by itself, and once."""


class Pipeline:
    """Detect and triage back to back; `crash` goes on from a dump, as a new worker would."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = msgspec.structs.replace(settings or Settings(), paging=UNGATHERED)
        self.detect = Detect(self.settings, 0)
        self.triage = Triage(self.settings, Mode.LIVE)
        self.alerts: list[Alert] = []
        self._anomalies = 0
        self._samples = 0
        self._stored: dict[str, bytes] = {}

    def feed(self, payload: bytes) -> list[Alert]:
        """Fold in one record of the samples topic."""
        new: list[Alert] = []
        for output in self.detect.step(self._samples, payload):
            assert output.value is not None
            new += self.triage.step(self._anomalies, output.value)
            self._anomalies += 1
        self._samples += 1
        self.alerts += new
        return new

    def crash(self) -> None:
        """Lose everything but what was stored: each time, the chunks that changed."""
        detect, triage = Detect(self.settings, 0), Triage(self.settings, Mode.LIVE)
        self._stored.update(self.detect.changed())
        assert self._stored == self.detect.dump()
        detect.load(self._stored)
        triage.load(self.triage.dump())
        self.detect, self.triage = detect, triage

    def run(self, payloads: Iterator[bytes]) -> list[Alert]:
        """Fold in all of them; every alert so far."""
        for payload in payloads:
            self.feed(payload)
        return self.alerts
