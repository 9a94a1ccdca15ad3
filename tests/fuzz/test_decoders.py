"""Whatever bytes arrive, each record becomes rows or a dead letter, and its neighbours are read as if it were not there.

`STREAMGAUGE_FUZZ` is the number of inputs. Every chunk is a function of its number, which a failure names.
"""

import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pytest

from detectors.notes import read_note
from detectors.samples import SampleBatch
from detectors.settings import Settings
from stream.formats import Reading
from stream.formats.dead import DeadReason
from stream.formats.records import RecordSource
from stream.snapshots import SnapshotError, SnapshotLog, SnapshotWriter
from stream.sources import Place
from tests.fuzz.mutation import Mutator, mutated
from tests.fuzz.nasty import records
from tests.simulator.in_one_process import InOneProcess

INPUTS: Final = int(os.environ.get("STREAMGAUGE_FUZZ", "6000"))
CHUNK: Final = 500
BATCH: Final = 25
RECORD_S_MAX: Final = 20.0
GROWTH_MB_MAX: Final = 500
NOW_MS: Final = 1_780_000_000_000
DAY_MS: Final = 86_400_000
FIXTURES: Final = Path(__file__).parents[1] / "fixtures"
NEIGHBOUR: Final = "the-neighbour"

GOOD: Final[dict[str, dict[str, Any]]] = {
    "events": {"pipeline": NEIGHBOUR, "state": "succeeded", "time": NOW_MS},
    "openlineage": {
        "eventTime": "2026-05-28T20:26:40Z",
        "eventType": "COMPLETE",
        "run": {},
        "job": {"name": NEIGHBOUR},
    },
    "metrics": {"name": NEIGHBOUR, "value": 1, "time": NOW_MS},
    "records": {"name": NEIGHBOUR, "value": 1, "at": NOW_MS},
}
READINGS: Final[dict[str, Reading]] = {"records": RecordSource(("at",), (("name", ("name",)),))}
RECORDS: Final = (
    {"name": "a", "at": "2026-05-28T20:26:40Z", "value": 1.5, "by": {"user_123": {"n": 1}}, "tags": ["x", None]},
    {"name": 7, "at": NOW_MS, "items": [{"sku": "a", "price": 1}, {"sku": "b"}], "nested": {"a": {"b": {"c": [[1], []]}}}},
)  # fmt: skip
EVENTS: Final = (
    {"pipeline": "orders", "task": "load", "state": "failed", "time": "2026-05-28T20:26:40Z", "run_id": "7", "error": "e"},
    {
        "pipeline": "orders", "state": "succeeded", "time": NOW_MS, "run_id": 7, "duration_ms": 5312, "rows": 12, "bytes": 9,
        "dataset": "db.orders", "labels": {"region": "eu"}, "owner": "me",
        "schema": [{"name": "id", "type": "long", "nullable": False, "fields": [{"name": "x", "type": "int"}]}],
    },
)  # fmt: skip
METRICS: Final = (
    {"name": "queue", "value": 5.5, "time": NOW_MS, "labels": {"host": "a"}},
    {
        "name": "up",
        "value": "1",
        "timestamp": "2026-05-28T20:26:40Z",
        "labels": {"__name__": "up", "job": "x"},
    },
)


def seeds(name: str) -> list[bytes]:
    """Good records of a format; of OpenLineage published and recorded ones that are not large."""
    if name != "openlineage":
        return [
            json.dumps(record).encode()
            for record in {"events": EVENTS, "metrics": METRICS, "records": RECORDS}[name]
        ]
    published = [path.read_bytes() for path in sorted((FIXTURES / "openlineage").glob("*.json"))]
    lines = (FIXTURES / "tools" / "ol_airflow.jsonl").read_text().splitlines()
    recorded = [json.dumps(json.loads(line)["value"]).encode() for line in lines]
    return [value for value in (*published, *recorded) if len(value) < 20_000]


class Reader:
    """Reads batches of one format between good neighbours, and checks what came of each."""

    def __init__(self, name: str) -> None:
        self._place = Place("t", 0)
        self._process = InOneProcess({"t": READINGS.get(name, name)}, {"t": 1}, Settings(), shards=2)
        self._good = json.dumps(GOOD[name]).encode()
        self._offset = self._read = self._neighbours = 0

    def batch(self, values: Sequence[bytes | None]) -> None:
        """Read a batch."""
        columns = [self._good, *values, self._good]
        offsets = range(self._offset, self._offset + len(columns))
        self._offset += len(columns)
        self._read += len(columns)
        self._neighbours += 2
        started_s = time.monotonic()
        self._process.read(self._place, offsets, columns, [NOW_MS] * len(columns), NOW_MS)
        assert time.monotonic() - started_s < RECORD_S_MAX

    def end(self) -> None:
        """Let time pass over all rows; each record was counted once, and no neighbour is missing."""
        self._process.mark(self._place, NOW_MS + 400 * DAY_MS)
        counts = self._process.counts()
        dead = sum(n for key, n in counts.items() if key[0] == "dead_letters")
        assert counts["records", "t"] == self._read
        assert dead == len(self._process.dead_letters)
        for letter in self._process.dead_letters.values():
            assert dict(letter.headers)["reason"].decode() in set(DeadReason)
        assert self._process.seen(NEIGHBOUR) == self._neighbours


def fuzz_format(name: str, chunk: int) -> int:
    """Read one chunk of mutated records; returns how many."""
    mutator, reading = Mutator(seeds(name), chunk), Reader(name)
    batches = [[mutator.record() for _ in range(BATCH)] for _ in range(CHUNK // BATCH)]
    try:
        for batch in batches:
            reading.batch(batch)
        reading.end()
    except Exception as error:
        raise AssertionError(f"{name}, chunk {chunk}: {_culprit(name, batches)!r}") from error
    return CHUNK


def _culprit(name: str, batches: list[list[bytes]]) -> bytes:
    """The record that fails when it is read alone, if it is one alone."""
    for value in (value for batch in batches for value in batch):
        reading = Reader(name)
        try:
            reading.batch([value])
            reading.end()
        except Exception:  # noqa: BLE001  whatever it is, this is the one
            return value[:2_000]
    return b"no record alone"


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(max(1, os.cpu_count() or 1), mp_context=get_context("spawn")) as processes:
        yield processes


def run(processes: ProcessPoolExecutor, work: Callable[[int], int], inputs: int) -> None:
    """Do the chunks of so many inputs in all processes, and look at the memory that they take."""
    grown = list(processes.map(partial(_measured, work), range(-(-inputs // CHUNK))))
    assert max(grown) < GROWTH_MB_MAX


_warm_mb: Final[list[float]] = []
"""The greatest size of this process once it has done its first chunk and compiled what there is to compile."""


def _measured(work: Callable[[int], int], chunk: int) -> float:
    """Do a chunk; how much the process has grown since its first, MB."""
    assert work(chunk) == CHUNK
    if not _warm_mb:
        _warm_mb.append(_size_mb())
    return _size_mb() - _warm_mb[0]


def _size_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("name", GOOD)
def test_no_mutated_record_crashes_a_reader_or_touches_a_neighbour(
    processes: ProcessPoolExecutor, name: str
) -> None:
    run(processes, partial(fuzz_format, name), INPUTS // 4)


@pytest.mark.parametrize("name", GOOD)
def test_no_record_that_has_broken_readers_before_breaks_this_one(name: str) -> None:
    good = json.dumps({**GOOD[name], "name": "other", "pipeline": "other", "job": {"name": "other"}}).encode()
    for value in records(good):
        reading = Reader(name)
        reading.batch([value])
        reading.end()


def test_a_million_fields_of_nonsense_leave_memory_alone() -> None:
    for name in GOOD:
        fuzz_format(name, 0)
    before_mb = _size_mb()
    for name in GOOD:
        reading = Reader(name)
        for _ in range(20):
            reading.batch([b'{"a":' + b"[" * 500_000, b'{"a":1' + b',"b":2' * 150_000 + b"}"])
        reading.end()
    assert _size_mb() - before_mb < GROWTH_MB_MAX


def payloads(kind: str) -> list[bytes]:
    """Good records of the internal topics, as the stages write them."""
    process = InOneProcess({"t": "events"}, {"t": 1}, Settings(), keep_payloads=True)
    for number in range(60):
        body = {
            **EVENTS[1],
            "time": NOW_MS + number * 60_000,
            "run_id": number,
            "rows": 12 + 1000 * (number == 50),
        }
        body["schema"] = [{"name": f"c{number // 30}", "type": "t"}]
        process.read(Place("t", 0), [number], [json.dumps(body).encode()], [0], NOW_MS + number * 60_000)
    process.mark(Place("t", 0), NOW_MS + DAY_MS)
    return sorted(set(process.payloads[kind]), key=len)[-30:]


DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "samples": SampleBatch.from_bytes,
    "anomalies": read_note,
}


def variations(good: Sequence[bytes], chunk: int) -> Iterator[bytes]:
    chance = random.Random(chunk)
    for _ in range(CHUNK):
        dice = chance.random()
        if dice < 0.05:
            yield chance.randbytes(chance.randint(0, 300))
        elif dice < 0.1:
            yield chance.choice((b"\x91", b"\x81\xa1a", b"\xc1", b"\xdd\xff\xff\xff\xff")) * chance.choice(
                [1, 100, 100_000]
            )
        else:
            yield mutated(chance.choice(good), chance)


def fuzz_payloads(kind: str, good: list[bytes], chunk: int) -> int:
    for value in variations(good, chunk):
        try:
            DECODERS[kind](value)
        except ValueError:
            continue
        except Exception as error:
            raise AssertionError(f"{kind}, chunk {chunk}: {value[:500]!r}") from error
    return CHUNK


@pytest.mark.parametrize("kind", DECODERS)
def test_a_damaged_record_of_an_internal_topic_is_a_value_error(
    processes: ProcessPoolExecutor, kind: str
) -> None:
    good = payloads(kind)
    assert good
    run(processes, partial(fuzz_payloads, kind, good), INPUTS // 8)


def fuzz_manifests(chunk: int) -> int:
    plan = SnapshotWriter(0, 1).plan({"head": b"1" * 50, "body": b"2" * 200}, 7)
    entries = {entry.key: entry.value or b"" for entry in (*plan.parts, plan.manifest)}
    whole = SnapshotLog(dict(entries)).best()[0]
    unknown = b"\x85\xa1x" + b"\x91" * 200_000
    for value in (unknown, *variations([plan.manifest.value or b""], chunk)):
        try:
            best, _ = SnapshotLog({**entries, plan.manifest.key: value}).best()
        except SnapshotError:
            continue
        except Exception as error:
            raise AssertionError(f"manifest, chunk {chunk}: {value[:500]!r}") from error
        assert best is None or set(best.chunks.values()) <= set(whole.chunks.values() if whole else ()), chunk
    return CHUNK


def test_a_damaged_manifest_is_passed_over_or_refused(processes: ProcessPoolExecutor) -> None:
    run(processes, fuzz_manifests, INPUTS // 8)
