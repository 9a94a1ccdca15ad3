"""What it costs to follow the structure of anyone's records: shapes beside a plain decode, both stages, and genson."""

import json
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.machine import PEERS_PYTHON, ROOT
from bench.results import Section
from detectors.detect import Detect
from detectors.outputs import Output
from detectors.settings import Settings
from stream.formats.caps import Caps
from stream.formats.limits import Limits
from stream.formats.shapes import Shapes
from stream.ingest import Ingest
from stream.warm_up import compile_kernels

NAME: Final = "structure"
TITLE: Final = "The structure of records"
ABOUT: Final = """\
Records of anyone's JSON topic in one process and without Kafka, on one core: decoded only; decoded and their shape found; and through ingest and detect, which learn the
structure and judge it. Flat records have 20 fields; nested ones have 26 paths in objects and an array of one to three objects. genson merges each record
into a JSON Schema, from the same decoded objects."""
SHARDS: Final = 4
BATCH_RECORDS: Final = 5_000
START_MS: Final = 1_780_000_000_000
TOPIC: Final = "records"
GENSON_RECORDS_MAX: Final = 20_000
GENSON_S_MAX: Final = 240.0


def measure_into(section: Section, count: int) -> None:
    """Measure `count` records of each kind, and write how many a second each way takes into a section."""
    compile_kernels()
    for kind, values in (("flat", flat(count)), ("nested", nested(count))):
        for way, seconds in measure(values):
            _add(section, f"structure-{kind}-{way}", f"{kind}, {way}", count / seconds)
        try:
            _add(section, f"structure-{kind}-genson", f"{kind}, genson", genson(values[:GENSON_RECORDS_MAX]))
        except (OSError, subprocess.SubprocessError) as reason:
            section.figure(f"structure-{kind}-genson", f"{kind}, genson", "").error = str(reason)


def _add(section: Section, name: str, title: str, rate: float) -> None:
    section.add(name, title, "records/s", rate)
    print(f"{title}: {rate:,.0f} records/s")


def flat(count: int) -> list[bytes]:
    """Records of 20 fields: whole numbers, fractions, texts and flags."""
    rng = random.Random(1)
    return [_encoded({f"field_{n:02}": _value(n, rng) for n in range(20)}) for _ in range(count)]


def _value(place: int, rng: random.Random) -> Any:
    kinds = rng.randrange(1000), "some text", round(rng.random(), 4), rng.random() < 0.5
    return kinds[place % 4]


def nested(count: int) -> list[bytes]:
    """Orders with objects in objects, and items."""
    rng = random.Random(1)
    return [
        _encoded({
            "id": number, "at": "2026-03-01T10:00:00Z", "total": round(rng.random() * 100, 2), "currency": "EUR", "paid": True,
            "note": None, "channel": "web", "version": 3,
            "customer": {"id": rng.randrange(1000), "name": "a name", "address": {"zip": "10115", "city": "Berlin", "country": "de"}},
            "items": [{"sku": "sku-1", "quantity": 2, "price": 7.25} for _ in range(rng.randrange(1, 4))],
            "tags": ["a", "b"], "meta": {"source": "shop", "trace": "abc", "attempt": 1},
        })
        for number in range(count)
    ]  # fmt: skip


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def measure(values: list[bytes]) -> Iterator[tuple[str, float]]:
    """Seconds that each way takes for these records."""
    decode, shapes = msgspec.json.Decoder(dict[str, Any]).decode, Shapes(Caps(Limits()))
    began = time.perf_counter()
    for value in values:
        decode(value)
    decoded = time.perf_counter()
    for value in values:
        shapes.root(decode(value))
    yield "decoded", decoded - began
    yield "shapes", time.perf_counter() - decoded
    yield "ingest and detect", _stages(values)


def _stages(values: list[bytes]) -> float:
    ingest = Ingest({TOPIC: "records"}, SHARDS, {TOPIC: 1}, Limits(), 300_000)
    shards = [Detect(Settings(), shard) for shard in range(SHARDS)]
    _batch(ingest, shards, values[:1], 0)
    began = time.perf_counter()
    for first in range(1, len(values), BATCH_RECORDS):
        _batch(ingest, shards, values[first : first + BATCH_RECORDS], first)
    return time.perf_counter() - began


def _batch(ingest: Ingest, shards: list[Detect], values: list[bytes], first: int) -> None:
    offsets = range(first, first + len(values))
    times = [START_MS + offset for offset in offsets]
    outputs: list[Output] = ingest.batch(
        TOPIC, 0, offsets, values, times, first - 1 if first else None, times[-1], caught_up=False
    )
    for output in outputs:
        shards[output.partition or 0].step(first, output.value or b"")


def genson(values: list[bytes]) -> float:
    """Records a second that genson takes in, in a process of the peers.

    Raises:
        OSError: the peers are not installed.
        subprocess.SubprocessError: it failed, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        file.write_bytes(b"\n".join(values))
        command = [str(PEERS_PYTHON), "-m", "bench.contenders.genson_schema", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=GENSON_S_MAX)
    return float(json.loads(done.stdout)["records_per_s"])
