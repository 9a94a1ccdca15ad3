"""The scan reads exactly what the decoder reads, and leaves everything else to it."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xxhash import xxh64_intdigest

from bench.stages import run_events
from detectors.compiled import entry
from detectors.samples import Key, decode_key
from detectors.xxh64 import xxh64
from stream.formats.caps import Caps
from stream.formats.event_scan import scan
from stream.formats.events import Events
from stream.formats.limits import Limits
from stream.formats.table import Table

Row = tuple[int, Key, tuple[Any, ...]]


def new_reader() -> Events:
    return Events(Limits(), Caps(Limits()), 3)


def rows(table: Table) -> list[Row]:
    """Event time, key and the other columns of each run row."""
    columns, keys = table.run_columns(), table.key_choice()
    return [
        (int(table.times[record]), decode_key(keys.columns.text(keys.places[key])), tuple(map(str, cells)))
        for record, key, *cells in zip(*(column.tolist() for column in columns), strict=True)
    ]


def scans(value: bytes) -> bool:
    return bool(scan(value, np.array([len(value)]))["plain"][0])


def by_decoder(value: bytes) -> Table:
    table = Table(1)
    new_reader()._read_others(table, [value], np.array([0]))
    return table


def agree(value: bytes) -> None:
    """If the scan takes the value, it reads what the decoder reads."""
    if scans(value):
        decoded = by_decoder(value)
        assert decoded.dead == {}
        assert rows(new_reader().read([value])) == rows(decoded)


EVENT = {
    "pipeline": "orders",
    "state": "succeeded",
    "time": 1_780_000_000_123,
    "task": "load",
    "run_id": "run-17",
    "duration_ms": 5312,
    "rows": 120_345,
    "bytes": 99.25,
    "labels": {"region": "eu", "team": "a b"},
    "owner": "data",
}
SCANNED = (
    EVENT,
    {"pipeline": "p", "state": "STARTED", "time": "2026-02-28T23:59:59.123456+05:30"},
    {"pipeline": "p", "state": "running", "time": "2024-02-29T00:00:00Z", "run_id": 17},
    {"pipeline": "p", "state": "skipped", "time": 0, "task": None, "rows": None, "labels": None},
    {"pipeline": "p", "state": "failed", "time": 1, "labels": {}, "dataset": "d", "more": True, "less": 1.5},
    {"time": 1, "state": "started", "pipeline": "x" * 300, "run_id": "y" * 100},
    {"pipeline": "p", "state": "started", "time": 1, "run_id": "", "task": ""},
)
LEFT: tuple[Any, ...] = (
    {**EVENT, "error": "boom"},
    {**EVENT, "schema": []},
    {**EVENT, "inputs": ["a"]},
    {**EVENT, "outputs": []},
    {**EVENT, "after": "a"},
    {**EVENT, "pipeline": ""},
    {**EVENT, "pipeline": "größe"},
    {**EVENT, "pipeline": 'a"b'},
    {**EVENT, "state": "Succeeded"},
    {**EVENT, "time": 1.5},
    {**EVENT, "time": -1},
    {**EVENT, "time": True},
    {**EVENT, "time": "2026-02-30T00:00:00Z"},
    {**EVENT, "time": "2026-02-28T24:00:00Z"},
    {**EVENT, "time": "2026-02-28 00:00:00Z"},
    {**EVENT, "duration_ms": -1},
    {**EVENT, "duration_ms": "12"},
    {**EVENT, "rows": 1e30},
    {**EVENT, "labels": {"a": 1}},
    {**EVENT, "labels": []},
    {**EVENT, "more": {"a": 1}},
    {"state": "started", "time": 1},
    {"pipeline": "p", "time": 1},
    {"pipeline": "p", "state": "started"},
    [],
    1,
)


@pytest.mark.parametrize("event", SCANNED, ids=str)
def test_plain_events_are_scanned(event: dict[str, Any]) -> None:
    for text in (json.dumps(event), json.dumps(event, separators=(",", ":")), json.dumps(event, indent=1)):
        assert scans(text.encode())
        agree(text.encode())


@pytest.mark.parametrize("event", LEFT, ids=str)
def test_everything_else_is_left_to_the_decoder(event: Any) -> None:
    assert not scans(json.dumps(event).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{}",
        b'{"pipeline":"p","state":"started","time":1}x',
        b'{"pipeline":"p","state":"started","time":1,}',
        b'{"pipeline":"p","state":"started","time":01}',
        b'{"pipeline":"p","state":"started","time":1e3}',
        b'{"pipeline":"p","state":"started","time":1',
        b'{"pipeline":"p","state":"started","time":1,"pipeline":"q"}',
        b'{"pipeline":"p","state":"started","time":1,"rows":1.}',
        b'{"pipeline":"p","state":"started","time":1,"rows":.5}',
        b'{"pipeline":"p","state":"started","time":1,"rows":nul}',
        b'{"pipeline":"p\x01","state":"started","time":1}',
        b'{"pipeline" "p","state":"started","time":1}',
        b'{"pipeline":"p","state":"started","time":1 "rows":2}',
        b'\xef\xbb\xbf{"pipeline":"p","state":"started","time":1}',
    ],
)
def test_what_is_not_json_or_not_plain_is_left_to_the_decoder(text: bytes) -> None:
    assert not scans(text)


def test_every_event_of_the_benchmark_is_scanned() -> None:
    values = run_events(500, 1_790_000_000_000)
    assert scan(b"".join(values), np.cumsum([len(value) for value in values]))["plain"].all()
    alone = [row for value in values for row in rows(by_decoder(value))]
    assert rows(new_reader().read(values)) == alone


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(["load", "", "null", "{}"])
NUMBERS = st.integers() | st.floats() | st.decimals(0, 10**9, places=3).map(float) | st.integers(0, 10**15)
TIMES = (
    st.datetimes(timezones=st.timezones() | st.none()).map(lambda time: time.isoformat())
    | st.integers(0, 10**15)
    | TEXTS
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "pipeline": TEXTS,
    "state": st.sampled_from(["started", "RUNNING", "succeeded", "failed", "SKIPPED", "Failed", "x"]),
    "time": TIMES,
    "task": TEXTS | st.none(),
    "run_id": TEXTS | st.none() | st.integers(),
    "duration_ms": NUMBERS | st.none(),
    "rows": NUMBERS | st.none() | st.booleans(),
    "bytes": NUMBERS | TEXTS,
    "labels": st.dictionaries(TEXTS, TEXTS | st.none(), max_size=3) | st.none(),
    "owner": TEXTS | st.none(),
    "dataset": TEXTS | st.none(),
    "inputs": st.lists(TEXTS, max_size=2) | st.none() | TEXTS,
    "scheduled_at": TIMES | st.none() | st.booleans(),
    "more": st.recursive(TEXTS | NUMBERS, st.lists, max_leaves=3),
}


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """JSON that is nearly a run event, written in one of several ways, and now and then damaged."""
    names = draw(st.permutations(sorted(VALUES)))
    kept = {"pipeline", "state", "time"} | set(draw(st.lists(st.sampled_from(names), max_size=6)))
    event = {name: draw(VALUES[name]) for name in names if name in kept}
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, None, 1]))
    raw = bytearray(
        json.dumps(event, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw)


@settings(max_examples=1500, deadline=None)
@given(texts())
@example(b'{"pipeline":"p","state":"started","time":"2026-01-01T00:00:00.1Z","rows":0.1}')
@example(b'{"pipeline":"p","state":"started","time":999999999999999,"rows":123456789.012345}')
def test_what_the_scan_takes_it_reads_as_the_decoder_does(value: bytes) -> None:
    agree(value)


@settings(max_examples=200, deadline=None)
@given(st.lists(texts(), min_size=1, max_size=8))
def test_a_batch_gives_the_rows_of_its_records_one_by_one(values: list[bytes]) -> None:
    whole = new_reader().read(values)
    alone = [new_reader().read([value]) for value in values]
    assert sorted(whole.dead) == [record for record, table in enumerate(alone) if table.dead]
    assert rows(whole) == [row for table in alone for row in rows(table)]


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(0, 14))
def test_decimal_numbers_are_read_to_the_last_bit(digits: int, places: int) -> None:
    number = f"{digits:0{places + 1}}"
    text = f"{number[: len(number) - places]}.{number[len(number) - places :]}" if places else number
    agree(f'{{"pipeline":"p","state":"succeeded","time":1,"rows":{text}}}'.encode())


@entry
def _xxh64(buffer: npt.NDArray[np.uint8], start: int, stop: int, seed: np.uint64) -> np.uint64:
    return xxh64(buffer.ctypes.data, start, stop, seed)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 20))
def test_the_kernel_hashes_as_xxhash_does(data: bytes, seed: int, start: int) -> None:
    start = min(start, len(data))
    hashed = _xxh64(np.frombuffer(data, np.uint8), start, len(data), np.uint64(seed))
    assert int(hashed) == xxh64_intdigest(data[start:], seed)
