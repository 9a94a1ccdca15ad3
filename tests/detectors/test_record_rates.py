"""A rate of nulls, missing fields or empty texts that jumps is told once; what chance or bursts do is not."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.novelty import LOG_P_MAX
from detectors.record_rates import Rate, log_p_of_rise, rises
from tests.detectors.payloads import Record, Topic

KNOWN, MORE = 3000, 3000


def said(
    rate: Callable[[int], float], make: Callable[[Record, bool], Any], seed: int = 1
) -> list[tuple[str, str]]:
    chance, topic = random.Random(seed), Topic()
    records: list[Record] = [{"id": number, "fax": f"0{number}"} for number in range(KNOWN + MORE)]
    for number, record in enumerate(records):
        make(record, chance.random() < rate(number))
    topic.send(records)
    return [(it.change, it.path) for it in topic.end()]


def null(record: Record, hit: bool) -> None:
    record["fax"] = None if hit else record["fax"]


def absent(record: Record, hit: bool) -> None:
    if hit:
        del record["fax"]


def empty(record: Record, hit: bool) -> None:
    record["fax"] = "" if hit else record["fax"]


@pytest.mark.parametrize("make", [null, absent, empty])
@pytest.mark.parametrize("rates", [(0.02, 0.4), (0.01, 0.1), (0.003, 0.05)])
def test_a_rate_that_jumps_is_told_once(
    make: Callable[[Record, bool], Any], rates: tuple[float, float]
) -> None:
    assert said(lambda number: rates[number >= KNOWN], make) == [("null_rate_changed", "fax")]


@pytest.mark.parametrize("make", [null, absent, empty])
@pytest.mark.parametrize("rates", [(0.02, 0.04), (0.3, 0.9), (0.4, 0.02), (0.5, 0.0)])
def test_a_rate_that_changes_little_or_falls_is_no_change(
    make: Callable[[Record, bool], Any], rates: tuple[float, float]
) -> None:
    assert said(lambda number: rates[number >= KNOWN], make) == []


def test_bursts_that_were_there_before_are_no_change() -> None:
    assert said(lambda number: 0.5 if number // 200 % 5 == 1 else 0.01, null) == []


def test_shares_and_places_are_those_of_the_block() -> None:
    topic = Topic()
    topic.send([{"a": None if number % 50 == 0 else 1} for number in range(KNOWN)])
    topic.send([{"a": None if number % 2 else 1} for number in range(1000)])
    (found,) = topic.end()
    assert (found.from_, found.to, found.share) == ("2 % null", "50 % null", 0.5)
    assert found.first.first_offset == KNOWN + 1


@given(st.integers(0, 50), st.integers(1000, 5000), st.integers(100, 1000), st.data())
@settings(max_examples=300)
def test_more_of_it_is_better_evidence(before: int, chances: int, size: int, data: st.DataObject) -> None:
    rate = Rate(float(before), float(chances), before / chances)
    times = data.draw(st.integers(int(size * rate.share) + 1, size - 1))
    assert log_p_of_rise(rate, times + 1, size) <= log_p_of_rise(rate, times, size) <= 1e-9
    if rises(rate, times, size):
        assert log_p_of_rise(rate, times, size) < LOG_P_MAX
        assert rises(rate, times + 1, size)


def test_how_rarely_chance_makes_a_change() -> None:
    chance = random.Random(3)
    for _ in range(40):
        share, rate = chance.choice([0.0005, 0.003, 0.02]), Rate()
        for _ in range(25):
            times = sum(chance.random() < share for _ in range(400))
            assert not rises(rate, times, 400)
            rate.learn(times, 400)
