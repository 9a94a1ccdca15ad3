"""Declarations: a shape differs from what is declared just where a record does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from detectors.record_declared import Difference
from stream.formats.caps import Caps
from stream.formats.dead import UnreadableError
from stream.formats.declarations.choice import declared_by
from stream.formats.declarations.compared import Declaration
from stream.formats.encodings.schemas import Language, Schema
from stream.formats.limits import Limits
from stream.formats.shapes import Shapes


def differences(
    schema: Any, *records: dict[str, Any], language: Language = "json", **more: Any
) -> list[Difference]:
    """Those of the shape of one record, or of several as the items of an array."""
    text = schema if isinstance(schema, str | bytes) else json.dumps(schema)
    shapes = Shapes(Caps(Limits()))
    declaration = Declaration(declared_by(Schema(language, text, **more)), Limits())
    return [
        it for record in records for it in declaration.differences(shapes.elements_of(shapes.root(record)))
    ]


def objects(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
ORDER = {
    **objects(
        id=TEXT,
        total={"type": "number"},
        note={"type": ["string", "null"]},
        customer={**objects(zip=TEXT, age=WHOLE), "required": ["zip"]},
        items={
            "type": "array",
            "items": {**objects(sku=TEXT, price={"type": "number"}), "required": ["sku"]},
        },
        tags={"type": "object", "additionalProperties": WHOLE},
        extra={"type": "object"},
    ),
    "required": ["id", "customer"],
}
GOOD = {
    "id": "a",
    "total": 3,
    "note": None,
    "customer": {"zip": "1"},
    "items": [{"sku": "a"}, {"sku": "b", "price": 1.5}],
    "tags": {"a": 1},
    "extra": {"what": ["ever", 1]},
}


def test_a_record_that_is_as_declared_differs_in_nothing() -> None:
    assert differences(ORDER, GOOD) == []
    assert differences(ORDER, {"id": "a", "customer": {"zip": "1"}}) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"more": {"deep": 1}}, ("field_undeclared", "more", "undeclared", "object")),
        ({"id": 7}, ("type_undeclared", "id", "string", "integer")),
        ({"id": None}, ("null_undeclared", "id", "string", "null")),
        ({"id": ...}, ("field_lacking", "id", "string", "absent")),
        ({"total": "3"}, ("type_undeclared", "total", "number", "string")),
        ({"customer": {}}, ("field_lacking", "customer.zip", "string", "absent")),
        ({"customer": {"zip": "1", "age": 1.5}}, ("type_undeclared", "customer.age", "integer", "number")),
        ({"customer": [{"x": 1}]}, ("type_undeclared", "customer", "object", "array")),
        ({"items": [{"sku": "a"}, {}]}, ("field_lacking", "items[].sku", "string", "absent")),
        ({"items": ["a"]}, ("type_undeclared", "items[]", "object", "string")),
        ({"tags": {"user_12345": "x"}}, ("type_undeclared", "tags{*}", "integer", "string")),
        ({"tags": {"a": "x"}}, ("type_undeclared", "tags.a", "integer", "string")),
    ],
)
def test_each_difference_is_told_with_its_path(change: dict[str, Any], expected: tuple[str, ...]) -> None:
    record = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    assert [tuple(it) for it in differences(ORDER, record)] == [expected]


def test_what_is_open_on_purpose_has_no_undeclared_fields() -> None:
    opened: list[dict[str, Any]] = [
        {"additionalProperties": True},
        {"additionalProperties": {}},
        {"patternProperties": {"x": {}}},
    ]
    for words in opened:
        assert differences({**objects(id=TEXT), **words}, {"id": "a", "more": 1}) == []


def test_names_that_are_data_are_not_taken_for_fields() -> None:
    schema = objects(days=objects(**{"2026-11-01": WHOLE, "2026-11-02": WHOLE}))
    assert differences(schema, {"days": {"2026-11-01": 1, "2026-11-02": "x"}}) == []


def test_references_and_alternatives_are_followed() -> None:
    schema = {
        "$defs": {"node": objects(name=TEXT, next={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]})},
        "allOf": [{"$ref": "#/$defs/node"}, {"required": ["name"]}],
    }
    assert differences(schema, {"name": "a", "next": {"name": "b", "next": None}}) == []
    assert [tuple(it) for it in differences(schema, {"next": {"next": {"name": 1}, "x": 1}})] == [
        ("field_lacking", "name", "string", "absent"),
        ("field_undeclared", "next.x", "undeclared", "integer"),
        ("type_undeclared", "next.next.name", "string", "integer"),
    ]


def test_another_schema_is_found_by_the_name_that_it_is_referred_to_by() -> None:
    money = Schema(
        "json", json.dumps({"$defs": {"cents": WHOLE}, **objects(cents={"$ref": "#/$defs/cents"})})
    )
    schema = objects(price={"$ref": "money.json"}, tax={"$ref": "money.json#/$defs/cents"})
    found = differences(schema, {"price": {"cents": "1"}, "tax": 1.5}, references=(("money.json", money),))
    assert [it.path for it in found] == ["price.cents", "tax"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]},
        {"$ref": "#/nowhere/at/all"},
        {"$ref": "else.json#x"},
        {"type": 7, "properties": [], "required": {}, "items": 3, "anyOf": "x"},
        True,
    ],
    ids=str,
)
def test_a_schema_that_says_nothing_has_no_differences(schema: Any) -> None:
    assert differences(schema, GOOD) == []


def test_avro_is_read_as_records_are() -> None:
    item = {"type": "record", "name": "Item", "fields": [{"name": "sku", "type": "string"}]}
    schema = {
        "type": "record",
        "name": "shop.Order",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A"]}, "default": "A"},
            {"name": "other", "type": ["null", "Kind"], "default": None},
            {"name": "items", "type": {"type": "array", "items": item}},
            {"name": "best", "type": ["null", "shop.Item"]},
            {"name": "tags", "type": {"type": "map", "values": "double"}},
        ],
    }
    good = {"id": 1, "at": "2026-01-01T00:00:00Z", "items": [{"sku": "a"}], "best": None, "tags": {"a": 1.5}}
    assert differences(schema, good, {**good, "best": {"sku": "b"}, "at": 17}, language="avro") == []
    found = differences(
        schema, {**good, "id": None, "best": {}, "kind": 1, "tags": {"a": "b"}, "new": 1}, language="avro"
    )
    assert [(it.change, it.path) for it in found] == [
        ("field_lacking", "best.sku"),
        ("field_undeclared", "new"),
        ("null_undeclared", "id"),
        ("type_undeclared", "kind"),
        ("type_undeclared", "tags.a"),
    ]


def test_protobuf_is_read_as_records_are_and_as_its_json() -> None:
    proto = pytest.importorskip("stream.formats.encodings.protobuf")
    text = """syntax = "proto3"; import "google/protobuf/timestamp.proto"; package shop;
        message Item { string sku = 1; Item next = 2; }
        message Order { int64 order_id = 1; repeated Item items = 2; map<string, double> tags = 3;
          google.protobuf.Timestamp at = 4; }"""
    assert proto
    order: dict[str, Any] = {"language": "protobuf", "message": "shop.Order"}
    good = {"order_id": 1, "items": [{"sku": "a", "next": {"sku": "b"}}], "tags": {"a": 1.5}, "at": "2026"}
    assert differences(text, good, {"orderId": "17"}, {}, **order) == []
    found = differences(text, {"items": [{"sku": 1, "next": {"more": 1}}], "tags": {"a": True}}, **order)
    assert [(it.change, it.path) for it in found] == [
        ("field_undeclared", "items[].next.more"),
        ("type_undeclared", "items[].sku"),
        ("type_undeclared", "tags.a"),
    ]


@pytest.mark.parametrize("language", ["json", "avro"])
@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "[" * 100_000], ids=["cut", "list", "text", "deep"])
def test_what_is_no_schema_is_refused(language: Language, text: str) -> None:
    with pytest.raises(UnreadableError, match="no_schema"):
        declared_by(Schema(language, text))


NAMES = st.sampled_from(["alpha", "beta", "gamma", "a.b"])
SCALARS = st.sampled_from(["string", "integer", "number", "boolean", "null"])
SCHEMAS = st.recursive(
    st.lists(SCALARS, min_size=1, max_size=2, unique=True).map(lambda types: {"type": types}),
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        st.builds(
            lambda fields, required, more: {
                "type": "object",
                "properties": fields,
                "required": sorted(required & fields.keys()),
                "additionalProperties": more,
            },
            st.dictionaries(NAMES, inner, max_size=3),
            st.sets(NAMES),
            st.booleans(),
        ),
    ),
    max_leaves=8,
)
VALUES = st.recursive(
    st.sampled_from(["x", 1, 1.5, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(SCHEMAS, st.dictionaries(NAMES, VALUES, max_size=3))
def test_a_shape_differs_just_when_the_record_is_not_valid(inner: Any, record: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": {"alpha": inner, "beta": {}},
        "required": ["alpha"],
        "additionalProperties": True,
    }
    assert bool(differences(schema, record)) == (not Draft202012Validator(schema).is_valid(record))
