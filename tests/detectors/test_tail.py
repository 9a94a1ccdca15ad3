"""The tail of a series' own peaks: false alarms near their budget whatever the noise, and not moved by incidents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.compiled import inner
from detectors.core.layout import DEEP, TAIL_BLOCKS_MIN, Records
from detectors.core.tail import learn_tail, tail_level, tail_rate
from detectors.numeric import NumericBank

MINUTE_MS = 60_000
DAY_MS = 86_400_000
NOISES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "t3": lambda rng, n: rng.standard_t(3, n),
}


def episodes(times: np.ndarray, anomalous: np.ndarray) -> int:
    """Anomalous samples more than an hour after the one before."""
    at = times[anomalous]
    return int(len(at) > 0) + int((np.diff(at) > 3_600_000).sum())


def alarms_over_budget(
    noise: str, every_ms: int, days: int, series: int, per_day: float
) -> tuple[int, float]:
    times = np.arange(0, days * DAY_MS, every_ms)
    counted = 0
    for seed in range(series):
        values = 50 + NOISES[noise](np.random.default_rng(seed), len(times))
        bank = NumericBank()
        slot = bank.add(false_alarms_per_day=per_day)
        said = bank.judge_many(np.full(len(times), slot), times, values)["anomalous"]
        said[times < 15 * DAY_MS] = False
        counted += episodes(times, said)
    return counted, series * (days - 15) * per_day


@pytest.mark.parametrize("noise", NOISES)
def test_false_alarms_on_stationary_noise_lie_between_a_fifth_of_the_budget_and_the_budget(
    noise: str,
) -> None:
    counted, allowed = alarms_over_budget(noise, 10 * MINUTE_MS, 200, 8, 1 / 7)
    assert counted <= allowed
    assert counted >= allowed / 5


def young(noise: str, series: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of two weeks, a value every five minutes, and the values of each series (columns)."""
    times = np.arange(0, 14 * DAY_MS, 5 * MINUTE_MS)
    return times, 50 + NOISES[noise](np.random.default_rng(5), (len(times), series))


def judged(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Whether each value is anomalous."""
    bank = NumericBank()
    slots = np.array([bank.add() for _ in range(values.shape[1])])
    said = bank.judge_many(np.tile(slots, len(times)), np.repeat(times, len(slots)), values.ravel())
    return said["anomalous"].reshape(values.shape)


@pytest.mark.parametrize("noise", NOISES)
def test_a_young_series_makes_about_as_many_false_alarms_as_its_budget_has_whatever_the_noise(
    noise: str,
) -> None:
    times, values = young(noise, 40)
    counted = sum(episodes(times, said) for said in judged(times, values).T)
    assert counted <= 2 * 40 * 14 / 30


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("day", [1, 3, 9])
def test_a_young_series_alarms_at_what_lasts_for_a_quarter_of_an_hour_and_at_one_value_very_far_out(
    noise: str, day: int
) -> None:
    times, values = young(noise, 20)
    at = day * 288 + 100
    lasting, single = values.copy(), values.copy()
    lasting[at : at + 4] += 40
    single[at] += 150
    assert judged(times, lasting)[at : at + 4].any(axis=0).mean() >= 0.9
    assert judged(times, single)[at].mean() >= 0.9


@pytest.mark.parametrize("noise", NOISES)
def test_rare_budgets_are_kept_by_hourly_series(noise: str) -> None:
    counted, allowed = alarms_over_budget(noise, 60 * MINUTE_MS, 800, 8, 1 / 60)
    assert counted <= allowed + 2 * np.sqrt(allowed)
    assert counted >= allowed / 5 - 2 * np.sqrt(allowed / 5)


@inner
def learn_all(deep: Records, peaks: np.ndarray) -> None:
    for peak in peaks:
        learn_tail(deep[0], peak)


@inner
def level(deep: Records, rate: float) -> float:
    return tail_level(deep[0], rate)


@inner
def rate_of(deep: Records, surprise: float) -> float:
    return tail_rate(deep[0], surprise)


def tail_of(peaks: np.ndarray) -> Records:
    deep = np.zeros(1, DEEP)
    learn_all(deep, peaks)
    return deep


@settings(deadline=None)
@given(seed=st.integers(0, 100), scale=st.floats(0.05, 1.0), log_rate=st.floats(-12.0, -2.0))
def test_rate_and_level_are_inverse(seed: int, scale: float, log_rate: float) -> None:
    s = tail_of(3 + scale * np.random.default_rng(seed).exponential(size=TAIL_BLOCKS_MIN))
    rate = float(np.exp(log_rate))
    assert rate_of(s, level(s, rate)) == pytest.approx(rate, rel=1e-3)


def test_rarer_is_farther() -> None:
    s = tail_of(3 + 0.4 * np.random.default_rng(1).exponential(size=400))
    levels = [level(s, rate) for rate in (0.1, 0.01, 0.001, 0.0001)]
    assert (np.diff(levels) > 0).all()
    assert 3 < levels[0] < levels[-1] < 10


def test_incidents_every_week_hardly_raise_what_is_rare() -> None:
    rng = np.random.default_rng(2)
    ordinary = 3 + 0.15 * rng.gumbel(size=1000)
    hit = ordinary.copy()
    hit[::84] = 8.0
    calm, moved = level(tail_of(ordinary), 1e-3), level(tail_of(hit), 1e-3)
    assert calm <= moved < calm + 0.6


def test_a_series_with_incidents_every_week_at_another_hour_alarms_at_all_of_them() -> None:
    times = np.arange(0, 120 * DAY_MS, 10 * MINUTE_MS)
    values = 50 + np.random.default_rng(3).normal(size=len(times))
    starts = np.arange(30 * 144 + 17, len(times) - 10, 7 * 144 + 29)
    for start in starts:
        values[start : start + 4] += 10
    bank = NumericBank()
    said = bank.judge_many(np.full(len(times), bank.add()), times, values)["anomalous"]
    assert all(said[start : start + 4].any() for start in starts)
