"""Streams of the corpora in Avro: those whose schema changes have two of them: changed records are written with a schema of their own, but where values are only absent or null more often.

Schemas are made from the records that are written with them: a field that some lack is nullable, whole numbers are longs, others doubles,
and the objects whose names are data are maps.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import fastavro

from bench.quality.schema_runs import TOPIC, Outcome, judged, told_of
from bench.quality.schema_scenario import CHANGED, KNOWN, Record, Scenario
from detectors.settings import Settings
from stream.formats.encodings.schemas import Schema
from stream.formats.limits import Limits
from stream.formats.records import RecordSource
from stream.ingest import Ingest

MAPS: Final = frozenset({"stock", "counts", "limits"})
_BEFORE, _AFTER = 1, 2


def judge(scenario: Scenario, known: int = KNOWN, changed: int = CHANGED, seed: int = 1) -> Outcome:
    """What came of a scenario."""
    values, schemas = encoded(scenario, known, changed, seed)
    source = RecordSource(encoding="avro")
    skew_ms = Settings().allowed_skew_ms
    ingest = Ingest({TOPIC: source}, 1, {TOPIC: 1}, Limits(), skew_ms, schemas.__getitem__)
    return judged(scenario, told_of(values, ingest), known)


def encoded(scenario: Scenario, known: int, changed: int, seed: int) -> tuple[list[bytes], dict[int, Schema]]:
    """The values of a stream, and their schemas by number."""
    numbered = list(_numbered(scenario, known, changed, seed))
    schemas: dict[int, Any] = {
        number: _schema([record for of, record in numbered if of == number])
        for number in {of for of, _ in numbered}
    }
    parsed = {number: fastavro.parse_schema(schema) for number, schema in schemas.items()}
    values = [_value(number, parsed[number], record) for number, record in numbered]
    texts = {
        number: Schema("avro", fastavro.schema.to_parsing_canonical_form(it))
        for number, it in schemas.items()
    }
    return values, texts


def _numbered(scenario: Scenario, known: int, changed: int, seed: int) -> Iterator[tuple[int, Record]]:
    """Each record with the number of the schema that it is written with."""
    altered: list[Record] = []
    other = scenario.expected is not None and scenario.expected.change != "null_rate_changed"

    def change(record: Record, chance: Any) -> None:
        scenario.change(record, chance)
        altered.append(record)

    for record in scenario._replace(change=change).records(known, changed, seed):
        yield _AFTER if altered and other else _BEFORE, record
        altered.clear()


def _value(number: int, schema: Any, record: Record) -> bytes:
    stream = io.BytesIO()
    stream.write(struct.pack(">BI", 0, number))
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def _schema(records: list[Record]) -> Any:
    return _type("record", records)


def _type(path: str, values: Iterable[Any]) -> Any:
    """A type that all values have: a union where they are of several."""
    by_kind: dict[str, list[Any]] = {}
    for value in values:
        by_kind.setdefault(_kind(path, value), []).append(value)
    if "double" in by_kind:
        by_kind.pop("long", None)
    made = [_made(path, kind, of) for kind, of in sorted(by_kind.items(), key=lambda it: it[0] != "null")]
    return made[0] if len(made) == 1 else made


def _kind(path: str, value: Any) -> str:
    if isinstance(value, dict):
        return "map" if path.rpartition(".")[2] in MAPS else "record"
    kinds = {bool: "boolean", int: "long", float: "double", str: "string", list: "array", type(None): "null"}
    return kinds[type(value)]


def _made(path: str, kind: str, values: list[Any]) -> Any:
    if kind == "array":
        items = [item for value in values for item in value]
        return {"type": kind, "items": _type(f"{path}.item", items) if items else "string"}
    if kind == "map":
        return {
            "type": kind,
            "values": _type(f"{path}.value", [it for value in values for it in value.values()]),
        }
    if kind == "record":
        names = list(dict.fromkeys(name for value in values for name in value))
        fields = [{"name": it, "type": _type(f"{path}.{it}", [of.get(it) for of in values])} for it in names]
        return {"type": kind, "name": path.replace(".", "_"), "fields": fields}
    return kind
