"""Which encoding a topic of records is in, and how its values are read."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

import msgspec

from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.declarations.choice import declared_by
from stream.formats.declarations.compared import Declaration
from stream.formats.encodings import DeclaredRecord, Decode
from stream.formats.encodings.framing import BODY, schema_number
from stream.formats.encodings.schemas import READERS_MAX, Framed, Schema, SchemaOf
from stream.formats.limits import Guard, Limits, Sizes
from stream.formats.odd_json import read_odd

EncodingName = Literal["json", "avro", "protobuf", "json_schema"]
"""`json_schema` is JSON behind a frame."""


class Encoding(NamedTuple):
    """How values are read: `odd` is asked when `decode` fails by what a decoder raises; `typed`: numbers have types of their own; `bare`: a value is JSON and nothing else."""

    decode: Decode
    odd: Callable[[bytes, Exception], dict[str, Any]]
    guard: Guard | Sizes
    typed: bool = False
    bare: bool = False


class Compilers(NamedTuple):
    """What makes readers by a schema: of what stands behind a frame, and of values that are bare. Both raise `UnreadableError`."""

    framed: Callable[[Schema], Decode]
    bare: Callable[[Schema], Decode]


_json = msgspec.json.Decoder(dict[str, Any]).decode


def encoding_of(name: EncodingName, schema: Schema | None, schema_of: SchemaOf, limits: Limits) -> Encoding:
    """How values are read that are bare and of one schema, or framed where there is none.

    Raises:
        ImportError: what reads this encoding is not installed.
        UnreadableError: `no_schema`, the schema is none.
    """
    if name == "json":
        return Encoding(_json, read_odd, Guard(limits), bare=True)
    if name == "json_schema":
        return _framed_json(schema_of, limits)
    compilers = compilers_of(name)
    decode = Framed(schema_of, compilers.framed).decode if schema is None else compilers.bare(schema)
    return Encoding(decode, _explained, Sizes(limits), typed=True)


def compilers_of(name: EncodingName) -> Compilers:
    """What makes readers of an encoding.

    Raises:
        ImportError: it is not installed.
    """
    if name == "avro":
        from stream.formats.encodings.avro import compiled  # noqa: PLC0415  an optional dependency

        return Compilers(compiled, compiled)
    from stream.formats.encodings.protobuf import compiled_bare, compiled_framed  # noqa: PLC0415  an optional dependency

    return Compilers(compiled_framed, compiled_bare)


def no_registry(number: int) -> NoReturn:
    """Where schemas come from when no registry is configured."""
    raise UnreadableError(DeadReason.NO_SCHEMA, f"schema {number}: no schema_registry is configured")


def _framed_json(schema_of: SchemaOf, limits: Limits) -> Encoding:
    guard = Guard(limits)
    declared: Callable[[int, dict[str, Any]], dict[str, Any]] = lambda _, record: record  # noqa: E731
    if schema_of is not no_registry:
        declared = _Declaring(schema_of, limits).record

    def decode(value: bytes) -> dict[str, Any]:
        number, body = schema_number(value), value[BODY:]
        guard.check(body)
        return declared(number, _json(body))

    def odd(value: bytes, error: Exception) -> dict[str, Any]:
        return declared(schema_number(value), read_odd(value[BODY:], error))

    return Encoding(decode, odd, Sizes(limits))


class _Declaring:
    """Gives records of JSON along what the schemas declare that they name; what the registry does not know declares nothing."""

    def __init__(self, schema_of: SchemaOf, limits: Limits) -> None:
        self._schema_of, self._limits = schema_of, limits
        self._known: dict[int, Declaration | None] = {}

    def record(self, number: int, record: dict[str, Any]) -> dict[str, Any]:
        """The record with its declaration."""
        if number not in self._known:
            try:
                schema = self._schema_of(number)
            except UnreadableError:
                return record
            if len(self._known) >= READERS_MAX:
                self._known.clear()
            self._known[number] = self._declaration(schema)
        declaration = self._known[number]
        return record if declaration is None else DeclaredRecord(record, declaration)

    def _declaration(self, schema: Schema) -> Declaration | None:
        try:
            return Declaration(declared_by(schema), self._limits)
        except UnreadableError:
            return None


def _explained(_: bytes, error: Exception) -> NoReturn:
    raise explain(error, {})
