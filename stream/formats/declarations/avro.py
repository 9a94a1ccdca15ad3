"""Avro schemas as JSON Schema, of records in Avro's own encoding as they are read here, or of JSON that is meant to be like it.

A field with a default may be absent in JSON, and a time or a decimal may be a number or text there: both are written. Of a union stands what it holds.
https://avro.apache.org/docs/1.12.0/specification/
"""

import json
from typing import Any, Final

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings.schemas import Schema

_TYPES: Final = {
    "null": ["null"],
    "boolean": ["boolean"],
    "int": ["integer"],
    "long": ["integer"],
    "float": ["number"],
    "double": ["number"],
    "bytes": ["string"],
    "fixed": ["string"],
    "string": ["string"],
    "enum": ["string"],
}
_CONTAINERS: Final = ("array", "map")
_DEFINED: Final = "#/$defs/"


def as_json_schema(schema: Schema) -> dict[str, Any]:
    """The same in JSON Schema.

    Raises:
        UnreadableError: `no_schema`, it is no Avro schema of a record.
    """
    definitions: dict[str, Any] = {}
    try:
        root = _converted(schema, definitions)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"no Avro schema: {error}") from None
    if root.get("$ref", "").removeprefix(_DEFINED) not in definitions:
        raise UnreadableError(DeadReason.NO_SCHEMA, "an Avro schema of a record is needed")
    return {**root, "$defs": definitions}


def _converted(schema: Schema, definitions: dict[str, Any]) -> dict[str, Any]:
    for _, reference in schema.references:
        _converted(reference, definitions)
    return _Converter(definitions).of(json.loads(schema.text), "")


class _Converter:
    """Named types go to `definitions`, by their full names."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions

    def of(self, schema: Any, space: str) -> dict[str, Any]:
        """The schema; `space` is the namespace around it."""
        if isinstance(schema, list):
            return {"anyOf": [self.of(it, space) for it in schema]}
        if isinstance(schema, str):
            return {"type": _TYPES[schema]} if schema in _TYPES else _reference(_full(schema, space))
        kind = schema["type"]
        if not isinstance(kind, str) or kind not in (*_TYPES, *_CONTAINERS, "record", "error"):
            return self.of(kind, space)
        if kind in ("record", "error"):
            return self._record(schema, space)
        return (
            self._container(kind, schema, space) if kind in _CONTAINERS else self._plain(kind, schema, space)
        )

    def _container(self, kind: str, schema: dict[str, Any], space: str) -> dict[str, Any]:
        if kind == "array":
            return {"type": "array", "items": self.of(schema["items"], space)}
        return {"type": "object", "additionalProperties": self.of(schema["values"], space)}

    def _plain(self, kind: str, schema: dict[str, Any], space: str) -> dict[str, Any]:
        plain = {"type": ["string", "number"] if "logicalType" in schema else _TYPES[kind]}
        if "name" in schema:
            self._definitions[_full(schema["name"], schema.get("namespace", space))] = plain
        return plain

    def _record(self, schema: dict[str, Any], space: str) -> dict[str, Any]:
        name = _full(schema["name"], schema.get("namespace", space))
        fields = schema["fields"]
        self._definitions[name] = made = {"type": "object", "additionalProperties": False}
        made["properties"] = {it["name"]: self.of(it["type"], name.rpartition(".")[0]) for it in fields}
        made["required"] = [it["name"] for it in fields if "default" not in it]
        return _reference(name)


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": _DEFINED + name}


def _full(name: str, space: str) -> str:
    return f"{space}.{name}" if space and "." not in name else name
