"""A bank of series: slots, batches, storing and loading."""

import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.numeric import Direction, Kind, Method, NumericBank

MINUTE_MS = 60_000
DAY_MS = 86_400_000

Sample = tuple[int, int, float]


ZONES = ("Europe/Berlin", "UTC", "America/New_York", "Asia/Kathmandu")


@st.composite
def traffic(draw: st.DrawFn) -> tuple[list[Kind], list[Sample]]:
    """A few series, and their samples in one order."""
    kinds = draw(st.lists(st.sampled_from(Kind), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 900))
    slots = rng.integers(0, len(kinds), count)
    times = np.cumsum(rng.integers(0, draw(st.sampled_from([1, 600_000, DAY_MS])) + 1, count))
    values = np.exp(rng.normal(5, 1, count)) * np.where(rng.random(count) < 0.01, 50, 1)
    values[rng.random(count) < 0.01] = np.nan
    return kinds, list(zip(slots.tolist(), times.tolist(), values.tolist(), strict=True))


def bank_of(kinds: list[Kind], zones: tuple[str, ...] = ("UTC",)) -> NumericBank:
    bank = NumericBank()
    for kind, zone in zip(kinds, itertools.cycle(zones), strict=False):
        bank.add(kind, time_zone=zone)
    return bank


def run(bank: NumericBank, samples: list[Sample]) -> bytes:
    slots, times, values = zip(*samples, strict=True)
    return bank.judge_many(slots, times, values).tobytes()


@settings(deadline=None)
@given(traffic=traffic(), data=st.data())
def test_any_cut_into_batches_gives_the_same_judgements_and_state(
    traffic: tuple[list[Kind], list[Sample]], data: st.DataObject
) -> None:
    kinds, samples = traffic
    cut = data.draw(st.integers(0, len(samples)))
    whole, parts = bank_of(kinds, ZONES), bank_of(kinds, ZONES)
    expected = run(whole, samples)
    got = b"".join(run(parts, part) for part in (samples[:cut], samples[cut:]) if part)
    assert got == expected
    assert parts.dump_blocks() == whole.dump_blocks()


def test_a_bank_that_numbers_zones_otherwise_takes_over_each_series_with_its_zone() -> None:
    rng = np.random.default_rng(8)
    samples = [(n % 4, 1000 * n * 1700, float(rng.gamma(2) * (1 + n // 8 % 24))) for n in range(4000)]
    kinds = [Kind.VALUES] * 4
    whole, before, after = bank_of(kinds, ZONES), bank_of(kinds, ZONES), NumericBank()
    numbers = [after.zone(name) for name in ["Asia/Tokyo", *reversed(ZONES)]]
    run(whole, samples[:2000])
    run(before, samples[:2000])
    after.load_blocks(before.dump_blocks())
    assert run(after, samples[2000:]) == run(whole, samples[2000:])
    assert numbers == [after.zone(name) for name in ["Asia/Tokyo", *reversed(ZONES)]]


@settings(deadline=None)
@given(traffic=traffic(), data=st.data())
def test_dumping_and_loading_in_the_middle_changes_nothing(
    traffic: tuple[list[Kind], list[Sample]], data: st.DataObject
) -> None:
    kinds, samples = traffic
    cut = data.draw(st.integers(0, len(samples) - 1))
    whole, before, after = bank_of(kinds, ZONES), bank_of(kinds, ZONES), NumericBank()
    for slot, time_ms, value in samples[:cut]:
        whole.judge(slot, time_ms, value)
        before.judge(slot, time_ms, value)
    after.load_blocks(before.dump_blocks())
    assert run(after, samples[cut:]) == run(whole, samples[cut:])
    assert after.dump_blocks() == whole.dump_blocks()
    assert len(after) == len(whole)


@pytest.mark.parametrize("kind", Kind)
def test_one_sample_at_a_time_says_the_same_as_a_batch(kind: Kind) -> None:
    values = np.random.default_rng(2).lognormal(8, 0.3, 400)
    times = np.arange(400) * MINUTE_MS
    one, many = bank_of([kind]), bank_of([kind])
    batch = many.judge_many(np.zeros(400, np.int64), times, values)
    for row, time_ms, value in zip(batch, times.tolist(), values.tolist(), strict=True):
        judgement = one.judge(0, time_ms, value)
        for name in batch.dtype.names or ():
            assert getattr(judgement, name) == row[name] or (
                math.isnan(row[name]) and math.isnan(getattr(judgement, name))
            )


def test_series_do_not_touch_one_another() -> None:
    alone, together = bank_of([Kind.VALUES]), bank_of([Kind.RUNS, Kind.VALUES, Kind.VALUES])
    for minute in range(500):
        together.judge(0, minute * MINUTE_MS, 1000.0 + minute)
        value = 50.0 + minute % 7
        assert str(alone.judge(0, minute * MINUTE_MS, value)) == str(
            together.judge(1, minute * MINUTE_MS, value)
        )
        together.judge(2, minute * MINUTE_MS, -value)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("refused", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_and_changes_nothing(kind: Kind, refused: float) -> None:
    bank = bank_of([kind])
    for minute in range(300):
        bank.judge(0, minute * MINUTE_MS, 100.0 + minute % 5)
    before = bank.dump_blocks()
    judgement = bank.judge(0, 400 * MINUTE_MS, refused)
    assert judgement.method == Method.REFUSED
    assert judgement.score == 0
    assert not judgement.anomalous
    assert bank.dump_blocks() == before


def test_a_judgement_says_since_when_and_from_how_many_samples() -> None:
    bank = bank_of([Kind.VALUES])
    for minute in range(150):
        judgement = bank.judge(0, minute * MINUTE_MS + 5, 100.0 + minute % 5)
        assert judgement.n == minute
        assert judgement.since_ms == 5
        assert judgement.warming == (minute < 100)
    assert judgement.interval_s == pytest.approx(60)
    assert 0 < judgement.p_value <= 1


def test_direction_up_leaves_drops_alone_and_has_no_lower_limit() -> None:
    times, values = np.arange(2000) * 5 * MINUTE_MS, np.random.default_rng(3).normal(100, 2, 2000)
    for direction, spike, drop in (
        (Direction.UP, True, False),
        (Direction.DOWN, False, True),
        (Direction.BOTH, True, True),
    ):
        for value, anomalous in ((200.0, spike), (0.0, drop)):
            bank = NumericBank()
            slot = bank.add(direction=direction)
            bank.judge_many(np.full(2000, slot), times, values)
            judgement = bank.judge(slot, 2000 * 5 * MINUTE_MS, value)
            assert judgement.anomalous == anomalous
            assert math.isnan(judgement.lower) == (direction is Direction.UP)
            assert math.isnan(judgement.upper) == (direction is Direction.DOWN)


def test_a_difference_below_the_least_effect_is_not_anomalous() -> None:
    times, values = np.arange(2000) * 5 * MINUTE_MS, np.random.default_rng(3).normal(1000, 1, 2000)
    for min_effect, anomalous in ((0.0, True), (0.5, False)):
        bank = NumericBank()
        slot = bank.add(min_effect=min_effect)
        bank.judge_many(np.full(2000, slot), times, values)
        judgement = bank.judge(slot, 2000 * 5 * MINUTE_MS, 1300.0)
        assert judgement.anomalous is anomalous
        assert (judgement.upper < 1300) is anomalous


def test_a_larger_budget_lowers_the_threshold_of_a_series_that_goes_on() -> None:
    bank = NumericBank()
    slot = bank.add(false_alarms_per_day=1 / 300)
    rng = np.random.default_rng(6)
    bank.judge_many(np.full(3000, slot), np.arange(3000) * MINUTE_MS, rng.normal(100, 2, 3000))
    now_ms = 3000 * MINUTE_MS
    strict = bank.limits(slot, now_ms)
    bank.configure(slot, direction=Direction.BOTH, false_alarms_per_day=1.0, min_effect=0.0)
    loose = bank.limits(slot, now_ms)
    assert loose.expected == strict.expected
    assert strict.lower < loose.lower < loose.upper < strict.upper


def test_slots_are_given_again_as_new() -> None:
    bank = bank_of([Kind.VALUES] * 3)
    for minute in range(200):
        bank.judge(1, minute * MINUTE_MS, 7.0)
    bank.release(1)
    assert len(bank) == 2
    with pytest.raises(IndexError):
        bank.judge(1, 0, 7.0)
    assert bank.add(Kind.RUNS) == 1
    assert bank.judge(1, 0, 7.0).n == 0
    assert bank_of([Kind.VALUES, Kind.RUNS, Kind.VALUES]).limits(1, 0) is not None


def test_a_growing_bank_keeps_what_it_knows() -> None:
    bank = NumericBank()
    slots = [bank.add(Kind.VALUES if number % 2 else Kind.RUNS) for number in range(500)]
    assert slots == list(range(500))
    for minute in range(120):
        bank.judge_many(slots, np.full(500, minute * MINUTE_MS), np.arange(500.0) + minute % 3)
    small = bank.dump_blocks()
    more = [bank.add() for _ in range(500)]
    assert len(bank) == 1000
    assert more == list(range(500, 1000))
    assert bank.dump_blocks()["light-000000"] == small["light-000000"]
    assert bank.judge(499, 120 * MINUTE_MS, 499.0).n == 120


def test_a_sample_changes_only_the_block_of_its_slot() -> None:
    bank = bank_of([Kind.VALUES] * 1000)
    before = bank.dump_blocks()
    bank.judge(700, 0, 1.0)
    after = bank.dump_blocks()
    changed = [name for name in after if after[name] != before.get(name)]
    assert changed == ["bank", "light-000002", "young-000000"]


def test_only_blocks_that_changed_are_dumped_a_second_time() -> None:
    bank = bank_of([Kind.VALUES] * 1000)
    assert bank.changed_blocks() == bank.dump_blocks()
    bank.judge(700, 0, 1.0)
    assert set(bank.changed_blocks()) == {"bank", "light-000002", "young-000000"}
    assert set(bank.changed_blocks()) == {"bank"}


def test_runs_that_come_rarely_cost_little() -> None:
    bank = bank_of([Kind.RUNS] * 100)
    for day in range(40):
        bank.judge_many(np.arange(100), np.full(100, day * DAY_MS), np.full(100, 1000.0 + day))
    assert bank.size_bytes <= 100 * 1024 + bank.bytes_model + bank.bytes_deep + bank.bytes_young


@pytest.mark.parametrize("slot", [-1, 1, 64, 10**9])
def test_an_unknown_slot_is_an_error_everywhere(slot: int) -> None:
    bank = bank_of([Kind.VALUES])
    with pytest.raises(IndexError):
        bank.judge(slot, 0, 1.0)
    with pytest.raises(IndexError):
        bank.limits(slot, 0)
    with pytest.raises(IndexError):
        bank.release(slot)
    before = bank.dump_blocks()
    with pytest.raises(IndexError):
        bank.judge_many([0, slot], [0, 0], [1.0, 1.0])
    assert bank.dump_blocks() == before


def test_columns_of_different_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        bank_of([Kind.VALUES]).judge_many([0, 0], [0], [1.0])


def test_state_of_another_version_or_with_a_missing_or_cut_block_is_refused_and_the_present_one_kept() -> (
    None
):
    bank = bank_of([Kind.VALUES] * 300)
    bank.judge(0, 0, 1.0)
    good = bank.dump_blocks()
    version = msgspec.msgpack.encode([99, *msgspec.msgpack.decode(good["bank"])[1:]])
    for bad in (
        {**good, "bank": version},
        {name: block for name, block in good.items() if name != "light-000001"},
        {**good, "light-000000": good["light-000000"][:-1]},
        {**good, "deep-000000": good["deep-000000"][:-1]},
        {**good, "young-000000": good["young-000000"][:-1]},
        {**good, "bank": b"\xc1"},
        {},
    ):
        with pytest.raises(ValueError, match="detector"):
            bank.load_blocks(bad)
        assert bank.dump_blocks() == good


@pytest.mark.parametrize("budget", [0.0, -1.0, math.nan, math.inf])
def test_a_budget_that_is_no_rate_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        NumericBank().add(false_alarms_per_day=budget)
