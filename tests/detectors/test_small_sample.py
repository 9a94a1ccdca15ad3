"""Few runs: judged early, by the right tail, and not taught by one incident."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.numeric import Direction, Judgement, Kind, Method, NumericBank

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def follow(durations: list[float], every_ms: int = DAY_MS, **settings: object) -> list[Judgement]:
    bank = NumericBank()
    slot = bank.add(Kind.RUNS, **settings)  # type: ignore[arg-type]
    return [bank.judge(slot, run * every_ms, duration) for run, duration in enumerate(durations)]


def lognormal(runs: int, spread: float, seed: int) -> list[float]:
    return [float(x) for x in 300_000 * np.exp(np.random.default_rng(seed).normal(0, spread, runs))]


def test_the_first_five_runs_are_not_judged_and_the_sixth_is() -> None:
    said = follow([300_000.0] * 5 + [3_000_000.0])
    assert [j.score for j in said[:5]] == [0.0] * 5
    assert all(math.isnan(j.p_value) for j in said[:5])
    assert said[5].anomalous
    assert said[5].p_value < 0.001
    assert said[5].method == Method.SMALL_SAMPLE_T
    assert said[5].warming


def test_five_equal_runs_do_not_make_a_few_percent_more_an_alarm() -> None:
    assert not follow([300_000.0] * 5 + [315_000.0])[-1].anomalous


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_an_alarm_lies_outside_the_limits_and_the_score_reaches_the_threshold(factor: float) -> None:
    last = follow([*lognormal(20, 0.1, 1), 300_000 * factor])[-1]
    assert last.anomalous
    assert last.score >= 4.4
    assert not last.lower <= 300_000 * factor <= last.upper
    assert last.lower < last.expected < last.upper
    assert last.expected == pytest.approx(300_000, rel=0.1)


def test_the_limits_are_where_the_p_value_meets_alpha() -> None:
    bank = NumericBank()
    slot = bank.add(Kind.RUNS)
    for run, duration in enumerate(lognormal(30, 0.2, 2)):
        bank.judge(slot, run * DAY_MS, duration)
    state = bank.dump_blocks()
    _, lower, upper = bank.limits(slot, 30 * DAY_MS)
    for edge, inside in ((lower, 1 + 1e-7), (upper, 1 - 1e-7)):
        at, within = NumericBank(), NumericBank()
        at.load_blocks(state)
        within.load_blocks(state)
        assert at.judge(slot, 30 * DAY_MS, edge).p_value == pytest.approx(0.0027, rel=1e-6)
        assert not within.judge(slot, 30 * DAY_MS, edge * inside).anomalous


def test_a_run_that_is_only_too_fast_is_no_incident_when_only_up_counts() -> None:
    fast = follow([*lognormal(20, 0.1, 3), 1_000.0], direction=Direction.UP)[-1]
    slow = follow([*lognormal(20, 0.1, 3), 3_000_000.0], direction=Direction.UP)[-1]
    assert not fast.anomalous
    assert fast.p_value > 0.99
    assert slow.anomalous


def test_ordinary_daily_runs_seldom_alarm() -> None:
    alarms = sum(j.anomalous for seed in range(60) for j in follow(lognormal(100, 0.3, seed)))
    assert alarms <= 60 * 100 * 0.0027


@pytest.mark.parametrize("bad", range(5))
def test_an_incident_among_the_first_runs_does_not_set_the_baseline(bad: int) -> None:
    runs = [300_000.0] * 12
    runs[bad] *= 20
    last = follow(runs)[-1]
    assert last.expected == pytest.approx(300_000, rel=0.2)


@settings(deadline=None)  # the first example may compile
@given(burst=st.integers(1, 3), factor=st.sampled_from([0.001, 0.1, 10.0, 1000.0]), seed=st.integers(0, 20))
def test_a_few_incidents_in_a_row_hardly_move_what_is_expected(burst: int, factor: float, seed: int) -> None:
    ordinary = lognormal(40, 0.05, seed)
    said = follow([*ordinary, *([300_000 * factor] * burst), 300_000.0])
    assert all(j.anomalous for j in said[40 : 40 + burst])
    assert said[-1].expected == pytest.approx(300_000, rel=0.15)
    assert not said[-1].anomalous


def test_a_lasting_new_level_is_accepted_in_the_end() -> None:
    said = follow([*lognormal(30, 0.1, 4), *(2 * np.array(lognormal(60, 0.1, 5)))])
    assert said[30].anomalous
    assert not any(j.anomalous for j in said[60:])
    assert said[-1].expected == pytest.approx(600_000, rel=0.2)


def test_the_core_takes_over_and_neither_forgets_the_level_nor_alarms_at_the_change() -> None:
    said = follow(lognormal(400, 0.1, 6), every_ms=HOUR_MS)
    methods = [j.method for j in said]
    change = methods.index(Method.HUBER_ROUTINE)
    assert methods[:change] == [Method.SMALL_SAMPLE_T] * change
    assert set(methods[change:]) == {Method.HUBER_ROUTINE}
    assert 100 <= change <= 200
    assert not any(j.anomalous for j in said[change - 5 : change + 5])
    assert said[change].expected == pytest.approx(said[change - 1].expected, rel=0.1)


def test_with_the_core_a_run_without_rows_is_anomalous_and_limits_stay_positive() -> None:
    last = follow([*lognormal(400, 0.2, 7), 0.0], every_ms=HOUR_MS)[-1]
    assert last.method == Method.HUBER_ROUTINE
    assert last.anomalous
    assert 0 < last.lower < last.expected


@pytest.mark.parametrize("every_ms", [HOUR_MS, DAY_MS])
def test_with_the_core_the_budget_of_one_alarm_in_thirty_days_is_kept_on_ordinary_runs(every_ms: int) -> None:
    alarms = days = 0.0
    for seed in range(20):
        said = follow(lognormal(1000, 0.2, seed), every_ms=every_ms)
        alarms += sum(j.anomalous for j in said if j.method == Method.HUBER_ROUTINE)
        days += sum(j.method == Method.HUBER_ROUTINE for j in said) * every_ms / DAY_MS
    assert alarms / days <= 1 / 30
