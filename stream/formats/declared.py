"""Declared schemas: the field lists that publishers send along, flattened to dotted paths."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Final

from msgspec import Meta, Struct

from detectors.samples import Field
from stream.formats.caps import Caps

_ARRAYS = ("array", "list", "repeated", "set")
_ELEMENT, _VALUE = "_element", "_value"

_SCHEMAS_MAX: Final = 1_000
_SCHEMA_BYTES_MAX: Final = 64 << 10

Fields = tuple[Field, ...]


class DeclaredField(Struct, gc=False):
    """One field as publishers write it; `fields` are those inside it."""

    name: Annotated[str, Meta(min_length=1)]
    type: str | None = None
    nullable: bool | None = None
    fields: list["DeclaredField"] | None = None


def flatten(declared: list[DeclaredField], caps: Caps) -> Fields:
    """All fields by dotted path, sorted: `customer.zip`, `items[].price`, `users{*}.name`. Of a path twice the first.

    OpenLineage's `_element` and `_value` are the element of an array and the values of a map.
    """
    fields_max = caps.limits.schema_fields_max
    found: dict[str, Field] = {}
    for path, kind, nullable in islice(_walk(declared, ""), fields_max + 1):
        if len(found) == fields_max:
            caps.counts["limited", "schema_fields_max"] += 1
            break
        capped = caps.schema_text(path)
        found.setdefault(capped, (capped, caps.schema_text(kind), nullable))
    return tuple(found[path] for path in sorted(found))


def _walk(fields: list[DeclaredField], prefix: str) -> Iterator[Field]:
    for field in fields:
        inner = (field.name == _ELEMENT and prefix.endswith("[].")) or (
            field.name == _VALUE and prefix.endswith("{*}.")
        )
        path = prefix[:-1] if inner else prefix + field.name
        kind = (field.type or "").strip().lower()
        yield path, kind, field.nullable
        if field.fields:
            yield from _walk(field.fields, path + _joint(kind))


def _joint(kind: str) -> str:
    if kind.startswith(_ARRAYS):
        return "[]."
    return "{*}." if kind.startswith("map") else "."


class Schemas:
    """Remembers what a declared schema's bytes mean, since publishers send the same one with every event.

    `decode` gives the fields of the raw JSON, or None when it declares none.
    """

    def __init__(self, decode: Callable[[bytes], list[DeclaredField] | None], caps: Caps) -> None:
        self._decode = decode
        self._caps = caps
        self._known: dict[bytes, Fields] = {}

    def fields(self, raw: bytes) -> Fields:
        """The flattened schema; empty when nothing is declared. Raises what `decode` raises."""
        fields = self._known.get(raw)
        if fields is None:
            fields = flatten(self._decode(raw) or [], self._caps)
            if len(self._known) >= _SCHEMAS_MAX:
                self._known.clear()
            if len(raw) <= _SCHEMA_BYTES_MAX:
                self._known[raw] = fields
        return fields
