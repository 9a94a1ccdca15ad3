"""Records whose schemas are in a real registry, Apicurio by Confluent's API, on a real broker."""

import io
import json
import signal
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema as Registered
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient

from detectors.alerts import State
from stream.formats.dead import UnreadableError
from stream.formats.encodings.avro import compiled
from stream.formats.encodings.protobuf import compiled_framed
from stream.registry import Registry
from stream.testing.apicurio import Apicurio
from tests.integrations.deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.needs_apache
Deploy = Callable[..., Deployment]
RECORDS, CHANGED = 6_000, 4_000
ITEM = {"type": "record", "name": "shop.Item", "fields": [{"name": "sku", "type": "string"}]}
FIELDS: list[dict[str, Any]] = [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "items", "type": {"type": "array", "items": "shop.Item"}},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
]
ORDER = {"type": "record", "name": "shop.Order", "fields": FIELDS}
NOTED = {**ORDER, "fields": [*FIELDS, {"name": "note", "type": ["null", "string"], "default": None}]}


@pytest.fixture(scope="module")
def registry() -> Iterator[Apicurio]:
    with Apicurio() as started:
        yield started


@pytest.fixture(scope="module")
def numbers(registry: Apicurio) -> list[int]:
    """The numbers of both schemas of an order, which refer to one of an item."""
    client = SchemaRegistryClient({"url": registry.url})
    client.register_schema("item", Registered(json.dumps(ITEM), "AVRO"))
    references = [SchemaReference("shop.Item", "item", 1)]
    return [
        client.register_schema("orders-value", Registered(json.dumps(it), "AVRO", references))
        for it in (ORDER, NOTED)
    ]


def framed(number: int, schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    stream = io.BytesIO(struct.pack(">BI", 0, number))
    stream.seek(5)
    named: dict[str, Any] = {}
    fastavro.parse_schema(ITEM, named_schemas=named)
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema, named_schemas=named), record)
    return stream.getvalue()


def order(at_ms: int, number: int) -> dict[str, Any]:
    items = [{"sku": "a"}] * (number % 3)
    return {"at": at_ms, "total": b"\x04\xe2", "items": items, "tags": {f"k{number}": "x"}}


def test_schemas_come_from_the_registry_with_what_they_refer_to(
    registry: Apicurio, numbers: list[int]
) -> None:
    of = Registry({"url": registry.url})
    schema = of.schema(numbers[0])
    assert [name for name, _ in schema.references] == ["shop.Item"]
    value = framed(numbers[0], ORDER, order(1_795_400_337_000, 1))
    assert compiled(schema)(value[5:]) == {
        "at": "2026-11-23T02:18:57.000Z",
        "total": 12.5,
        "items": [{"sku": "a"}],
        "tags": {"k1": "x"},
    }
    began_s = time.monotonic()
    with pytest.raises(UnreadableError, match=r"schema 999999: the registry answers 404"):
        of.schema(999_999)
    assert time.monotonic() - began_s < 5


def test_protobuf_schemas_come_with_the_files_that_they_import(registry: Apicurio) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    money = 'syntax = "proto3"; package shop; message Money { int64 cents = 1; }'
    text = (
        'syntax = "proto3"; package shop; import "money.proto"; message A {} message B { Money price = 1; }'
    )
    client.register_schema("money", Registered(money, "PROTOBUF"))
    references = [SchemaReference("money.proto", "money", 1)]
    number = client.register_schema("b-value", Registered(text, "PROTOBUF", references))
    decode = compiled_framed(Registry({"url": registry.url}).schema(number))
    assert decode(b"\x02\x02\x0a\x02\x08\x05") == {"price": {"cents": 5}}


def test_a_field_that_a_new_schema_adds_is_one_alert_and_what_cannot_be_read_is_a_dead_letter(
    deploy: Deploy, registry: Apicurio, numbers: list[int]
) -> None:
    source = {"format": "records", "encoding": "avro", "event_time": {"path": "at"}}
    settings = {
        "time": {"allowed_lateness": "1s", "idle_timeout": "2s", "window": "10s"},
        "schema_registry": {"url": registry.url},
    }
    deployment = deploy({"orders": source}, settings)
    start_ms = int(time.time() * 1000) - 600_000
    values = []
    for number in range(RECORDS):
        at_ms = start_ms + number * 20
        old, new = order(at_ms, number), {**order(at_ms, number), "note": "x"}
        value = framed(numbers[0], ORDER, old) if number < CHANGED else framed(numbers[1], NOTED, new)
        values.append((number % PARTITIONS, value))
    odd = [b"{}", struct.pack(">BI", 0, 999_999), struct.pack(">BI", 0, numbers[0]) + b"\x00"]
    deployment.publish("orders", [*values, *((0, value) for value in odd)])
    worker = deployment.start()
    deployment.wait_until_read(worker)
    deadline = time.monotonic() + 60
    while not any(it.kind == "schema" for it in deployment.alerts()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()

    alerts = [it for it in deployment.alerts() if it.state is State.FIRING and it.kind == "schema"]
    assert len({it.alert_id for it in alerts}) == 1
    change = alerts[0].schema_change
    assert change is not None
    assert (change.change, change.path, change.to) == ("field_added", "note", "string")
    assert change.first.first_offset == CHANGED // PARTITIONS
    letters = deployment.records(deployment.config.dead_letters.topic)
    reasons = sorted(headers["reason"] for _, _, headers in letters)
    assert reasons == [b"no_schema", b"not_avro", b"not_framed"]


def test_a_registration_is_a_notice_with_its_class_before_the_first_record(
    deploy: Deploy, registry: Apicurio
) -> None:
    pytest.importorskip("avro")
    client = SchemaRegistryClient({"url": registry.url})
    old = {"type": "record", "name": "P", "fields": [{"name": "id", "type": "int"}]}
    new = {**old, "fields": [*old["fields"], {"name": "x", "type": "int", "default": 0}]}
    settings = {"schema_registry": {"url": registry.url}}
    deployment = deploy({"schemas": "registry"}, settings)
    producer = Producer({"bootstrap.servers": deployment.bootstrap_servers})
    for version, schema in enumerate((old, new), 1):
        number = client.register_schema("plain-value", Registered(json.dumps(schema), "AVRO"))
        key = {"keytype": "SCHEMA", "subject": "plain-value", "version": version, "magic": 1}
        value = {
            "subject": "plain-value",
            "version": version,
            "id": number,
            "schema": json.dumps(schema),
            "deleted": False,
        }
        producer.produce(deployment.topic("schemas"), json.dumps(value), json.dumps(key), partition=0)
    producer.produce(deployment.topic("schemas"), b"x", b"no key of a registry", partition=0)
    assert producer.flush(30) == 0
    worker = deployment.start()
    deployment.wait_until_read(worker)
    deadline = time.monotonic() + 60
    while not any(it.state is State.RESOLVED for it in deployment.alerts()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    notices = {it.schema_change.change: it.schema_change.to for it in deployment.alerts() if it.schema_change}
    assert notices["version_registered"] == f"version 2, id {number}, compatibility FULL_TRANSITIVE"
    assert notices["field_added"] == "integer"
    letters = deployment.records(deployment.config.dead_letters.topic)
    assert [headers["reason"] for _, _, headers in letters] == [b"not_json"]
