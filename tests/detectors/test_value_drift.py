"""What changes in the values of records is found with its kind, path and first record; what is known to vary is no change."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.evidence import Evidence, evidence_after
from detectors.novelty import LOG_P_MAX
from detectors.size_drift import UNITS, _log_p
from detectors.value_state import range_of
from detectors.verdicts import SchemaChange
from tests.detectors.payloads import Record, Topic, told_when_cut

KNOWN = 3000


def reading(chance: random.Random) -> Record:
    """A reading with a value of each sort."""
    return {
        "state": chance.choice(["idle", "busy", "busy"]),
        "at": f"2026-03-01T10:{chance.randrange(60):02}:00Z",
        "trace": f"{chance.getrandbits(32):08x}-0000-4000-8000-{chance.getrandbits(48):012x}",
        "ms": 1_780_000_000_000 + chance.randrange(1000),
        "amount": round(chance.lognormvariate(4, 0.8), 2),
        "host": f"host {chance.randrange(5000)}",
        "items": [{"unit": chance.choice(["kg", "l"])} for _ in range(chance.randrange(1, 3))],
    }


def after(
    change: Callable[[Record], Any], every: int = 1, seed: int = 1, more: int = 3000
) -> list[SchemaChange]:
    """What is said when, after known records, every so manieth is changed."""
    chance, topic = random.Random(seed), Topic()
    records = [reading(chance) for _ in range(KNOWN + more)]
    for record in records[KNOWN + every - 1 :: every]:
        change(record)
    topic.send(records)
    return topic.end()


def put(name: str, value: Any) -> Callable[[Record], Any]:
    return lambda record: record.update({name: value(record[name]) if callable(value) else value})


CHANGES: dict[str, tuple[Callable[[Record], Any], tuple[str, str, str | None]]] = {
    "word": (put("state", "lost"), ("enum_added", "state", None)),
    "word of items": (lambda it: [item.update(unit="m") for item in it["items"]], ("enum_added", "items[].unit", None)),
    "zone": (put("at", lambda was: was[:-1]), ("format_changed", "at", "local date-time")),
    "uuid": (put("trace", "17"), ("format_changed", "trace", "integer")),
    "text": (put("trace", "seventeen"), ("format_changed", "trace", "text")),
    "seconds": (put("ms", lambda was: was // 1000), ("unit_changed", "ms", "1/1000")),
    "microseconds": (put("ms", lambda was: was * 1000), ("unit_changed", "ms", "1000")),
}  # fmt: skip


@pytest.mark.parametrize("every", [1, 10, 50])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_once_with_its_kind_path_and_share(name: str, every: int) -> None:
    change, (kind, path, to) = CHANGES[name]
    (found,) = after(change, every)
    assert (found.change, found.path) == (kind, path)
    assert to is None or found.to == to
    assert found.share == pytest.approx(1 / every, rel=0.35)
    assert found.confidence > 0.999
    assert found.first.first_offset == KNOWN + every - 1


@pytest.mark.parametrize("factor", [it for it in UNITS if it > 60])
@pytest.mark.parametrize("up", [True, False])
def test_numbers_that_spread_widely_change_their_unit_in_all_records(factor: int, up: bool) -> None:
    for seed in range(3):
        (found,) = after(put("amount", lambda was: was * factor if up else was / factor), seed=seed)
        assert (found.change, found.path) == ("unit_changed", "amount")
        assert found.to == (f"{factor}" if up else f"1/{factor}")


def test_a_word_is_named_by_its_hash_alone() -> None:
    (found,) = after(put("state", "secret"))
    assert found.to is not None
    assert found.to.startswith("#")
    assert found.from_ is not None
    assert "idle" not in found.from_


@pytest.mark.parametrize("every", [1, 10])
def test_a_field_with_the_same_few_words_has_another_name(every: int) -> None:
    (found,) = after(lambda record: record.update(mode=record.pop("state")), every)
    assert (found.change, found.from_, found.to) == ("renamed", "state", "mode")


def test_a_word_that_goes_is_told_once_and_may_come_back() -> None:
    chance, topic = random.Random(1), Topic()
    records = [reading(chance) for _ in range(12_000)]
    for record in records[4000:7000]:
        record["state"] = "busy"
    topic.send(records)
    assert [(it.change, it.path) for it in topic.end()] == [("enum_removed", "state")]


HARMLESS: dict[str, Callable[[Record], Any]] = {
    "fractions of a second": put("at", lambda was: was.replace("00Z", "00.5Z")),
    "other texts of many": put("host", lambda was: f"{was} b"),
    "twice as much": put("amount", lambda was: was * 2),
    "half": put("amount", lambda was: was / 2),
    "negative": put("amount", lambda was: -was),
    "nothing": put("amount", 0),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_known_to_vary_is_no_change(name: str) -> None:
    assert after(HARMLESS[name]) == []


@given(st.integers(0, 2**32), st.sampled_from(["words", "sizes"]))
@settings(max_examples=12, deadline=None)
def test_records_that_all_come_from_one_source_are_no_change(seed: int, which: str) -> None:
    chance, topic = random.Random(seed), Topic()
    shape, count = chance.uniform(0.4, 3), chance.randrange(2, 90)
    topic.send(
        [
            {"w": f"w {min(count, int(chance.paretovariate(shape)))}"}
            if which == "words"
            else {"n": chance.paretovariate(shape)}
            for _ in range(8000)
        ]
    )
    assert topic.end() == []


def test_restarts_and_cuts_change_nothing() -> None:
    def run(seed: int) -> list[SchemaChange]:
        chance = random.Random(5)
        records = [reading(chance) for _ in range(6000)]
        for record in records[3000::10]:
            record["state"], record["ms"], record["at"] = "lost", record["ms"] * 1000, "12:00"
        return told_when_cut(records, seed)

    expected = run(0)
    assert {it.change for it in expected} == {"enum_added", "unit_changed", "format_changed"}
    assert all(run(seed) == expected for seed in range(1, 5))


@given(st.floats(30, 1e5), st.integers(5, 500), st.integers(0, 500))
def test_more_numbers_beyond_the_range_are_better_evidence(before: float, times: int, more: int) -> None:
    few = Evidence(before, times + more, times, (0, 0), (0, 0))
    many = Evidence(before, times + more + 1, times + 1, (0, 0), (0, 0))
    assert _log_p(many) <= _log_p(few) or _log_p(few) > LOG_P_MAX
    assert evidence_after(before).share == 0


@given(st.dictionaries(st.integers(0, 100), st.floats(1, 1000), min_size=1))
def test_a_range_holds_all_but_a_few_at_either_end(sizes: dict[int, float]) -> None:
    low, high = range_of(sizes)
    assert sum(count for size, count in sizes.items() if size > high) < 5
    assert sum(count for size, count in sizes.items() if size < low) < 5
