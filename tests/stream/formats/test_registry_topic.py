"""The topic of a schema registry: what is registered is said with its differences, and what is none of it is a dead letter."""

import json
from typing import Any

import pytest

from detectors.alerts import State
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch, SchemaChange
from stream.formats.caps import Caps
from stream.formats.declarations.compatibility import compatibility
from stream.formats.encodings.schemas import Schema
from stream.formats.limits import Limits
from stream.formats.registry_topic import RegistryTopic
from stream.formats.table import Table
from stream.formats.values import KEY, Values
from stream.sources import Place
from tests.detectors.scripted_log import UNGATHERED
from tests.simulator.in_one_process import InOneProcess

START_MS = 1_780_000_000_000
Record = tuple[Any, Any]


def registered(version: int, subject: str = "orders-value", **types: str) -> Record:
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    schema = json.dumps({"type": "record", "name": "Order", "fields": fields})
    value = {"subject": subject, "version": version, "id": 10 + version, "schema": schema, "deleted": False}
    return {"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1}, value


DELETED = (
    {"keytype": "SCHEMA", "subject": "orders-value", "version": 2, "magic": 1},
    {**registered(2, id="long")[1], "deleted": True},
)
GONE = (
    {"keytype": "DELETE_SUBJECT", "subject": "orders-value", "magic": 0},
    {"subject": "orders-value", "version": 2},
)
LEVEL = ({"keytype": "CONFIG", "subject": "orders-value", "magic": 0}, {"compatibilityLevel": "NONE"})
GLOBAL = ({"keytype": "CONFIG", "subject": None, "magic": 0}, {"compatibilityLevel": "FULL"})


def values_of(*records: Record) -> Values:
    raw = [
        [it if isinstance(it, bytes | None) else json.dumps(it).encode() for it in column]
        for column in zip(*records, strict=True)
    ]
    return Values.of(raw[1]).beside({KEY: Values.of(raw[0])})


def read(*records: Record) -> Table:
    times = [START_MS + number for number in range(len(records))]
    return RegistryTopic("_schemas", Caps(Limits()), 1).read(values_of(*records), times)


def test_a_version_declares_its_fields_under_its_subject() -> None:
    types = {"id": "long", "note": '["null", "string"]'}
    (key, value) = registered(1, **types)
    value["schema"] = value["schema"].replace('"[\\"null\\", \\"string\\"]"', '["null", "string"]')
    table = read((key, value))
    assert table.schemas == [
        (("", "registered: version 1, id 11", None), ("id", "integer", False), ("note", "string", True))
    ]
    assert table.times[0] == START_MS


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (DELETED, "deleted: version 2"),
        (GONE, "deleted: all versions up to 2"),
        (LEVEL, "compatibility level: NONE"),
        (GLOBAL, "compatibility level: FULL"),
    ],
)
def test_what_else_happens_to_a_subject_is_said(record: Record, said: str) -> None:
    assert read(record).schemas == [(("", said, None),)]


def test_what_says_nothing_has_no_row() -> None:
    tombstone = ({"keytype": "SCHEMA", "subject": "a", "version": 1, "magic": 1}, None)
    table = read(({"keytype": "NOOP", "magic": 0}, None), ({"keytype": "NOOP", "magic": 0}, {}), tombstone)
    assert (table.schemas, table.dead) == ([], {})


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ((b"no json", {}), "not_json"),
        (({"keytype": 7}, {}), "wrong_type"),
        (({"keytype": "SCHEMA"}, b"\xff"), "not_json"),
        (({"keytype": "SCHEMA"}, {"version": "x"}), "wrong_type"),
        ((None, {}), "wrong_type"),
    ],
)
def test_what_is_no_record_of_a_registry_is_a_dead_letter(record: Record, reason: str) -> None:
    table = read(registered(1, id="long"), record)
    assert {number: str(why.reason) for number, why in table.dead.items()} == {1: reason}


def test_a_schema_that_cannot_be_read_is_registered_without_fields() -> None:
    key, value = registered(3)
    other = {**value, "schemaType": "THRIFT"}
    broken = {**value, "schema": "{"}
    assert (
        read((key, other)).schemas
        == read((key, broken)).schemas
        == [(("", "registered: version 3, id 13", None),)]
    )


def test_a_schema_that_holds_itself_ends() -> None:
    node = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
    key, value = registered(1)
    (fields,) = read((key, {**value, "schema": json.dumps(node)})).schemas
    assert 10 < len(fields) < 50


def told(*records: Record, restart: bool = False) -> tuple[list[SchemaChange], InOneProcess]:
    process = InOneProcess(
        {"_schemas": "registry"}, {"_schemas": 1}, Settings(paging=UNGATHERED), 1, keep_payloads=True
    )
    place = Place("_schemas", 0)
    for offset, record in enumerate(records):
        at_ms = START_MS + 60_000 * offset
        process.read(place, [offset], values_of(record), [at_ms], at_ms)
        if restart:
            process.restart()
    process.mark(place, START_MS + 86_400_000)
    batches = map(AnomalyBatch.from_bytes, process.payloads["anomalies"])
    return [it.schema_change for batch in batches for it in batch.verdicts if it.schema_change], process


@pytest.mark.parametrize("restart", [False, True])
def test_each_registration_is_a_notice_that_is_over_at_once(restart: bool) -> None:
    changes, process = told(
        registered(1, id="long"),
        registered(1, "other-value", id="long"),
        registered(2, id="string", at="long"),
        registered(3, id="string", at="long"),
        LEVEL,
        GONE,
        restart=restart,
    )
    assert [(it.change, it.path, it.to) for it in changes] == [
        ("version_registered", "", "version 2, id 12"),
        ("field_added", "at", "integer"),
        ("type_changed", "id", "string"),
        ("version_registered", "", "version 3, id 13"),
        ("level_changed", "", "NONE"),
        ("version_deleted", "", "all versions up to 2"),
    ]
    alerts = process.alerts.values()
    assert {it.kind for it in alerts} == {"schema"}
    assert {dict(it.labels)["subject"] for it in alerts} == {"orders-value"}
    opened = {it.alert_id for it in alerts if it.state in (State.FIRING, State.SUPPRESSED)}
    assert opened == {it.alert_id for it in alerts if it.state is State.RESOLVED}


OLD = '{"type": "record", "name": "O", "fields": [{"name": "id", "type": "int"}]}'
WIDER = OLD.replace("int", "long")
OTHER = OLD.replace('"id", "type": "int"', '"key", "type": "string"')
OPTIONAL = OLD.replace("}]}", '}, {"name": "x", "type": "int", "default": 0}]}')


@pytest.mark.parametrize(
    ("new", "former", "expected"),
    [
        (OLD, [], ""),
        (OLD, [OLD, OLD], "FULL_TRANSITIVE"),
        (OPTIONAL, [OLD], "FULL_TRANSITIVE"),
        (OPTIONAL, [OLD, OTHER], "FULL"),
        (WIDER, [OLD], "BACKWARD_TRANSITIVE"),
        (WIDER, [OLD, OTHER], "BACKWARD"),
        (OLD, [WIDER], "FORWARD_TRANSITIVE"),
        (WIDER, [WIDER, OLD], "FULL and BACKWARD_TRANSITIVE"),
        (OTHER, [OLD], "NONE"),
        ("{", [OLD], ""),
    ],
)
def test_the_class_of_a_version_is_the_strongest_that_holds(
    new: str, former: list[str], expected: str
) -> None:
    pytest.importorskip("avro")
    assert compatibility(Schema("avro", new), [Schema("avro", it) for it in former]) == expected


def test_of_other_languages_nothing_is_said() -> None:
    assert compatibility(Schema("json", "{}"), [Schema("json", "{}")]) == ""


def test_a_notice_says_the_class() -> None:
    pytest.importorskip("avro")
    asked: list[tuple[str, int]] = []

    def versions_of(subject: str, before: int) -> list[Schema]:
        asked.append((subject, before))
        return [Schema("avro", registered(1, id="int")[1]["schema"])]

    reader = RegistryTopic("_schemas", Caps(Limits()), 1, versions_of)
    (fields,) = reader.read(values_of(registered(2, id="long")), [START_MS]).schemas
    assert fields[0][1] == "registered: version 2, id 12, compatibility BACKWARD_TRANSITIVE"
    assert asked == [("orders-value", 2)]
