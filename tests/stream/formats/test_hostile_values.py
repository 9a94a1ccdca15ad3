"""Hostile values: whatever bytes arrive, each is counted once, its neighbours are read and nothing crashes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.formats.dead import DeadReason
from stream.formats.limits import Guard, Limits, nesting
from tests.stream.formats.reading import TOPIC, feed, new_ingest, read

GOOD = {
    "events": {"pipeline": "p", "state": "failed", "time": 1},
    "openlineage": {"eventTime": 1, "eventType": "FAIL", "run": {"runId": "r"}, "job": {"name": "p"}},
    "metrics": {"name": "m", "value": 1, "time": 1},
}
FORMATS = sorted(GOOD)


def with_extra(name: str, extra: bytes) -> bytes:
    """A good record with one more field, written as given."""
    return json.dumps(GOOD[name]).encode()[:-1] + b',"x":' + extra + b"}"


BOMBS: dict[str, tuple[Callable[[str], bytes], set[str]]] = {
    "empty": (lambda _: b"", {"not_json"}),
    "truncated": (lambda name: json.dumps(GOOD[name]).encode()[:-1], {"not_json"}),
    "two values": (lambda name: json.dumps(GOOD[name]).encode() * 2, {"not_json"}),
    "200,000 deep": (lambda name: with_extra(name, b"[" * 200_000 + b"]" * 200_000), {"too_deep"}),
    "200,000 deep, open": (lambda name: with_extra(name, b'{"a":' * 150_000), {"too_deep"}),
    "100 deep": (lambda name: with_extra(name, b'{"a":' * 100 + b"1" + b"}" * 100), {"too_deep"}),
    "wide, not deep": (lambda name: with_extra(name, b"[" + b"[]," * 9_999 + b"[]]"), set()),
    "brackets in text": (lambda name: with_extra(name, b'"' + b"[{" * 9_999 + b'\\""'), set()),
    "10 MB": (lambda name: with_extra(name, b'"' + b"a" * 10_000_000 + b'"'), {"oversize"}),
    "6,000 digits": (lambda name: with_extra(name, b"9" * 6_000), set()),
    "100,000 fields": (lambda name: with_extra(name, b'{"a":1' + b',"a":1' * 99_999 + b"}"), set()),
    "invalid UTF-8": (lambda name: with_extra(name, b'"\xff\xfe"'), {"not_utf8"}),
    "surrogate bytes": (lambda name: with_extra(name, b'"\xed\xa0\x80"'), {"not_utf8"}),
    "NaN": (lambda name: with_extra(name, b"NaN"), {"not_json"}),
    "Infinity": (lambda name: with_extra(name, b"-Infinity"), {"not_json"}),
    "raw control character": (lambda name: with_extra(name, b'"\x01"'), {"not_json", ""}),
    "lone surrogate": (lambda name: with_extra(name, rb'"\ud800"'), {"not_json", ""}),
    "quotes to backtrack over": (lambda name: with_extra(name, b'"' + rb"\"[" * 100_000), {"not_json"}),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_counted_once_and_its_neighbours_are_read(name: str, bomb: str) -> None:
    make, reasons = BOMBS[bomb]

    seen = read(name, GOOD[name], make(name), GOOD[name])

    assert seen.home == [0, 1, 2]
    assert set(seen.dead) <= {1}
    assert (seen.dead.get(1, "") in reasons) if reasons else not seen.dead
    assert {0, 2} <= {row["offset"] for row in seen.rows()}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "field", ["pipeline", "name", "run_id", "labels", "value", "time", "eventTime", "eventType", "rows"]
)
@pytest.mark.parametrize(
    "raw", [rb'"\ud800"', rb'"\udc00x"', b"9" * 6_000, b"-" + b"9" * 6_000, b"1e999", b"-0.0"]
)
def test_extreme_numbers_and_surrogates_in_known_fields_never_crash(
    name: str, field: str, raw: bytes
) -> None:
    text = json.dumps({key: value for key, value in GOOD[name].items() if key != field}).encode()

    seen = read(name, GOOD[name], text[:-1] + b',"' + field.encode() + b'":' + raw + b"}", GOOD[name])

    assert seen.home == [0, 1, 2]
    assert {0, 2} <= {row["offset"] for row in seen.rows()}


def test_ten_thousand_bad_records_in_a_row_leave_the_next_one_alone() -> None:
    seen = feed(new_ingest("events"), [b"{"] * 10_000 + [GOOD["events"]])

    assert len(seen.dead) == len(seen.letters) == 10_000
    assert [run["offset"] for run in seen.runs] == [10_000]


def test_a_tombstone_is_no_error() -> None:
    for name in FORMATS:
        seen = read(name, None, GOOD[name], None)
        assert (seen.home, seen.dead, len(seen.rows())) == ([0, 1, 2], {}, 1)


def test_a_dead_letter_keeps_the_value_up_to_its_cap_and_says_where_it_came_from() -> None:
    limits = Limits(record_bytes_max=100, dead_letter_bytes_max=60)

    seen = feed(
        new_ingest("events", limits), [b"x" * 101, b"{"], first=40, timestamps_ms=[1_700_000_000_123, 0]
    )

    assert [letter.value for letter in seen.letters] == [b"x" * 60, b"{"]
    assert [letter.key for letter in seen.letters] == [b"t/1/40", b"t/1/41"]
    assert seen.headers == [
        {
            "reason": "oversize", "detail": "101 bytes; the limit is 100", "topic": TOPIC, "partition": "1",
            "offset": "40", "size_bytes": "101", "time": "2023-11-14T22:13:20.123Z", "truncated": "60",
        },
        {
            "reason": "not_json", "detail": "Input data was truncated", "topic": TOPIC, "partition": "1",
            "offset": "41", "size_bytes": "1",
        },
    ]  # fmt: skip


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([2**70, -1, "NaN", "p", 1]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def mutants(name: str) -> st.SearchStrategy[bytes]:
    """Good records with known fields replaced at random, then cut or with bytes flipped."""
    known = [
        "labels",
        "schema",
        "owner",
        "error",
        "inputs",
        "outputs",
        "dataset",
        "facets",
        "timestamp",
        "run_id",
        "rows",
    ]
    replaced = st.dictionaries(st.sampled_from([*GOOD[name], *known]), JSON, max_size=4)
    texts = replaced.map(lambda fields: json.dumps(GOOD[name] | fields).encode())
    cut = st.builds(lambda text, end: text[: end % (len(text) + 1)], texts, st.integers(0, 9_999))
    flipped = st.builds(
        lambda text, at, byte: text[: at % len(text)] + bytes([byte]) + text[at % len(text) + 1 :],
        texts, st.integers(0, 9_999), st.integers(0, 255),
    )  # fmt: skip
    return texts | cut | flipped | st.binary(max_size=60)


@pytest.mark.parametrize("name", FORMATS)
def test_no_bytes_crash_a_reader_or_touch_a_neighbour(name: str) -> None:
    @settings(max_examples=500, deadline=None)
    @given(st.lists(mutants(name) | st.none(), min_size=1, max_size=4))
    @example([b'{"pipeline":"p","state":"failed","time":1,"rows":1E400}'])
    def run(values: list[bytes | None]) -> None:
        batch = [GOOD[name], *values, GOOD[name]]
        seen = read(name, *batch)
        assert seen.home == list(range(len(batch)))
        assert set(seen.dead.values()) <= set(DeadReason)
        assert {0, len(batch) - 1} <= {row["offset"] for row in seen.rows()}
        alone = [read(name, value).dead.get(0) for value in batch]
        assert [seen.dead.get(offset) for offset in range(len(batch))] == alone

    run()


def _nesting_by_hand(value: bytes) -> int:
    depth = deepest = 0
    inside = escaped = False
    for char in value.decode("latin-1"):
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        deepest = max(deepest, depth)
    return deepest


@settings(max_examples=2_000, deadline=None)
@given(st.text(alphabet='[]{}"\\a\n', max_size=60).map(str.encode))
def test_nesting_is_what_a_walk_through_the_text_says(value: bytes) -> None:
    assert max(0, nesting(value)) == _nesting_by_hand(value)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.text(alphabet='[]{}"é', max_size=40).map(str.encode) | st.binary(max_size=20), max_size=4))
def test_what_passes_in_one_look_at_the_batch_also_passes_one_by_one(values: list[bytes]) -> None:
    guard = Guard(Limits(record_bytes_max=30, nesting_max=5))

    if guard.passes_all(values):
        for value in values:
            guard.check(value)
