"""Avro: values in its binary encoding, read by their schema into what JSON would have there.

Numbers stay numbers, and a decimal is one; bytes and fixed are text, one character a byte, as in Avro's own JSON; an enum is the text of
its symbol; dates, times and timestamps are text as RFC 3339 writes them, a duration as ISO 8601 does. Of a union stands what it holds.
The names of a map are data.
https://avro.apache.org/docs/1.12.0/specification/
"""

import io
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import fastavro
import fastavro.read
from fastavro import _read_py as in_python

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings import DataNames, Decode, bytes_text
from stream.formats.encodings.schemas import Schema
from stream.formats.encodings.time_text import PER_SECOND, date_text, time_text, timestamp_text

_PREFIX: Final = "streamgauge-"
_DURATION: Final = struct.Struct("<III")
_CONTAINERS: Final = {"array": "items", "map": "values"}
_ERRORS: Final = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What fastavro raises on bytes that are not what the schema says."""


def compiled(schema: Schema) -> Decode:
    """A reader of values that were written with a schema.

    Raises:
        UnreadableError: `no_schema`, it is no Avro schema of a record.
    """
    try:
        return _reader(schema)
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, *_ERRORS) as error:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"no Avro schema: {_said(error)}") from None


def _reader(schema: Schema) -> Decode:
    named: dict[str, Any] = {}
    plain = _Plain()
    for _, reference in schema.references:
        _parse(reference, plain, named)
    parsed = _parse(schema, plain, named)
    if not isinstance(parsed, dict) or parsed.get("type") not in ("record", "error"):
        raise UnreadableError(DeadReason.NO_SCHEMA, "an Avro schema of a record is needed")
    read: Callable[..., Any] = in_python.schemaless_reader if plain.recursive else fastavro.schemaless_reader

    def decode(value: bytes) -> dict[str, Any]:
        stream = io.BytesIO(value)
        try:
            record: dict[str, Any] = read(stream, parsed, None)
        except RecursionError:
            raise UnreadableError(DeadReason.TOO_DEEP, "nested deeper than the parser goes") from None
        except _ERRORS as error:
            at = f"at byte {stream.tell()} of {len(value)}"
            raise UnreadableError(DeadReason.NOT_AVRO, f"{at}: {type(error).__name__}") from None
        if stream.tell() < len(value):
            left = f"{len(value) - stream.tell()} of {len(value)} bytes are left over"
            raise UnreadableError(DeadReason.NOT_AVRO, left)
        return record

    return decode


def _parse(schema: Schema, plain: "_Plain", named: dict[str, Any]) -> Any:
    for _, reference in schema.references:
        _parse(reference, plain, named)
    written = json.loads(schema.text)
    return fastavro.parse_schema(plain.of(written, ""), named_schemas=named, _force=True)


class _Plain:
    """Rewrites schemas so that fastavro gives plain values: each type that JSON has not gets a logical type of ours.

    `recursive` says whether a type holds itself: fastavro's compiled reader has no bound on how deep it calls itself then.
    """

    def __init__(self) -> None:
        self.recursive = False
        self._open: list[str] = []
        self._empty: set[str] = set()

    def of(self, schema: Any, space: str) -> Any:
        """The schema rewritten; `space` is the namespace around it."""
        if isinstance(schema, list):
            return [self.of(it, space) for it in schema]
        if isinstance(schema, str):
            self.recursive |= _full(schema, space) in self._open
            return _logical("bytes", "bytes", {}) if schema == "bytes" else schema
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self.of(kind, space)
        if kind in ("record", "error"):
            return self._record(schema, space)
        return self._container(kind, schema, space) if kind in _CONTAINERS else _scalar(kind, schema)

    def _record(self, schema: dict[str, Any], space: str) -> Any:
        name = _full(schema["name"], schema.get("namespace", space))
        self._open.append(name)
        inner = name.rpartition(".")[0]
        fields = [{**field, "type": self.of(field["type"], inner)} for field in schema["fields"]]
        self._open.pop()
        if all(self._takes_no_bytes(field["type"], inner) for field in schema["fields"]):
            self._empty.add(name)
        return {**schema, "fields": fields}

    def _container(self, kind: str, schema: dict[str, Any], space: str) -> Any:
        inside = _CONTAINERS[kind]
        rewritten = {**schema, inside: self.of(schema[inside], space)}
        if kind == "map":
            return _logical(kind, "map", rewritten)
        if self._takes_no_bytes(schema[inside], space):
            raise UnreadableError(
                DeadReason.NO_SCHEMA, "an array of what takes no bytes may be of any length"
            )
        return rewritten

    def _takes_no_bytes(self, schema: Any, space: str) -> bool:
        """Whether values of a type that has been looked through are of no length."""
        if isinstance(schema, dict):
            if "name" in schema:
                full = _full(schema["name"], schema.get("namespace", space))
                return full in self._empty or schema.get("size") == 0
            return self._takes_no_bytes(schema["type"], space)
        return schema == "null" or (isinstance(schema, str) and _full(schema, space) in self._empty)


def _scalar(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    logical = schema.get("logicalType")
    if (kind, logical) in _READERS:
        return _logical(kind, str(logical), schema)
    if kind in ("bytes", "fixed"):
        return _logical(kind, "bytes", schema)
    return {key: value for key, value in schema.items() if key != "logicalType"}


def _full(name: str, space: str) -> str:
    return f"{space}.{name}" if space and "." not in name else name


def _logical(kind: str, logical: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": kind, "logicalType": _PREFIX + logical}


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _text(data: bytes, *_: Any) -> str:
    return bytes_text(data)


def _decimal(data: bytes, schema: Mapping[str, Any], *_: Any) -> float:
    scale: int = schema.get("scale", 0)
    try:
        return float(int.from_bytes(data, "big", signed=True) / 10**scale)
    except OverflowError:
        return float("inf")


def _duration(data: bytes, *_: Any) -> str:
    if len(data) != _DURATION.size:
        return _text(data)
    months, days, millis = _DURATION.unpack(data)
    return f"P{months}M{days}DT{millis / 1000:.3f}S"


_TIMES: Final[dict[tuple[str, str | None], Callable[..., str]]] = {
    ("int", "date"): date_text,
    ("int", "time-millis"): time_text("millis"),
    ("long", "time-micros"): time_text("micros"),
    **{("long", f"timestamp-{unit}"): timestamp_text(unit, "Z") for unit in PER_SECOND},
    **{("long", f"local-timestamp-{unit}"): timestamp_text(unit, "") for unit in PER_SECOND},
}
_READERS: Final[dict[tuple[str, str | None], Callable[..., Any]]] = {
    **_TIMES,
    **{(kind, "bytes"): _text for kind in ("bytes", "fixed")},
    **{(kind, "decimal"): _decimal for kind in ("bytes", "fixed")},
    ("fixed", "duration"): _duration,
    ("map", "map"): lambda data, *_: DataNames(data),
}
for (_kind, _name), _read in _READERS.items():
    fastavro.read.LOGICAL_READERS[f"{_kind}-{_PREFIX}{_name}"] = _read
