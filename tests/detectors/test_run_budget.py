"""What a series of runs makes of its budget: little while few runs are known, then a good part of it, and never more than all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import DAY_MS, Record
from detectors.numeric import Kind, NumericBank
from detectors.run_layout import RUN_MODEL
from detectors.run_model import (
    ALPHA_DAILY,
    POINTS,
    SETTLED_RUNS,
    UNSETTLED_RUNS,
    alarms_of,
    alpha_of,
    ceiling_of,
    points_of,
)

START_MS = 1_735_689_600_000
DAY_S = 86_400.0
SERIES, DAYS, SETTLED_DAYS = 24, 1000, 30

budgets = st.floats(1 / 3650, 1)
intervals = st.floats(60.0, 31 * DAY_S)
known_runs = st.floats(0, 400)


def model(runs: float, spread_runs: float | None = None) -> Record:
    record = np.zeros(1, RUN_MODEL).view(np.recarray)[0]
    record.n, record.spread_runs = int(runs), runs if spread_runs is None else spread_runs
    return record


@settings(deadline=None)  # the first example compiles
@given(budgets, intervals, known_runs)
def test_single_runs_and_lasting_changes_together_keep_within_the_ceiling(
    per_day: float, interval_s: float, runs: float
):
    m, ceiling = model(runs), ceiling_of(per_day, interval_s)
    assert 0 < points_of(m, per_day, interval_s) <= ceiling
    assert points_of(m, per_day, interval_s) <= alarms_of(m, per_day, interval_s) <= ceiling


@settings(deadline=None)  # the first example compiles
@given(budgets, intervals, known_runs, st.floats(1, 50))
def test_a_higher_budget_never_makes_alarms_rarer(
    per_day: float, interval_s: float, runs: float, times: float
):
    m = model(runs)
    assert points_of(m, per_day, interval_s) <= points_of(m, times * per_day, interval_s) * (1 + 1e-9)


@settings(deadline=None)  # the first example compiles
@given(budgets, intervals, st.floats(0, UNSETTLED_RUNS), known_runs)
def test_a_young_series_keeps_to_its_bound_whatever_the_budget(
    per_day: float, interval_s: float, few: float, many: float
):
    bound = POINTS * alpha_of(per_day, interval_s)
    assert points_of(model(few, many), per_day, interval_s) == pytest.approx(bound)
    assert points_of(model(many, few), per_day, interval_s) == pytest.approx(bound)
    assert points_of(model(few), per_day, DAY_S) <= POINTS * ALPHA_DAILY


def test_a_settled_daily_series_has_one_run_in_some_seventy_of_a_budget_of_one_in_30_days():
    assert 1 / 80 < points_of(model(SETTLED_RUNS), 1 / 30, DAY_S) < 1 / 65


def realised(per_day: float, noise: np.ndarray) -> float:
    """Alarming runs of daily series once they are settled, over those budgeted; none follow one another by chance."""
    bank = NumericBank()
    slots = [bank.add(Kind.RUNS, false_alarms_per_day=per_day) for _ in range(SERIES)]
    times = START_MS + np.arange(DAYS, dtype=np.int64) * DAY_MS
    values = 300_000 * np.exp(0.15 * noise)
    said = bank.judge_many(np.tile(slots, DAYS), np.repeat(times, SERIES), values.ravel())
    alarms = said["anomalous"].reshape(DAYS, SERIES)[SETTLED_DAYS:]
    opened = alarms[1:] & ~alarms[:-1]
    return float(opened.mean() / per_day)


@pytest.mark.parametrize("per_day", [1 / 7, 1 / 30])
def test_settled_daily_series_use_a_fifth_of_their_budget_at_least_and_all_of_it_at_most(per_day: float):
    random = np.random.default_rng(11)
    normal = realised(per_day, random.standard_normal((DAYS, SERIES)))
    heavy = realised(per_day, random.standard_t(3, (DAYS, SERIES)) / 3**0.5)
    assert 0.2 <= normal <= 0.8
    assert 0.2 <= heavy <= 0.8
