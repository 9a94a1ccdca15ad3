"""JSON Schema as a declaration of fields, types and null: which may stand at a path, and which must.

What says something of values only (formats, ranges, patterns, `not`, `if`) says nothing here. Where `properties` are declared, other fields are not, unless
`additionalProperties` or `patternProperties` are written; an object without `properties` may have any.
https://json-schema.org/draft/2020-12/json-schema-core
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import product
from typing import Any, Final
from urllib.parse import unquote

DEPTH_MAX: Final = 32
"""How often a schema may refer to another before it says anything itself."""
LOOKS_MAX: Final = 1_000
"""Schemas looked at for one place."""
ALTERNATIVES_MAX: Final = 64
"""Schemas beyond these say nothing: anything may stand there."""
TYPES: Final = ("string", "integer", "number", "boolean", "null", "object", "array")
_BY_TYPE: Final = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}

Conjunction = tuple[tuple[Any, dict[str, Any]], ...]
"""Schemas that hold together, each with the document it stands in; none at all: anything."""


class Place:
    """What may stand at one place of a record: one of some alternatives."""

    def __init__(self, documents: Mapping[str, Any], alternatives: list[Conjunction]) -> None:
        self._documents, self._alternatives = documents, alternatives

    @classmethod
    def root(cls, schema: Any, documents: Mapping[str, Any]) -> "Place":
        """The record itself; `documents` are the other schemas that this one refers to, by the names it uses."""
        return cls(documents, _Expander(documents).alternatives(schema, schema))

    @cached_property
    def types(self) -> frozenset[str] | None:
        """The types that may stand here; None: any."""
        found: set[str] = set()
        for conjunction in self._alternatives:
            types = _types(conjunction)
            if types is None:
                return None
            found |= types
        return frozenset(found)

    def takes(self, kind: str) -> bool:
        """Whether a value of this type may stand here; an integer is a number."""
        return self.types is None or kind in self.types or (kind == "integer" and "number" in self.types)

    @cached_property
    def required(self) -> frozenset[str]:
        """The fields that an object here must have."""
        wanted = [_required(it) for it in self._objects()]
        return frozenset.intersection(*wanted) if wanted else frozenset()

    @cached_property
    def names(self) -> frozenset[str]:
        """The fields that are declared by name."""
        return frozenset(
            name for it in self._objects() for _, schema in it for name in _mapping(schema, "properties")
        )

    def field(self, name: str) -> "Place | None":
        """What may stand in a field; None: no such field is declared."""
        found = [inner for it in self._objects() if (inner := _field(it, name)) is not None]
        return self._inside(found) if found else None

    def values(self) -> "Place":
        """What may stand in any field of an object whose names are data."""
        if self.names:
            return self._inside([()])
        return self._inside([_additional(it) or () for it in self._objects()])

    def items(self) -> "Place":
        """What may stand in an array."""
        return self._inside([_items(it) for it in self._alternatives if _may_be(it, "array")])

    def _objects(self) -> list[Conjunction]:
        return [it for it in self._alternatives if _may_be(it, "object")]

    def _inside(self, wanted: list[tuple[tuple[Any, Any], ...]]) -> "Place":
        expander = _Expander(self._documents)
        found = [inner for schemas in wanted for inner in expander.together(schemas, 0)]
        return Place(self._documents, found[:ALTERNATIVES_MAX] if len(found) <= ALTERNATIVES_MAX else [()])


class _Expander:
    """Turns a schema into alternatives of schemas that hold together, references followed."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents
        self._left = LOOKS_MAX

    def alternatives(self, schema: Any, document: Any, depth: int = 0) -> list[Conjunction]:
        """Those of one schema."""
        if schema is False:
            return []
        self._left -= 1
        if not isinstance(schema, dict) or depth > DEPTH_MAX or self._left < 0:
            return [()]
        parts: list[list[Conjunction]] = [[((document, schema),)]]
        if isinstance(schema.get("$ref"), str):
            parts.append(self._referred(schema["$ref"], document, depth))
        parts += [self.alternatives(it, document, depth + 1) for it in _list(schema, "allOf")]
        for word in ("anyOf", "oneOf"):
            if choices := _list(schema, word):
                parts.append([one for it in choices for one in self.alternatives(it, document, depth + 1)])
        return _product(parts)

    def together(self, schemas: Iterable[tuple[Any, Any]], depth: int) -> list[Conjunction]:
        """Those of schemas that hold together, each with its document."""
        return _product([self.alternatives(schema, document, depth) for document, schema in schemas])

    def _referred(self, reference: str, document: Any, depth: int) -> list[Conjunction]:
        name, _, pointer = reference.partition("#")
        if name:
            document = self._documents.get(name)
        found = document
        for step in pointer.split("/")[1:] if pointer.startswith("/") else [pointer] if pointer else []:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return [()] if found is None else self.alternatives(found, document, depth + 1)


def _product(parts: list[list[Conjunction]]) -> list[Conjunction]:
    size = 1
    for part in parts:
        size *= len(part)
    if size > ALTERNATIVES_MAX:
        return [()]
    return [tuple(schema for conjunction in chosen for schema in conjunction) for chosen in product(*parts)]


def _types(conjunction: Conjunction) -> frozenset[str] | None:
    found: frozenset[str] | None = None
    for _, schema in conjunction:
        types = _own_types(schema)
        if types is not None:
            found = types if found is None else found & _widened(types) | types & _widened(found)
    return found


def _widened(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types


def _own_types(schema: dict[str, Any]) -> frozenset[str] | None:
    said = schema.get("type")
    if isinstance(said, str | list):
        types = {it for it in ([said] if isinstance(said, str) else said) if it in TYPES}
        return frozenset(types | {"null"} if schema.get("nullable") is True else types)
    values = [schema["const"]] if "const" in schema else _list(schema, "enum")
    return frozenset(_BY_TYPE[type(it)] for it in values) or None


def _may_be(conjunction: Conjunction, kind: str) -> bool:
    types = _types(conjunction)
    return types is None or kind in types


def _required(conjunction: Conjunction) -> frozenset[str]:
    return frozenset(
        name for _, schema in conjunction for name in _list(schema, "required") if isinstance(name, str)
    )


def _field(conjunction: Conjunction, name: str) -> tuple[tuple[Any, Any], ...] | None:
    """The schemas that a field must meet; None: it is not declared."""
    own = tuple(
        (document, schema["properties"][name])
        for document, schema in conjunction
        if name in _mapping(schema, "properties")
    )
    return own or _additional(conjunction)


def _additional(conjunction: Conjunction) -> tuple[tuple[Any, Any], ...] | None:
    """The schemas that fields must meet that are not declared by name; None: there are none of these."""
    said = [(document, schema) for document, schema in conjunction if _speaks_of_fields(schema)]
    if not said or any("patternProperties" in schema for _, schema in said):
        return ()
    written = [
        (document, schema["additionalProperties"])
        for document, schema in said
        if schema.get("additionalProperties", False) is not False
    ]
    return tuple(written) or None


def _speaks_of_fields(schema: dict[str, Any]) -> bool:
    words = ("additionalProperties", "patternProperties")
    return isinstance(schema.get("properties"), dict) or any(word in schema for word in words)


def _items(conjunction: Conjunction) -> tuple[tuple[Any, Any], ...]:
    """The schemas that all items must meet; of a tuple nothing is said."""
    return tuple(
        (document, schema["items"])
        for document, schema in conjunction
        if isinstance(schema.get("items"), dict) and "prefixItems" not in schema
    )


def _list(schema: dict[str, Any], word: str) -> list[Any]:
    said = schema.get(word)
    return said if isinstance(said, list) else []


def _mapping(schema: dict[str, Any], word: str) -> dict[str, Any]:
    said = schema.get(word)
    return said if isinstance(said, dict) else {}
