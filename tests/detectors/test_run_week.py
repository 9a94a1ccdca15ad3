"""Days of the week of a series of runs are known after two weekends, and neither an odd day nor a series without a week changes that."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.numeric import Kind, NumericBank
from detectors.run_layout import BY_WEEKDAY, RUN_MODEL, STARTS
from detectors.run_week import begin_week_anew, move_week, note_day, start_week, week_level

DAY_MS = 86_400_000
MONDAY = 20_458
"""5 January 2026, in days since 1970."""
Floats = npt.NDArray[np.float64]


def loads_of(days: int, weekend: float) -> Floats:
    return np.where(np.arange(days) % 7 >= 5, weekend, 1.0)


def said_of_daily(rows: Floats) -> np.ndarray:
    """What is said of daily runs since Monday; `rows` has a row for each day and a column for each series."""
    bank = NumericBank()
    slots = [bank.add(Kind.RUNS) for _ in range(rows.shape[1])]
    times = np.repeat((MONDAY + np.arange(len(rows))) * DAY_MS, len(slots))
    return bank.judge_many(np.tile(slots, len(rows)), times, rows.ravel()).reshape(rows.shape)


def week_of(means: Floats) -> np.recarray:
    """A series that has learned days with these means, on the log scale, since Monday."""
    model: np.recarray
    (model,) = np.zeros(1, RUN_MODEL).view(np.recarray)
    start_week(model)
    for day, mean in enumerate(means):
        note_day(model, MONDAY + day, mean)
    return model


def added(model: np.recarray) -> Floats:
    """What Monday to Sunday add."""
    return np.array(model.offset[STARTS[BY_WEEKDAY] : STARTS[BY_WEEKDAY] + 7], float)


def noise(days: int, seed: int, spread: float = 0.05) -> Floats:
    return np.random.default_rng(seed).normal(0, spread, days)


def test_after_two_weekends_each_day_of_the_week_is_expected_to_be_what_it_is() -> None:
    loads = 300_000 * loads_of(28, 1 / 3)
    said = said_of_daily(loads[:, None] * np.exp(np.random.default_rng(1).normal(0, 0.05, (28, 20))))
    off = np.abs(np.log(said["expected"][17:] / loads[17:, None]))
    assert np.median(off) < 0.03
    assert np.quantile(off, 0.95) < 0.12
    assert said["anomalous"][17:].mean() < 0.01


@pytest.mark.parametrize("day", [16, 18, 22])
def test_a_weekday_that_falls_to_the_level_of_weekends_alarms_after_two_of_them(day: int) -> None:
    rows = 300_000 * loads_of(day + 1, 1 / 3)[:, None] * np.exp(noise((day + 1) * 20, 2).reshape(-1, 20))
    rows[-1] /= 3
    assert said_of_daily(rows)["anomalous"][-1].mean() >= 0.9


@pytest.mark.parametrize("odd", [-2.0, -1.1, 1.5], ids=["outage", "holiday", "peak"])
@pytest.mark.parametrize("day", [23, 26, 30])
def test_an_odd_day_hardly_changes_what_days_of_the_week_add(odd: float, day: int) -> None:
    means = 12 + np.log(loads_of(42, 1 / 3)) + noise(42, 3)
    usual = added(week_of(means))
    means[day] += odd
    assert np.abs(added(week_of(means)) - usual).max() < 0.06


def test_what_days_add_is_what_they_add_whatever_the_level_does() -> None:
    week = np.array([0.1, 0.0, 0.0, 0.1, 0.2, -0.6, -0.8])
    days = np.arange(56)
    means = 12 + week[days % 7] + 0.01 * days + 0.4 * (days >= 38) + noise(56, 4, 0.02)
    assert added(week_of(means)) == pytest.approx(week - week.mean(), abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_a_series_without_a_week_learns_none(seed: int) -> None:
    assert np.abs(added(week_of(12 + noise(56, seed, 0.1)))).max() < 0.1


def test_days_that_are_missing_are_no_days() -> None:
    means = 12 + np.log(loads_of(42, 1 / 3))
    (model,) = np.zeros(1, RUN_MODEL).view(np.recarray)
    start_week(model)
    for day in np.flatnonzero(np.arange(42) % 9 != 4).tolist():
        note_day(model, MONDAY + day, means[day])
    assert added(model)[:5] == pytest.approx(2 / 7 * math.log(3), abs=0.02)
    assert added(model)[5:] == pytest.approx(-5 / 7 * math.log(3), abs=0.02)


def test_a_level_that_moves_takes_the_last_days_along() -> None:
    model = week_of(12 + np.log(loads_of(21, 1 / 3)))
    known, before = week_level(model)
    move_week(model, 0.5)
    assert known == 7
    assert week_level(model)[1] == pytest.approx(before + 0.5, abs=2e-3)


def test_what_days_add_holds_until_it_is_learned_anew() -> None:
    model = week_of(12 + np.log(loads_of(21, 1 / 3)))
    before = added(model)
    begin_week_anew(model)
    assert week_level(model)[0] == 0
    assert (added(model) == before).all()


@settings(deadline=None, max_examples=60)  # the first example may compile
@given(
    values=st.lists(st.floats(0, 1e12) | st.integers(0, 50).map(float), min_size=1, max_size=60),
    hours=st.sampled_from([1, 3, 7, 24, 60, 24 * 8]),
    weekend=st.sampled_from([0.0, 0.3, 1.0, 20.0]),
)
def test_any_runs_leave_a_finite_state_and_limits_around_what_is_expected(
    values: list[float], hours: int, weekend: float
) -> None:
    bank = NumericBank()
    times = np.arange(6 * len(values)) * hours * 3_600_000 + MONDAY * DAY_MS
    loads = np.tile(values, 6) * np.where(times // DAY_MS % 7 < 2, weekend, 1.0)
    said = bank.judge_many(np.full(len(times), bank.add(Kind.RUNS)), times, loads)
    for name in ("level", "variance", "offset", "visits", "day_total", "added_centre", "week_noise", "edge"):
        assert np.isfinite(bank.arrays.models[name]).all(), name
    with_limits = said[~np.isnan(said["lower"]) & ~np.isnan(said["upper"])]
    assert (with_limits["lower"] <= with_limits["expected"]).all()
    assert (with_limits["expected"] <= with_limits["upper"]).all()
