"""What changes in anyone's records is found with its kind, path, share and first record; what was known to vary is no change."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import State
from detectors.novelty import is_gone, is_new, log_p_of_new
from detectors.structure import PATHS_MAX
from detectors.verdicts import SchemaChange
from stream.formats.records import RecordSource
from tests.detectors.payloads import SPACING_MS, TOPIC, Record, Topic, ordinary, told_when_cut

KNOWN = 4000


def after(change: Callable[[Record], Any], every: int = 1, known: int = KNOWN) -> list[SchemaChange]:
    """What is said when, after ordinary records, every so manieth is changed."""
    topic = Topic()
    topic.ordinary(known)
    topic.ordinary(3000, change, every)
    return topic.end()


def said(changes: list[SchemaChange]) -> list[tuple[str, str, str | None, str | None]]:
    return [(it.change, it.path, it.from_, it.to) for it in changes]


def put(path: str, value: Any) -> Callable[[Record], Any]:
    """Set a field."""
    *outer, name = path.split(".")

    def change(record: Record) -> None:
        for step in outer:
            record = record[step]
        record[name] = value

    return change


def rename(old: str, new: str) -> Callable[[Record], Any]:
    """Put a field under another name or elsewhere."""
    *outer, name = old.split(".")

    def change(record: Record) -> None:
        inner = record
        for step in outer:
            inner = inner[step]
        put(new, inner.pop(name))(record)

    return change


CHANGES: dict[str, tuple[Callable[[Record], Any], tuple[str, str, str | None, str | None]]] = {
    "added": (put("channel", "web"), ("field_added", "channel", None, "string")),
    "added as null": (put("channel", None), ("field_added", "channel", None, "null")),
    "added inside": (put("customer.address.country", "de"), ("field_added", "customer.address.country", None, "string")),
    "added object": (put("shop", {"id": 1, "name": "a"}), ("field_added", "shop", None, "object")),
    "removed": (lambda it: it.pop("total"), ("field_removed", "total", "integer | number", None)),
    "removed inside": (lambda it: it["customer"]["address"].pop("zip"), ("field_removed", "customer.address.zip", "string", None)),
    "removed object": (lambda it: it.pop("customer"), ("field_removed", "customer", "object", None)),
    "removed in items": (lambda it: [item.pop("sku") for item in it["items"]], ("field_removed", "items[].sku", "string", None)),
    "type": (put("id", "x"), ("type_changed", "id", "integer", "string")),
    "wider": (put("id", 1.5), ("type_changed", "id", "integer", "number")),
    "null": (put("id", None), ("nullability_changed", "id", "required", "nullable")),
    "null inside": (put("customer.address", None), ("nullability_changed", "customer.address", "required", "nullable")),
    "flattened": (put("customer", "c-1"), ("nesting_changed", "customer", "object", "string")),
    "nested": (put("id", {"value": 1}), ("nesting_changed", "id", "integer", "object")),
    "list of it": (put("customer", [{"id": 1}]), ("nesting_changed", "customer", "object", "array")),
    "renamed": (rename("total", "total_amount"), ("renamed", "total", "total", "total_amount")),
    "renamed inside": (rename("customer.address.zip", "customer.address.zipCode"), ("renamed", "customer.address.zip", "customer.address.zip", "customer.address.zipCode")),
    "renamed object": (rename("customer", "buyer"), ("renamed", "customer", "customer", "buyer")),
    "moved": (rename("id", "customer.address.id"), ("nesting_changed", "id", "id", "customer.address.id")),
    "items": (put("items", ["a"]), ("nesting_changed", "items[]", "object", "string")),
}  # fmt: skip


@pytest.mark.parametrize("every", [1, 10, 100])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_once_with_its_kind_path_and_share(name: str, every: int) -> None:
    change, expected = CHANGES[name]
    changes = after(change, every)
    assert said(changes) == [expected]
    (found,) = changes
    assert found.share == pytest.approx(1 / every, rel=0.35)
    assert found.confidence > (0.999 if found.change != "renamed" else 0.75)
    assert found.first.first_offset == KNOWN + every - 1
    assert KNOWN + every - 1 <= found.last.last_offset < KNOWN + 1000 * (1 + every // 10)


def test_the_old_type_in_the_block_in_which_it_ends_is_no_change_back() -> None:
    changes = after(put("id", {"value": 1}), known=KNOWN + 500)
    assert said(changes) == [("nesting_changed", "id", "integer", "object")]


@pytest.mark.parametrize(
    ("value", "other", "change"),
    [
        pytest.param(lambda chance: chance.gauss(3700, 60), lambda chance: chance.gauss(3700, 60), "renamed", id="numbers"),
        pytest.param(lambda chance: chance.gauss(3700, 60), lambda chance: chance.gauss(0.5, 0.1), "field_removed", id="other numbers"),
        pytest.param(lambda chance: f"10.0.0.{chance.randrange(250)}", lambda chance: f"10.0.7.{chance.randrange(250)}", "renamed", id="addresses"),
        pytest.param(lambda chance: f"10.0.0.{chance.randrange(250)}", lambda chance: f"x{chance.random()}", "field_removed", id="texts"),
        pytest.param(lambda chance: f"a {chance.random()}", lambda chance: f"b {chance.random()}", "field_removed", id="any texts"),
    ],
)  # fmt: skip
def test_a_field_of_quite_another_name_is_the_same_when_its_values_are_alike(
    value: Callable[[random.Random], Any], other: Callable[[random.Random], Any], change: str
) -> None:
    chance, topic = random.Random(3), Topic()
    topic.send([{"id": 1, "mv": value(chance)} for _ in range(3000)])
    topic.send([{"id": 1, "level": other(chance)} for _ in range(1000)])
    first, *rest = sorted(topic.end(), key=lambda it: it.change, reverse=True)
    assert (first.change, len(rest)) == (change, 0 if change == "renamed" else 1)
    assert first.path == "mv"


def test_a_field_that_goes_and_another_that_comes_are_no_rename_when_their_names_are_not_alike() -> None:
    changes = after(rename("paid", "colour"))
    assert said(changes) == [
        ("field_added", "colour", None, "boolean"),
        ("field_removed", "paid", "boolean", None),
    ]


HARMLESS: dict[str, Callable[[Record], Any]] = {
    "nothing": lambda _: None,
    "more nulls where there are some": put("note", None),
    "no nulls where there were some": put("note", "hello"),
    "more of an optional field": put("coupon", "abc"),
    "empty arrays": put("items", []),
    "empty arrays where some were": put("tags", []),
    "whole numbers only": put("total", 3),
    "whole numbers written as others": put("id", 7.0),
    "longer arrays": lambda it: it.update(items=it["items"] * 20),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_was_known_to_vary_is_no_change(name: str) -> None:
    assert after(HARMLESS[name]) == []


def test_reordered_fields_are_no_change() -> None:
    topic = Topic()
    topic.ordinary(KNOWN)
    chance = random.Random(1)
    topic.send([dict(reversed(ordinary(chance).items())) for _ in range(2000)])
    assert topic.end() == []


@pytest.mark.parametrize("share", [0.3, 0.03, 0.003, 0.0006])
def test_fields_that_are_rare_from_the_start_are_no_change(share: float) -> None:
    for seed in range(5):
        topic, chance = Topic(), random.Random(f"{seed}/{share}")
        topic.send(
            [{"id": 1, **{f"f{n}x": 1 for n in range(20) if chance.random() < share}} for _ in range(20_000)],
            5000,
        )
        assert topic.end() == []


@pytest.mark.parametrize("names", ["user_{}", "{}"])
def test_new_names_of_data_are_no_change(names: str) -> None:
    topic, chance = Topic(), random.Random(3)
    topic.send(
        [{"id": 1, "by": {names.format(1000 + chance.randrange(n + 9)): {"n": 1}}} for n in range(6000)]
    )
    assert topic.end() == []


def test_an_object_in_which_new_words_keep_coming_is_folded() -> None:
    topic, chance = Topic(), random.Random(3)
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "aeiou" for c in "rstlnm"]
    topic.send(
        [
            {"by": {words[chance.randrange(1 + min(n // 40, 239))]: {"n": 1} for _ in range(2)}}
            for n in range(9000)
        ]
    )
    topic.send([{"by": {words[n % 240]: {"n": "x"}}} for n in range(2000)])
    assert said(topic.end()) == [("type_changed", "by{*}.n", "integer", "string")]


def test_an_optional_field_that_vanishes_is_found() -> None:
    changes = after(lambda it: it.pop("coupon", None))
    assert said(changes) == [("field_removed", "coupon", "string", None)]


def test_an_optional_field_that_is_away_for_a_while_is_told_once_and_then_known() -> None:
    topic = Topic()
    for _ in range(6):
        topic.ordinary(2000)
        topic.ordinary(2000, lambda it: it.pop("coupon", None))
    assert said(topic.end()) == [("field_removed", "coupon", "string", None)]


def test_a_change_that_is_taken_back_is_told_as_well() -> None:
    topic = Topic()
    topic.ordinary(KNOWN)
    topic.ordinary(3000, lambda it: it.pop("total"))
    topic.ordinary(3000)
    topic.ordinary(3000, put("id", "x"))
    topic.ordinary(3000)
    assert [it[:2] for it in said(topic.end())] == [
        ("field_removed", "total"),
        ("field_added", "total"),
        ("type_changed", "id"),
        ("type_changed", "id"),
    ]


def test_a_hard_change_is_found_in_few_records_when_the_window_ends() -> None:
    topic = Topic(window_ms=60_000)
    topic.ordinary(1200)
    topic.ordinary(30, lambda it: it.pop("total"))
    changes = topic.end()
    assert said(changes) == [("field_removed", "total", "integer | number", None)]


@pytest.mark.parametrize("times", [1, 4])
def test_few_odd_records_are_no_change(times: int) -> None:
    topic = Topic()
    topic.ordinary(20_000)
    topic.ordinary(2000, put("id", None), 2000 // times)
    topic.ordinary(3000)
    assert topic.end() == []


def test_each_label_has_a_schema_of_its_own() -> None:
    topic = Topic(RecordSource((), (("region", ("region",)),)), shards=3)
    topic.send([{"region": region, "id": 1} for _ in range(1000) for region in ("eu", "us")])
    topic.send(
        [
            {"region": region, "id": 1 if region == "eu" else "x"}
            for _ in range(1000)
            for region in ("eu", "us")
        ]
    )
    assert said(topic.end()) == [("type_changed", "id", "integer", "string")]
    (alert,) = (
        it for it in topic.process.alerts.values() if it.kind == "schema" and it.state is State.FIRING
    )
    assert alert.series.labels == {"region": "us", "topic": TOPIC}
    assert alert.summary.startswith("orders (region=us) changed its schema at ")
    assert "field id changed its type from integer to string" in alert.summary


def test_an_object_that_becomes_numbers_some_of_them_whole_is_one_change() -> None:
    topic = Topic()
    topic.send([{"id": 1, "amount": {"value": 1.5}} for _ in range(3000)])
    topic.send([{"id": 1, "amount": 2 if number % 100 == 7 else 2.5} for number in range(1500)])
    assert said(topic.end()) == [("nesting_changed", "amount", "object", "number")]


def test_a_map_of_very_many_names_leaves_room_for_the_fields_beside_it() -> None:
    chance, topic = random.Random(3), Topic()
    names = [
        f"{a}{b}{c}x" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop" for c in "abcdefghijklmnop"
    ]

    def record() -> Record:
        return {"id": 1, "limits": dict.fromkeys(chance.sample(names, 4), 1), "memo": "x", "risk": 0.5}

    topic.send([record() for _ in range(1500)])
    topic.send([record() | {"zone": 1} for _ in range(1000)])
    assert said(topic.end()) == [("field_added", "zone", None, "integer")]
    assert topic.process.counts()["record_paths_refused",] == 0


def test_a_field_that_was_refused_is_not_new_when_there_is_room() -> None:
    topic, names = Topic(window_ms=80 * SPACING_MS), itertools.count()
    topic.send([{"a": {f"f{next(names)}x": 1 for _ in range(30)}, "z": 1} for _ in range(450)])
    topic.end()
    assert topic.process.counts()["record_paths_refused",] > 0
    assert topic.end() == []


def test_too_many_paths_are_refused_counted_and_told_once() -> None:
    topic = Topic()
    for first in range(0, PATHS_MAX + 500, 100):
        topic.send([{f"f{first + n}x": 1 for n in range(100)}])
    topic.end()
    told = [it for it in topic.process.alerts.values() if it.kind == "detector_health"]
    assert [it.transition_reason for it in told] == ["opened: paths_cap"]
    assert topic.process.counts()["record_paths_refused",] == 501


def test_restarts_and_cuts_change_nothing() -> None:
    def run(seed: int) -> list[SchemaChange]:
        chance = random.Random(5)
        records = [ordinary(chance) for _ in range(6000)]
        for number, record in enumerate(records[3000:]):
            if number % 10 == 0:
                record["id"] = "x"
            if number > 1500:
                record.pop("coupon", None)
        return told_when_cut(records, seed)

    expected = run(0)
    assert len(expected) == 2
    assert all(run(seed) == expected for seed in range(1, 5))


@given(st.floats(1, 1e6), st.integers(1, 1000), st.floats(0, 1e5))
@settings(max_examples=300)
def test_more_of_the_same_is_better_evidence_and_more_chances_worse(
    before: float, times: int, more: float
) -> None:
    since = times + more
    assert log_p_of_new(before, since, times + 1) <= log_p_of_new(before, since, times) <= 0
    assert log_p_of_new(before, since + 1, times) >= log_p_of_new(before, since, times)
    assert log_p_of_new(before + 1, since, times) <= log_p_of_new(before, since, times)


def test_how_rarely_chance_makes_a_change() -> None:
    """By simulation: of rare events at any rate, fewer than one in ten thousand looks like a change at any time."""
    chance = random.Random(11)
    alarms = 0
    for _ in range(2000):
        rate, seen, first, times = 10 ** chance.uniform(-4, -1), 0, 0, 0
        for seen in range(1, 40):
            k = sum(chance.random() < rate for _ in range(50))
            first = first or (seen if k else 0)
            times += k
            if first and is_new(50.0 * (first - 1), 50.0 * (seen - first + 1), times):
                alarms += 1
                break
            if first and seen - first + 1 > first - 1:
                break
    assert alarms == 0
    assert not is_gone(1000, 5, 1000)
    assert is_gone(1000, 100, 1000)
