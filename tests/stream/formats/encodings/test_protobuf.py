"""Protobuf is read into what JSON would have there; what is not what its schema says is a dead letter, whatever the bytes."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given
from hypothesis import strategies as st

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings import DataNames
from stream.formats.encodings.protobuf import compiled_bare, compiled_framed, run_protoc
from stream.formats.encodings.schemas import Schema

PROTO = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
message Order {
  string id = 1;
  int64 cents = 2;
  optional int32 maybe = 3;
  repeated Item items = 4;
  map<string, double> rates = 5;
  map<int32, Item> by_number = 6;
  State state = 7;
  bytes raw = 8;
  oneof paid { string card = 9; bool cash = 10; }
  google.protobuf.Timestamp at = 11;
  google.protobuf.Duration took = 12;
  google.protobuf.Int64Value wrapped = 13;
  google.protobuf.Struct free = 14;
  google.protobuf.Any any = 15;
  google.protobuf.FieldMask mask = 16;
  google.protobuf.BytesValue blob = 17;
  Order inside = 18;
  enum State { NEW = 0; DONE = 1; }
  message Item { double price = 1; message Deep { int32 a = 1; } }
}
message Other { uint64 big = 1; }
"""
EMPTY = {"id": "", "cents": 0, "items": [], "rates": {}, "by_number": {}, "state": "NEW", "raw": ""}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The descriptor set of `PROTO`."""
    folder = tmp_path_factory.mktemp("proto")
    (folder / "order.proto").write_text(PROTO)
    return run_protoc(folder, "order.proto")


def written(described: bytes, name: str, record: dict[str, Any]) -> bytes:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
        pool.AddSerializedFile(file.SerializeToString())
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    return json_format.ParseDict(record, message, descriptor_pool=pool).SerializeToString()


def test_each_field_gives_what_json_would_have_there(described: bytes) -> None:
    decode = compiled_bare(Schema("protobuf", described, message="shop.Order"))
    value = written(
        described,
        "shop.Order",
        {
            "id": "é",
            "cents": str(2**62),
            "maybe": 0,
            "items": [{"price": 1}],
            "rates": {"a": 1.5},
            "by_number": {"7": {}},
            "state": 1,
            "raw": "/wA=",
            "cash": False,
            "at": "2026-11-23T02:18:57.005Z",
            "took": "-1.5s",
            "wrapped": "5",
            "free": {"a": [1, None, {"b": True}], "c": "x"},
            "mask": "id,at",
            "blob": "YQ==",
            "inside": {},
        },
    )
    record = decode(value)
    assert record == {
        "id": "é",
        "cents": 2**62,
        "maybe": 0,
        "items": [{"price": 1.0}],
        "rates": {"a": 1.5},
        "by_number": {"7": {"price": 0.0}},
        "state": "DONE",
        "raw": "ÿ\x00",
        "cash": False,
        "at": "2026-11-23T02:18:57.005000000Z",
        "took": "-1.500000000s",
        "wrapped": 5,
        "free": {"a": [1.0, None, {"b": True}], "c": "x"},
        "mask": "id,at",
        "blob": "a",
        "inside": EMPTY,
    }
    assert type(record["rates"]) is type(record["by_number"]) is DataNames
    assert type(record["cents"]) is int


def test_absent_fields_are_left_out_and_others_have_their_default(described: bytes) -> None:
    decode = compiled_bare(Schema("protobuf", described))
    assert decode(b"") == EMPTY
    assert decode(b"\x38\x09")["state"] == "9"


def test_the_message_is_the_one_that_its_indexes_name(described: bytes) -> None:
    decode = compiled_framed(Schema("protobuf", PROTO))
    other = written(described, "shop.Other", {"big": str(2**64 - 1)})
    assert decode(b"\x00") == decode(b"\x02\x00") == EMPTY
    assert decode(b"\x02\x02" + other) == {"big": 2**64 - 1}
    assert decode(b"\x06\x00\x04\x00\x08\x05") == {"a": 5}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_framed"),
        (b"\x01", "not_framed"),
        (b"\xff" * 20, "not_framed"),
        (b"\x80", "not_framed"),
        (b"\x04\x00", "not_framed"),
        (b"\x02\x08", "no_schema"),
        (b"\x02\x01", "no_schema"),
        (b"\x00\x0a\xff", "not_protobuf"),
        (b"\x00\x0a\x01\xff", "not_protobuf"),
        (b"\x00" + b"\x92\x01" * 5, "not_protobuf"),
    ],
)
def test_what_is_not_what_the_schema_says_is_refused(described: bytes, value: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        compiled_framed(Schema("protobuf", described))(value)
    assert refused.value.reason == reason


def test_messages_nested_deeper_than_the_parser_goes_are_refused(described: bytes) -> None:
    value = b""
    for _ in range(150):
        length = len(value)
        size = bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])
        value = b"\x92\x01" + size + value
    with pytest.raises(UnreadableError) as refused:
        compiled_bare(Schema("protobuf", described))(value)
    assert refused.value.reason == DeadReason.NOT_PROTOBUF


@given(st.binary(max_size=100))
def test_any_bytes_are_a_record_or_refused(described: bytes, value: bytes) -> None:
    for decode in (
        compiled_bare(Schema("protobuf", described)),
        compiled_framed(Schema("protobuf", described)),
    ):
        try:
            assert isinstance(decode(value), dict)
        except UnreadableError as why:
            assert why.reason in ("not_protobuf", "not_framed", "no_schema")  # noqa: PT017  each is right


def test_references_are_found_under_the_names_that_are_imported() -> None:
    money = Schema("protobuf", 'syntax = "proto3"; package shop; message Money { int64 cents = 1; }')
    text = 'syntax = "proto3"; package shop; import "a/money.proto"; message Order { Money price = 1; }'
    decode = compiled_framed(Schema("protobuf", text, (("a/money.proto", money),)))
    assert decode(b"\x00\x0a\x02\x08\x05") == {"price": {"cents": 5}}


@pytest.mark.parametrize(
    ("text", "references", "expected"),
    [
        ("nope", (), "no Protobuf schema: schema.proto:1:1: Expected top-level"),
        ('syntax = "proto3"; import "x.proto";', (), "no Protobuf schema: x.proto: File not found"),
        ('syntax = "proto3";', (("../../x.proto", Schema("protobuf", "")),), "it refers to a file outside"),
        ('syntax = "proto3";', (("/tmp/x.proto", Schema("protobuf", "")),), "it refers to a file outside"),
        (b"\xff", (), "no Protobuf schema: "),
        (b"", (), "no Protobuf schema: "),
    ],
)
def test_what_is_no_schema_is_refused(text: str | bytes, references: Any, expected: str) -> None:
    with pytest.raises(UnreadableError, match=f"no_schema: {expected}"):
        compiled_framed(Schema("protobuf", text, references))


def test_a_message_that_is_not_there_is_named(described: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"it has no message shop\.Nope"):
        compiled_bare(Schema("protobuf", described, message="shop.Nope"))


def test_a_proto_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "money.proto").write_text('syntax = "proto3"; message Money { int64 cents = 1; }')
    (tmp_path / "o.proto").write_text('syntax = "proto3"; import "money.proto"; message O { Money m = 1; }')
    described = run_protoc(tmp_path, str(tmp_path / "o.proto"))
    assert compiled_bare(Schema("protobuf", described))(b"\x0a\x00") == {"m": {"cents": 0}}
