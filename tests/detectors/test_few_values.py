"""Few values and small counts: judged from the sixth on, by a tail that suits them."""

import numpy as np
import pytest

from detectors.core.layout import WARM_UP
from detectors.numeric import Kind, Method, NumericBank

DAY_MS = 86_400_000
MINUTE_MS = 60_000


def alarms(values: np.ndarray, every_ms: int = DAY_MS) -> np.ndarray:
    """Whether each value of each series (rows) is anomalous."""
    bank = NumericBank()
    slots = [bank.add(Kind.VALUES) for _ in range(len(values))]
    said = [
        bank.judge_many(slots, np.full(len(values), i * every_ms), values[:, i])["anomalous"]
        for i in range(values.shape[1])
    ]
    return np.array(said).T


def noisy(series: int, days: int, seed: int, spread: float = 0.2) -> np.ndarray:
    return 1000 * (1 + spread * np.random.default_rng(seed).standard_normal((series, days)))


def test_a_drop_by_four_fifths_after_fourteen_noisy_days_is_found_and_ordinary_days_seldom_alarm() -> None:
    days = noisy(600, 30, 1)
    assert alarms(days)[:, 5:].mean() <= 0.003
    proportional, additive = days[:, :15].copy(), days[:, :15].copy()
    proportional[:, 14] *= 0.2
    additive[:, 14] -= 800
    assert alarms(proportional)[:, 14].mean() >= 0.8
    assert alarms(additive)[:, 14].mean() >= 0.6


def test_the_second_and_third_day_of_an_outage_alarm_like_the_first() -> None:
    days = noisy(200, 17, 2)
    days[:, 14:] = 0
    assert (alarms(days)[:, 14:].mean(axis=0) >= 0.95).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.poisson(0.1, shape),
        lambda rng, shape: rng.poisson(1, shape),
        lambda rng, shape: rng.poisson(8, shape),
        lambda rng, shape: 100 + 5 * rng.standard_normal(shape),
        lambda rng, shape: rng.integers(40, 45, shape),
        lambda rng, shape: np.full(shape, rng.integers(7, 8)),
    ],
)
def test_ordinary_values_of_many_shapes_seldom_alarm(draw: object) -> None:
    values = draw(np.random.default_rng(3), (100, 60)).astype(float)  # type: ignore[operator]
    assert alarms(values)[:, 5:].mean() <= 0.004


def test_values_around_zero_have_no_level_to_be_compared_with_and_seldom_alarm() -> None:
    values = np.random.default_rng(4).standard_normal((100, 60))
    assert alarms(values)[:, 20:].mean() <= 0.005
    values[:, 40] = 12
    assert alarms(values)[:, 40].mean() > 0.95


def test_a_change_of_a_flat_series_alarms() -> None:
    values = np.full((3, 12), 7.5)
    values[:, 11] = [15.0, 0.0, 7.6]
    assert alarms(values)[:, 11].tolist() == [True, True, False]


def test_small_counts_keep_a_count_model_and_ten_where_there_is_mostly_none_alarm() -> None:
    rng = np.random.default_rng(5)
    bank = NumericBank()
    slot = bank.add()
    counts = rng.poisson(0.2, 3000).astype(float)
    said = bank.judge_many(np.full(3000, slot), np.arange(3000) * MINUTE_MS, counts)
    assert said["anomalous"].sum() <= 3
    assert (said["method"][5:] == Method.SMALL_COUNT).all()
    alarm = bank.judge(slot, 3000 * MINUTE_MS, 10.0)
    assert alarm.anomalous
    assert alarm.p_value < 1e-6
    assert alarm.lower == 0
    assert alarm.upper == int(alarm.upper) < 10


def test_zero_inflated_counts_seldom_alarm() -> None:
    rng = np.random.default_rng(6)
    values = (rng.poisson(3, (60, 400)) * (rng.random((60, 400)) < 0.2)).astype(float)
    assert alarms(values, MINUTE_MS)[:, 20:].mean() <= 0.002


@pytest.mark.parametrize("days", [12, 40, 90])
def test_the_first_nulls_of_a_column_that_never_had_any_alarm(days: int) -> None:
    """A share of 0.6 is no count of 0 or 1."""
    values = np.zeros((1, days + 1))
    values[0, days] = 0.6
    assert alarms(values)[0].tolist() == [False] * days + [True]


def test_counts_that_turn_out_to_be_numbers_go_on_as_such() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.poisson(2, 50), 2 + rng.random(100)]).astype(float)
    bank = NumericBank()
    said = bank.judge_many(np.full(150, bank.add()), np.arange(150) * MINUTE_MS, values)
    assert said["method"][20] == Method.SMALL_COUNT
    assert said["method"][60] == Method.SMALL_SAMPLE_T
    assert said["method"][149] == Method.HUBER_ROUTINE


@pytest.mark.parametrize("seed", range(3))
def test_the_limits_say_what_the_next_value_may_be(seed: int) -> None:
    bank = NumericBank()
    slot = bank.add()
    for day, value in enumerate(noisy(1, 20, seed)[0]):
        bank.judge(slot, day * DAY_MS, float(value))
    state = bank.dump_blocks()
    expected, lower, upper = bank.limits(slot, 20 * DAY_MS)
    assert lower < expected < upper
    for value, anomalous in ((lower * 0.999, True), (lower * 1.001, False), (upper * 1.001, True)):
        other = NumericBank()
        other.load_blocks(state)
        assert other.judge(slot, 20 * DAY_MS, value).anomalous == anomalous


def test_the_core_takes_over_after_its_hundred_samples() -> None:
    bank = NumericBank()
    values = noisy(1, 200, 8)[0]
    said = bank.judge_many(np.full(200, bank.add()), np.arange(200) * MINUTE_MS, values)
    assert (said["method"][:WARM_UP] == Method.SMALL_SAMPLE_T).all()
    assert (said["method"][WARM_UP:] == Method.HUBER_ROUTINE).all()


def test_with_the_spread_of_like_series_known_nearly_every_such_drop_is_found() -> None:
    days = noisy(300, 15, 9)
    days[:, 14] *= 0.2
    bank = NumericBank()
    slots = [bank.add() for _ in days]
    for name, value in (("prior_weight", 100.0), ("prior_spread", 0.2)):
        bank.arrays.light[name][slots] = value
    said = [bank.judge_many(slots, np.full(300, i * DAY_MS), days[:, i])["anomalous"] for i in range(15)]
    assert said[14].mean() >= 0.97
    assert np.mean(said[5:14]) <= 0.006


def test_heavy_tails_by_the_minute_do_not_alarm_before_the_core_knows_them() -> None:
    values = 100 + 5 * np.random.default_rng(10).standard_t(3, (200, WARM_UP))
    assert alarms(values, MINUTE_MS).sum() <= 20
    values[:, 60] = 500
    assert alarms(values, MINUTE_MS)[:, 60].mean() > 0.9


def heavy(noise: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100 + 5 * (rng.standard_t(3, shape) if noise == "t3" else rng.laplace(size=shape))


@pytest.mark.parametrize(("noise", "most"), [("t3", 0.35), ("laplace", 0.5)])
def test_heavy_tails_by_the_hour_alarm_in_few_series_before_the_core_knows_them(
    noise: str, most: float
) -> None:
    values = heavy(noise, (200, 95), 11)
    assert alarms(values, 60 * MINUTE_MS).sum() <= most * 200


def test_the_first_values_tell_heavy_tails_from_normal_ones() -> None:
    shape = (150, 95)
    values = np.concatenate([heavy("t3", shape, 12), 100 + 5 * np.random.default_rng(13).normal(size=shape)])
    bank = NumericBank()
    slots = np.array([bank.add() for _ in values])
    for i in range(95):
        bank.judge_many(slots, np.full(300, i * DAY_MS), values[:, i])
    evidence = bank.arrays.light["heavy"][slots]
    assert np.mean(evidence[:150] > 0) > 0.5
    assert np.mean(evidence[150:] < 0) > 0.9


@pytest.mark.parametrize("noise", ["normal", "t3"])
def test_an_hourly_series_seldom_alarms_in_its_first_two_weeks_and_a_great_spike_is_found(noise: str) -> None:
    rng = np.random.default_rng(15)
    shape = (60, 14 * 24)
    values = 20 + (rng.standard_t(3, shape) if noise == "t3" else rng.normal(size=shape))
    assert alarms(values, 60 * MINUTE_MS)[:, 100:].sum() <= (10 if noise == "normal" else 100)
    values[:, 300] += 60
    assert alarms(values, 60 * MINUTE_MS)[:, 300].mean() > 0.9


def test_an_incident_of_two_values_is_no_proof_of_heavy_tails() -> None:
    days = noisy(200, 40, 14)
    days[:, [18, 19, 30]] = 0
    assert alarms(days)[:, 30].mean() > 0.8


def test_series_of_one_name_learn_their_spread_from_one_another() -> None:
    known = noisy(6, 49, 11, spread=0.05)
    bank = NumericBank()
    slots = [bank.add(pool=7) for _ in known]
    for i in range(known.shape[1]):
        bank.judge_many(slots, np.full(len(slots), i * DAY_MS), known[:, i])
    like, other = bank.add(pool=7), bank.add(pool=8)
    for i, value in enumerate(noisy(1, 6, 12, spread=0.05)[0]):
        bank.judge(like, i * DAY_MS, float(value))
        bank.judge(other, i * DAY_MS, float(value))
    assert bank.judge(like, 6 * DAY_MS, 600.0).anomalous
    assert not bank.judge(other, 6 * DAY_MS, 600.0).anomalous
    assert bank.arrays.light[like]["prior_spread"] == pytest.approx(0.05, rel=0.25)
    for slot in [*slots, like, other]:
        bank.release(slot)
    assert not bank.arrays.pools["members"].any()
    assert not bank.arrays.pools["squares"].any()
