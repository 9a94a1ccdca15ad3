"""Reads values through ingest and shows what came out, row by row."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.outputs import Destination, Output
from detectors.samples import (
    RUN_COLUMNS,
    SCHEMA_COLUMNS,
    VALUE_COLUMNS,
    Mark,
    RunState,
    SampleBatch,
    decode_key,
)
from detectors.series import shard_of
from stream.formats.limits import Limits
from stream.ingest import Ingest

FIXTURES = Path(__file__).parents[2] / "fixtures"
WALL_MS = 1_800_000_000_000
SKEW_MS = 300_000
SHARDS = 3
TOPIC = "t"


@dataclass
class Seen:
    """Everything that outputs say; rows as dicts with the key's kind, labels, unit and owner."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    declared: list[dict[str, Any]] = field(default_factory=list)
    home: list[int] = field(default_factory=list)
    home_shard: dict[int, int] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    letters: list[Output] = field(default_factory=list)

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of each dead letter."""
        return [{name: text.decode() for name, text in letter.headers} for letter in self.letters]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all tables."""
        return [*self.runs, *self.values, *self.declared]


def new_ingest(name: str, limits: Limits | None = None, shards: int = SHARDS) -> Ingest:
    """An ingest of one source topic."""
    return Ingest({TOPIC: name}, shards, {TOPIC: 2}, limits or Limits(), SKEW_MS)


def read(name: str, *values: Any, limits: Limits | None = None) -> Seen:
    """What a fresh ingest makes of one batch; what is not bytes is sent as JSON."""
    return feed(new_ingest(name, limits), values)


def feed(
    ingest: Ingest,
    values: Sequence[Any],
    *,
    first: int = 0,
    timestamps_ms: Sequence[int] | None = None,
    previous: int | None = None,
) -> Seen:
    """What `ingest` makes of one batch with consecutive offsets."""
    payloads = [value if isinstance(value, bytes | None) else json.dumps(value).encode() for value in values]
    offsets = range(first, first + len(payloads))
    stamps = timestamps_ms or [0] * len(payloads)
    return seen(ingest.batch(TOPIC, 1, offsets, payloads, stamps, previous, WALL_MS, caught_up=True))


def seen(outputs: Sequence[Output]) -> Seen:
    """What outputs say, after checking what holds for all of them."""
    everything = Seen()
    samples = [output for output in outputs if output.destination is Destination.SAMPLES]
    everything.letters = [output for output in outputs if output.destination is Destination.DEAD_LETTERS]
    assert [output.partition for output in samples] == list(range(len(samples)))
    for output in samples:
        assert output.partition is not None
        assert output.value is not None
        _add(everything, SampleBatch.from_bytes(output.value), output.partition, len(samples))
    assert len(set(map(repr, everything.marks))) == 1, "all samples partitions get the same mark"
    assert len(everything.home) == len(set(everything.home)), "a record is home once"
    assert [header["offset"] for header in everything.headers] == [
        str(offset) for offset in sorted(everything.dead)
    ]
    everything.home.sort()
    for offset, shard in everything.home_shard.items():
        assert shard in _homes(everything, offset, len(samples)), "home is where the record has its first row"
    for rows in (everything.runs, everything.values, everything.declared):
        rows.sort(key=lambda row: row["offset"])
    return everything


def _homes(everything: Seen, offset: int, shards: int) -> set[int]:
    """Where a record may be home as far as the outputs tell, which have lost the order across partitions."""
    for rows in (everything.runs, everything.values, everything.declared):
        if found := {row["shard"] for row in rows if row["offset"] == offset}:
            return found
    return {offset % shards}


def _add(everything: Seen, batch: SampleBatch, shard: int, shards: int) -> None:
    everything.marks.append(batch.mark)
    home = batch.home_offsets().tolist()
    everything.home += home
    everything.home_shard |= dict.fromkeys(home, shard)
    everything.dead |= dict(batch.dead)
    assert {offset for offset, _ in batch.dead} <= set(home)
    runs = list(_rows(batch, batch.table(batch.runs, RUN_COLUMNS)))
    for index, text in batch.errors.items():
        runs[index]["error"] = text
    values = list(_rows(batch, batch.table(batch.values, VALUE_COLUMNS)))
    declared = list(_rows(batch, batch.table(batch.declared, SCHEMA_COLUMNS)))
    for row in declared:
        row["schema"] = batch.schemas[row["schema"]]
    for row in (*runs, *values, *declared):
        row["shard"] = shard
        assert shard_of(tuple(sorted(row["labels"].items())), shards) == shard
    everything.runs += runs
    everything.values += values
    everything.declared += declared
    used = {row["index"] for row in (*runs, *values, *declared)}
    assert used == set(range(len(batch.kinds))), "a key without rows would make a series of nothing"


def _rows(batch: SampleBatch, table: dict[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
    for at in range(len(table["key"])):
        row: dict[str, Any] = {name: column[at].item() for name, column in table.items()}
        key = decode_key(*batch.key_texts(np.array([row["key"]])))
        row |= {"index": row.pop("key"), "kind": key.kind, "labels": dict(key.labels)}
        row |= {"unit": key.unit, "owner": key.owner}
        if "state" in row:
            row["state"] = RunState(row["state"])
        yield {
            name: None if isinstance(item, float) and np.isnan(item) else item for name, item in row.items()
        }


def recorded(name: str) -> list[Any]:
    """The values of a recorded stream."""
    lines = (FIXTURES / "tools" / name).read_text().splitlines()
    return [json.loads(line)["value"] for line in lines]
