"""Which language a declaration is in, and how it is read."""

import json
from collections.abc import Iterator
from typing import Any, Final

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.declarations.json_schema import Place
from stream.formats.encodings.schemas import Language, Schema

LANGUAGES: Final[dict[str, Language]] = {
    ".json": "json",
    ".avsc": "avro",
    ".proto": "protobuf",
    ".desc": "protobuf",
    ".pb": "protobuf",
}
"""By the ending of a file."""


def declared_by(schema: Schema) -> Place:
    """What a schema declares of records.

    Raises:
        ImportError: what reads this language is not installed.
        UnreadableError: `no_schema`, it is none.
    """
    if schema.language == "avro":
        from stream.formats.declarations import avro  # noqa: PLC0415  beside the others

        return Place.root(avro.as_json_schema(schema), {})
    if schema.language == "protobuf":
        from stream.formats.declarations import protobuf  # noqa: PLC0415  an optional dependency

        return Place.root(protobuf.as_json_schema(schema), {})
    return Place.root(_parsed(schema), dict(_documents(schema)))


def _parsed(schema: Schema) -> Any:
    try:
        parsed = json.loads(schema.text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"no JSON Schema: {error}") from None
    if not isinstance(parsed, dict | bool):
        raise UnreadableError(DeadReason.NO_SCHEMA, "no JSON Schema: it must be an object")
    return parsed


def _documents(schema: Schema) -> Iterator[tuple[str, Any]]:
    for name, reference in schema.references:
        yield name, _parsed(reference)
        yield from _documents(reference)
