"""Avro is read into what JSON would have there; what is not what its schema says is a dead letter, whatever the bytes."""

import io
import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings import DataNames
from stream.formats.encodings.avro import compiled
from stream.formats.encodings.schemas import Schema


def record_of(*fields: tuple[str, Any], name: str = "shop.Order") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": it, "type": kind} for it, kind in fields]}


def written(schema: Any, record: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)
    return stream.getvalue()


def long(number: int) -> bytes:
    """A number as Avro writes it: zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def decode(schema: Any, value: bytes) -> dict[str, Any]:
    return compiled(Schema("avro", json.dumps(schema)))(value)


def logical(kind: str, name: str, /, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("null", None, None),
        ("boolean", True, True),
        ("int", -5, -5),
        ("long", 2**62, 2**62),
        ("double", 1.0, 1.0),
        ("string", "é", "é"),
        ("bytes", b"\xff\x00a", "ÿ\x00a"),
        ({"type": "fixed", "name": "F", "size": 2}, b"ab", "ab"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        (["null", "string", "long"], 7, 7),
        ({"type": "array", "items": "bytes"}, [b"a"], ["a"]),
        (logical("bytes", "decimal", precision=9, scale=2), Decimal("-12.50"), -12.5),
        (logical("fixed", "decimal", name="F", size=8, precision=9, scale=3), Decimal("7.125"), 7.125),
        (logical("fixed", "duration", name="D", size=12), b"\1\0\0\0\2\0\0\0\xdc\5\0\0", "P1M2DT1.500S"),
        (logical("string", "uuid"), uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (logical("int", "date"), date(2026, 11, 23), "2026-11-23"),
        (logical("int", "time-millis"), time(1, 2, 3, 4000), "01:02:03.004"),
        (logical("long", "time-micros"), time(1, 2, 3, 4), "01:02:03.000004"),
        (
            logical("long", "timestamp-millis"),
            datetime(2026, 11, 23, 2, 18, 57, 5000, UTC),
            "2026-11-23T02:18:57.005Z",
        ),
        (logical("long", "timestamp-micros"), -1, "1969-12-31T23:59:59.999999Z"),
        (logical("long", "timestamp-nanos"), 1_500_000_000, "1970-01-01T00:00:01.500000000Z"),
        (logical("long", "local-timestamp-millis"), 1_500, "1970-01-01T00:00:01.500"),
        (logical("long", "timestamp-millis"), 2**62, f"{2**62} millis"),
        (logical("int", "date"), 2**30, f"{2**30} days"),
        (logical("int", "time-millis"), -1, "-1 millis"),
        (logical("long", "of-my-own"), 5, 5),
        ([logical("long", "timestamp-millis"), "null"], None, None),
    ],
)
def test_each_type_gives_what_json_would_have_there(kind: Any, value: Any, expected: Any) -> None:
    schema = record_of(("a", kind))
    record = decode(schema, written(schema, {"a": value}))
    assert record == {"a": expected}
    assert type(record["a"]) is type(expected)


def test_the_names_of_a_map_are_data() -> None:
    schema = record_of(("m", {"type": "map", "values": "bytes"}))
    assert decode(schema, written(schema, {"m": {"a": b"x"}})) == {"m": DataNames(a="x")}
    assert type(decode(schema, written(schema, {"m": {"a": b"x"}}))["m"]) is DataNames


def test_named_types_are_read_wherever_they_are_named_and_in_references() -> None:
    money = record_of(("cents", "bytes"), name="shop.Money")
    order = record_of(("price", "Money"), ("tax", "shop.Money"))
    value = written(
        record_of(("price", money), ("tax", "shop.Money")), {"price": {"cents": b"1"}, "tax": {"cents": b"2"}}
    )
    reference = Schema("avro", json.dumps(money))
    schema = Schema("avro", json.dumps(order), (("shop.Money", reference),))
    assert compiled(schema)(value) == {"price": {"cents": "1"}, "tax": {"cents": "2"}}


LINKED = record_of(("next", ["null", "Linked"]), name="deep.Linked")


def test_a_type_that_holds_itself_is_read_as_deep_as_it_is_safe() -> None:
    value = long(1) * 20 + long(0)
    assert json.dumps(decode(LINKED, value)).count("next") == 21
    with pytest.raises(UnreadableError) as refused:
        decode(LINKED, long(1) * 1_000_000 + long(0))
    assert refused.value.reason == DeadReason.TOO_DEEP


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", long(1 << 40)),
        ("string", long(-5) + b"abcde"),
        ("string", long(2) + b"\xff\xfe"),
        ("bytes", long((1 << 62) + 1)),
        ({"type": "array", "items": "int"}, long(1 << 40)),
        ({"type": "array", "items": "int"}, long(-(1 << 40)) + long(5)),
        ({"type": "map", "values": "null"}, long(1 << 40)),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, long(5)),
        (["null", "int"], long(9)),
        ("long", b"\xff" * 30),
        ("boolean", b""),
        ("double", b"a"),
        ("int", long(5) + b"more"),
    ],
)
def test_what_is_not_what_the_schema_says_is_refused(kind: Any, value: bytes) -> None:
    with pytest.raises(UnreadableError) as refused:
        decode(record_of(("a", kind)), value)
    assert refused.value.reason == DeadReason.NOT_AVRO


ANYTHING = record_of(
    ("a", ["null", "string", {"type": "map", "values": {"type": "array", "items": ["int", "bytes"]}}]),
    ("b", logical("bytes", "decimal", precision=40, scale=38)),
    ("c", logical("long", "timestamp-micros")),
    ("d", ["null", "shop.Order"]),
)
reads_anything = compiled(Schema("avro", json.dumps(ANYTHING)))


@given(
    st.binary(max_size=200)
    | st.lists(st.integers(-5, 40), max_size=40).map(lambda it: b"".join(map(long, it)))
)
def test_any_bytes_are_a_record_or_refused(value: bytes) -> None:
    try:
        assert isinstance(reads_anything(value), dict)
    except UnreadableError as why:
        assert why.reason in (DeadReason.NOT_AVRO, DeadReason.TOO_DEEP)  # noqa: PT017  either is right


@pytest.mark.parametrize(
    "text",
    [
        "nope",
        "[" * 100_000,
        '"string"',
        "null",
        "5",
        "[]",
        "{}",
        '{"type": "record"}',
        '{"type": {"type": "nope"}}',
        json.dumps(record_of(("a", "Missing"))),
        json.dumps(record_of(("a", {"type": "array", "items": "null"}))),
        json.dumps(record_of(("a", {"type": "array", "items": record_of(("n", "null"), name="N")}))),
        json.dumps(record_of(("a", {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}))),
        json.dumps(record_of(("n", record_of(name="N")), ("a", {"type": "array", "items": "N"}))),
        json.dumps(record_of(("n", record_of(name="N")), ("a", {"type": "array", "items": {"type": "N"}}))),
    ],
)
def test_what_is_no_schema_of_a_record_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        compiled(Schema("avro", text))
    assert refused.value.reason == DeadReason.NO_SCHEMA
