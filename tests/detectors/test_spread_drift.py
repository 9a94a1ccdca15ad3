"""Numbers that come to be distributed in another way are a change; seasons, growth and chance are none."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.spread_drift import NUMBERS_MIN, _distance
from detectors.verdicts import SchemaChange
from tests.detectors.payloads import Topic, told_when_cut

Numbers = Callable[[int, random.Random], float]
KNOWN, CHANGED = 8_000, 4_000


def stream(before: Numbers, after: Numbers | None = None, seed: int = 1) -> list[dict[str, float]]:
    chance = random.Random(seed)
    count = KNOWN + CHANGED if after else 20_000
    return [
        {"n": (after if after and number >= KNOWN else before)(number, chance)} for number in range(count)
    ]


def told(records: list[dict[str, float]]) -> list[SchemaChange]:
    topic = Topic()
    topic.send(records)
    return topic.end()


def reading(_: int, chance: random.Random) -> float:
    return chance.gauss(20, 1)


@pytest.mark.parametrize("after", [
    pytest.param(lambda _, chance: chance.gauss(21, 1), id="larger"),
    pytest.param(lambda _, chance: chance.gauss(20, 3), id="wider"),
    pytest.param(lambda _, chance: chance.gauss(20, 0.2), id="narrower"),
    pytest.param(lambda _, chance: min(chance.gauss(20, 1), 19.5), id="at a limit"),
    pytest.param(lambda _, chance: 20.0 if chance.random() < 0.6 else chance.gauss(20, 1), id="defaults"),
    pytest.param(lambda _, chance: -chance.gauss(20, 1), id="of the other sign"),
])  # fmt: skip
def test_another_distribution_is_a_change_with_its_middle_half(after: Numbers) -> None:
    (change,) = told(stream(reading, after))
    assert (change.change, change.path) == ("distribution_changed", "n")
    assert change.from_ in ("19.3 to 20.7", "19.4 to 20.7", "19.3 to 20.6", "19.4 to 20.6")
    assert change.from_ != change.to
    assert change.first.first_offset in range(KNOWN, KNOWN + 1_100)
    assert change.share >= 0.2
    assert change.confidence > 0.999


def test_it_is_told_with_what_lay_where() -> None:
    topic = Topic()
    topic.send(stream(reading, lambda _, chance: chance.gauss(25, 1)))
    topic.end()
    (alert,) = [it for it in topic.process.alerts.values() if it.kind == "schema" and it.sequence == 1]
    assert "field n has other numbers: half of them lie from 24." in alert.summary
    assert "where they lay from 19." in alert.summary


@pytest.mark.parametrize("numbers", [
    pytest.param(reading, id="noise"),
    pytest.param(lambda number, chance: chance.gauss(20 + 8 * math.sin(number / 900), 1), id="a season"),
    pytest.param(lambda number, chance: chance.gauss(20 + number / 1000, 1), id="growth"),
    pytest.param(lambda number, _: 20 + number % 2500 / 100, id="sums that start again"),
    pytest.param(lambda _, chance: chance.choice([1, 2, 3]), id="few"),
    pytest.param(lambda *_: 7, id="one"),
    pytest.param(lambda *_: 0, id="zeros"),
    pytest.param(lambda _, chance: chance.paretovariate(0.5), id="a heavy tail"),
    pytest.param(lambda number, _: number, id="ids"),
])  # fmt: skip
def test_what_was_always_so_is_none(numbers: Numbers) -> None:
    assert not told(stream(numbers))


def test_a_step_of_less_than_a_fifth_of_the_numbers_is_none() -> None:
    assert not told(stream(reading, lambda _, chance: chance.gauss(20.3, 1)))


def test_it_does_not_depend_on_how_batches_are_cut() -> None:
    records = stream(reading, lambda _, chance: chance.gauss(22, 1))
    assert len(told_when_cut(records, 0)) == 1
    assert told_when_cut(records, 3) == told_when_cut(records, 0)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=20), st.integers(0, 1_000))
def test_chance_is_bounded_for_numbers_of_one_distribution(weights: list[float], seed: int) -> None:
    chance = random.Random(seed)
    bins = range(len(weights))
    known, recent = ([0.0] * len(weights) for _ in range(2))
    for counts, size in ((known, 3 * NUMBERS_MIN), (recent, NUMBERS_MIN)):
        for place in chance.choices(bins, weights, k=size):
            counts[place] += 1
    distance, log_p = _distance(known, recent)
    assert 0 <= distance <= 1
    assert log_p > math.log(1e-6)
