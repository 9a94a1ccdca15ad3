"""Protobuf messages as JSON Schema, of records in Protobuf's own encoding as they are read here, or of its JSON.

A field is required only where the schema says so, which is in proto2, and has one name; both of its names are declared. Numbers of 64 bits and floats may be text, as in its JSON.
https://protobuf.dev/programming-guides/json/
"""

from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from stream.formats.encodings.protobuf import message_of
from stream.formats.encodings.schemas import Schema

_WIDE: Final = (
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
)
_TYPES: Final = {
    FieldDescriptor.TYPE_BOOL: ["boolean"],
    FieldDescriptor.TYPE_STRING: ["string"],
    FieldDescriptor.TYPE_BYTES: ["string"],
    FieldDescriptor.TYPE_ENUM: ["string", "integer"],
    FieldDescriptor.TYPE_FLOAT: ["number", "string"],
    FieldDescriptor.TYPE_DOUBLE: ["number", "string"],
    **{kind: ["integer", "string"] for kind in _WIDE},
}
_OF_GOOGLE: Final = "google.protobuf."


def as_json_schema(schema: Schema) -> dict[str, Any]:
    """The message that the schema names, or the first in its file, in JSON Schema.

    Raises:
        UnreadableError: `no_schema`, it is no Protobuf schema, or it has no such message.
    """
    definitions: dict[str, Any] = {}
    return {**_message(message_of(schema), definitions), "$defs": definitions}


def _message(message: Descriptor, definitions: dict[str, Any]) -> dict[str, Any]:
    name = message.full_name
    if name.startswith(_OF_GOOGLE):
        return {}
    if name not in definitions:
        made: dict[str, Any] = {"type": "object", "additionalProperties": False}
        definitions[name] = made
        made["properties"] = {}
        for field in message.fields:
            declared = _field(field, definitions)
            made["properties"] |= {field.name: declared, field.json_name: declared}
        made["required"] = [it.name for it in message.fields if it.is_required and it.name == it.json_name]
    return {"$ref": f"#/$defs/{name}"}


def _field(field: FieldDescriptor, definitions: dict[str, Any]) -> dict[str, Any]:
    of: Any = field.message_type
    if of is not None and of.GetOptions().map_entry:
        inner = _one(of.fields_by_name["value"], definitions)
        return {"type": "object", "additionalProperties": inner}
    one = _one(field, definitions)
    return {"type": "array", "items": one} if field.is_repeated else one


def _one(field: FieldDescriptor, definitions: dict[str, Any]) -> dict[str, Any]:
    of: Any = field.message_type
    if of is not None:
        return _message(of, definitions)
    return {"type": _TYPES.get(field.type, ["integer"])}
