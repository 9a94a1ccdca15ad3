"""Records that are not what is declared are one alert for as long as that lasts, whatever has been learned of them."""

import json
import random
from typing import Any

import pytest

from detectors.alerts import Alert, State
from detectors.episodes import QUIET_MS
from detectors.expected_changes import ExpectedChange
from detectors.record_blocks import Block, Seen
from detectors.record_declared import AGAIN_MS, CHANGES, DIFFERENCES_MAX, Difference, Told, differing
from detectors.verdicts import SchemaChange
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings.schemas import Schema
from stream.formats.limits import Limits
from stream.formats.records import Records, RecordSource
from tests.detectors.payloads import TOPIC, Record, Topic, ordinary

HOUR = 36_000
"""Records in an hour."""


def declared(**changed: Any) -> dict[str, Any]:
    """What is declared of an ordinary record."""
    text, number, whole = {"type": "string"}, {"type": "number"}, {"type": "integer"}
    fields = {
        "id": whole,
        "customer": {"properties": {"id": whole, "address": {"properties": {"zip": text, "city": text}}}},
        "items": {
            "type": "array",
            "items": {"properties": {"sku": text, "price": number}, "required": ["sku"]},
        },
        "total": number,
        "paid": {"type": "boolean"},
        "tags": {"type": "array", "items": text},
        "note": {"type": ["string", "null"]},
        "coupon": text,
        **changed,
    }
    properties = {name: schema for name, schema in fields.items() if schema is not None}
    return {"type": "object", "properties": properties, "required": ["id", "customer"]}


def topic_of(schema: Any, **more: Any) -> Topic:
    return Topic(RecordSource(contract=Schema("json", json.dumps(schema))), **more)


def found(topic: Topic) -> list[SchemaChange]:
    return [it for it in topic.end() if it.change in CHANGES]


def alerts(topic: Topic) -> list[Alert]:
    every = topic.process.alerts.values()
    return [it for it in every if it.schema_change and it.schema_change.change in CHANGES]


def test_records_as_declared_say_nothing() -> None:
    topic = topic_of(declared())
    topic.ordinary(5_000)
    assert topic.end() == []


def test_a_difference_from_the_very_first_record_is_told_at_once() -> None:
    topic = topic_of(declared(id={"type": "string"}, coupon=None))
    topic.ordinary(3_000)
    changes = {(it.change, it.path, it.from_, it.to) for it in found(topic)}
    assert changes == {
        ("type_undeclared", "id", "string", "integer"),
        ("field_undeclared", "coupon", "undeclared", "string"),
    }


def test_a_difference_is_one_alert_with_its_share_and_place_for_as_long_as_it_lasts() -> None:
    topic = topic_of(declared())
    topic.ordinary(2_000)
    first = topic.offset
    topic.ordinary(HOUR + 5_000, lambda record: record.update(total="10"), every=4)
    topic.ordinary(HOUR + 5_000)
    topic.end()
    told = alerts(topic)
    assert [it.state for it in told] in ([State.FIRING, State.RESOLVED], [State.SUPPRESSED, State.RESOLVED])
    change = told[0].schema_change
    assert change is not None
    assert (change.change, change.path, change.from_, change.to) == (
        "type_undeclared",
        "total",
        "number",
        "string",
    )
    assert change.first.first_offset == first + 3
    assert change.share == pytest.approx(0.25, abs=0.02)
    assert "field total is declared as number and holds string, in 25 % of the records" in told[0].summary


def block(at_ms: int, *idents: int) -> Block:
    """A record of each shape."""
    seen = {ident: Seen(1, n, n, (0, n), (0, n)) for n, ident in enumerate(idents)}
    return Block(0, at_ms, at_ms, len(idents), seen)


def test_a_difference_is_told_again_for_as_long_as_it_lasts_and_anew_when_it_comes_again() -> None:
    it = Difference(CHANGES[0], "a", "undeclared", "string")
    known: dict[str, Told] = {}

    def told(at_ms: int, *idents: int) -> int:
        return len(differing(known, block(at_ms, *idents), {7: (it,)}))

    assert [told(at, 7, 8) for at in (0, 1, AGAIN_MS - 1, AGAIN_MS, AGAIN_MS + 1)] == [1, 0, 0, 1, 0]
    assert told(AGAIN_MS + QUIET_MS, 8) == 0
    assert known
    assert told(AGAIN_MS + QUIET_MS + 1, 8) == 0
    assert not known
    assert told(5 * QUIET_MS, 8, 7) == 1


def test_how_many_differences_are_told_is_bounded() -> None:
    many = tuple(Difference(CHANGES[0], f"f{n}", "undeclared", "string") for n in range(1_000))
    known: dict[str, Told] = {}
    assert len(differing(known, block(0, 7), {7: many})) == len(known) == DIFFERENCES_MAX


def test_a_difference_that_is_expected_is_not_told() -> None:
    topic = topic_of(declared(coupon=None), expected=(ExpectedChange(TOPIC, "coupon", "field_undeclared"),))
    topic.ordinary(3_000)
    assert found(topic) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_same_however_batches_are_cut_and_whatever_restarts(seed: int) -> None:
    def told(cut: int) -> list[SchemaChange]:
        cuts, chance, topic = random.Random(cut), random.Random(3), topic_of(declared(coupon=None), shards=2)
        records: list[Record] = [ordinary(chance) for _ in range(4_000)]
        while records:
            count = cuts.randrange(1, 700) if cut else 1_000
            topic.send(records[:count])
            del records[:count]
            if cut and cuts.random() < 0.3:
                topic.restart()
        return found(topic)

    assert told(0) == told(seed) != []


def test_each_record_of_json_schema_is_compared_with_the_schema_that_it_names() -> None:
    schemas = {1: declared(), 2: declared(coupon=None), 3: "no schema"}

    def schema_of(number: int) -> Schema:
        if number not in schemas:
            raise UnreadableError(DeadReason.NO_SCHEMA, "unknown")
        return Schema("json", json.dumps(schemas[number]))

    record = json.dumps({"id": 1, "customer": {}, "coupon": "x"}).encode()
    reader = Records("t", RecordSource(encoding="json_schema"), Caps(Limits()), 1, schema_of)
    values = [bytes([0, 0, 0, 0, number]) + record for number in (1, 2, 1, 3, 4)]
    table = reader.read(values, [1_780_000_000_000] * len(values))
    assert not table.dead
    shapes = table.payloads.shape
    assert table.shapes is not None
    marks = [[it for it in table.shapes.elements_of(n) if it[1].startswith("!")] for n in shapes]
    assert marks == [[], [("coupon", "!field_undeclared|undeclared|string")], [], [], []]
    assert (shapes[0], shapes[3]) == (shapes[2], shapes[4])
