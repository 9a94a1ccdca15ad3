import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality import calibration
from bench.quality.calibration import Alarms, alarms, cell, episodes, verdict
from bench.quality.intervals import poisson, share
from bench.quality.stationary import CADENCES, TAILS, noise, values
from detectors.episodes import Episode, Transition

FIVE_MINUTES = CADENCES[1]


@pytest.mark.parametrize("tail", TAILS)
def test_noise_has_no_mean_and_a_deviation_of_one(tail: str):
    drawn = noise(tail, (400_000,), np.random.default_rng(1))
    assert abs(drawn.mean()) < 0.02
    assert drawn.std() == pytest.approx(1, abs=0.15 if tail == "t3" else 0.02)


def test_tails_grow_heavier_from_normal_to_t3():
    far = [
        (np.abs(noise(tail, (400_000,), np.random.default_rng(2))) > 5).mean()
        for tail in ("normal", "laplace", "t3")
    ]
    assert far == sorted(far)
    assert far[0] < far[1] < far[2]


def test_a_season_has_its_crest_at_six_and_runs_are_never_negative():
    times = np.arange(24, dtype=np.int64) * 3_600_000
    calm = np.zeros((24, 1))
    assert values(FIVE_MINUTES, times, calm, season=True)[[6, 18], 0] == pytest.approx([130, 70])
    assert (values(CADENCES[3], times, calm - 50, season=True) > 0).all()


# Garwood's table for 95 %: of 0 events (0, 3.689), of 10 (4.795, 18.390).
@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.689), (10, 4.795, 18.390)])
def test_poisson_intervals_are_garwoods(count: int, low: float, high: float):
    assert poisson(count) == pytest.approx((low, high), abs=5e-4)


def test_shares_of_none_and_of_all_have_one_sided_intervals():
    assert share(0, 10) == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    assert share(10, 10) == pytest.approx((0.025 ** (1 / 10), 1))


@pytest.mark.parametrize(
    ("low", "high", "sign"), [(1.01, 2, "▲"), (0.5, 1.2, "✓"), (0.01, 0.19, "▽"), (0.1, 0.3, "✓")]
)
def test_only_what_surely_misses_the_range_is_marked(low: float, high: float, sign: str):
    assert verdict(low, high) == sign


def test_realised_over_budgeted_counts_days():
    assert Alarms(young=5, old=6, young_days=70, old_days=300).over(30) == pytest.approx(0.6)


def naive(times_ms: np.ndarray, flags: np.ndarray) -> list[int]:
    episode = Episode()
    return [
        int(time)
        for time, flag in zip(times_ms, flags, strict=True)
        if episode.advance(int(time), bool(flag), 5.0) is Transition.OPENED
    ]


@given(
    flags=st.lists(st.integers(0, 3).map(lambda it: it == 0), min_size=1, max_size=200),
    interval_min=st.sampled_from([1, 5, 20, 60, 1440]),
    cut=st.integers(0, 200),
)
def test_episodes_open_where_sample_by_sample_judging_opens_them(
    flags: list[bool], interval_min: int, cut: int
):
    what = np.array(flags)
    times = np.arange(len(flags), dtype=np.int64) * interval_min * 60_000
    scores = np.full(len(flags), 5.0)
    episode = Episode()
    found = [
        opened.time_ms
        for part in (slice(0, cut), slice(cut, None))
        for opened in calibration._advance(0, episode, times[part], what[part], scores[part])
    ]
    assert found == naive(times, what)


def test_a_cell_has_the_series_that_its_budget_needs():
    it = cell(FIVE_MINUTES, "t3", "flat", "year", budgeted=60, seed=1)
    assert it.series * (it.days - calibration.YOUNG_DAYS) / 365 == pytest.approx(60, rel=0.01)


def test_the_same_seed_gives_the_same_alarms_and_heavier_tails_give_no_fewer():
    small = cell(FIVE_MINUTES, "t3", "flat", "week", budgeted=1, seed=3)._replace(series=3, days=28)
    found = sorted(episodes(small))
    assert found == sorted(episodes(small))
    assert sum(alarms(small)[:2]) == len(found)
    other = sorted(episodes(small._replace(seed=4)))
    assert found != other
    assert all(math.isfinite(opened.time_ms) for opened in found)
