"""Runs: judged early, by the right tail, along their routines, and neither taught nor muted by one incident."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import numeric_layout as codes
from detectors.budget import FALSE_ALARMS_PER_DAY
from detectors.numeric import Direction, Judgement, Kind, Method, NumericBank

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MONDAY_MS = 1_767_571_200_000
"""2026-01-05."""


def follow(
    values: list[float], every_ms: int = DAY_MS, times: list[int] | None = None, **settings: object
) -> list[Judgement]:
    bank = NumericBank()
    slot = bank.add(Kind.RUNS, **settings)  # type: ignore[arg-type]
    if times is None:
        times = [MONDAY_MS + run * every_ms for run in range(len(values))]
    return [bank.judge(slot, time, value) for time, value in zip(times, values, strict=True)]


def lognormal(runs: int, spread: float, seed: int) -> list[float]:
    return [float(x) for x in 300_000 * np.exp(np.random.default_rng(seed).normal(0, spread, runs))]


def flags_of_daily_series(rows: np.ndarray) -> np.ndarray:
    """Which runs are anomalous; `rows` has a row for each day and a column for each series."""
    bank = NumericBank()
    slots = [bank.add(Kind.RUNS) for _ in range(rows.shape[1])]
    times = np.repeat(MONDAY_MS + np.arange(len(rows)) * DAY_MS, len(slots))
    said = bank.judge_many(np.tile(slots, len(rows)), times, rows.ravel())
    return said["anomalous"].reshape(rows.shape)


def episodes(said: list[Judgement]) -> int:
    """Alarms that follow an ordinary run."""
    return sum(now.anomalous and not before.anomalous for before, now in pairwise(said))


def test_the_first_five_runs_are_not_judged_and_the_sixth_is() -> None:
    said = follow([300_000.0] * 5 + [3_000_000.0])
    assert [j.score for j in said[:5]] == [0.0] * 5
    assert all(math.isnan(j.p_value) for j in said[:5])
    assert said[5].anomalous
    assert said[5].p_value < 0.006
    assert said[5].method == Method.RUN_ROUTINE
    assert said[5].warming
    assert not said[5].pooled


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


def test_a_run_that_is_only_too_fast_is_no_incident_when_only_up_counts() -> None:
    fast = follow([*lognormal(20, 0.1, 3), 1_000.0], direction=Direction.UP)[-1]
    slow = follow([*lognormal(20, 0.1, 3), 3_000_000.0], direction=Direction.UP)[-1]
    assert not fast.anomalous
    assert fast.p_value > 0.99
    assert slow.anomalous


@pytest.mark.parametrize("bad", range(5))
def test_an_incident_among_the_first_runs_does_not_set_the_baseline(bad: int) -> None:
    runs = [300_000.0] * 12
    runs[bad] *= 20
    assert follow(runs)[-1].expected == pytest.approx(300_000, rel=0.25)


@settings(deadline=None)  # the first example may compile
@given(burst=st.integers(1, 3), factor=st.sampled_from([0.001, 0.1, 10.0, 1000.0]), seed=st.integers(0, 20))
def test_a_few_incidents_in_a_row_hardly_move_what_is_expected(burst: int, factor: float, seed: int) -> None:
    ordinary = lognormal(40, 0.05, seed)
    said = follow([*ordinary, *([300_000 * factor] * burst), 300_000.0])
    assert all(j.anomalous for j in said[40 : 40 + burst])
    assert said[-1].expected == pytest.approx(300_000, rel=0.15)


def test_an_eighty_percent_drop_after_fourteen_days_is_found_at_a_low_rate_of_false_alarms() -> None:
    """The case that a z-score over a baseline with the judged point in it misses 95 times of 100."""
    found = false = 0
    for seed in range(200):
        said = follow([*lognormal(14, 0.2, seed), 60_000.0])
        found += said[-1].anomalous
        false += sum(j.anomalous for j in said[:-1])
    assert found >= 0.9 * 200
    assert false <= 0.003 * 200 * 9


def test_all_days_of_an_outage_alarm() -> None:
    said = follow([*lognormal(14, 0.2, 5), *([0.0] * 14)])
    assert all(j.anomalous for j in said[14:])
    assert abs(said[-1].change) != codes.ACCEPTED


NOISES = {
    "normal": lambda rng, n: rng.normal(0, 0.15, n),
    "t5": lambda rng, n: 0.12 * rng.standard_t(5, n),
    "t3": lambda rng, n: 0.1 * rng.standard_t(3, n),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("per_day", [1 / 7, 1 / 30])
def test_false_alarms_stay_within_the_budget_and_use_at_least_a_fifth_of_it(
    noise: str, per_day: float
) -> None:
    hours, allowed, alarms = 6000, 0.0, 0
    for seed in range(12):
        deviations = NOISES[noise](np.random.default_rng(seed), hours)
        said = follow(list(3e5 * np.exp(deviations)), HOUR_MS, false_alarms_per_day=per_day)
        alarms += episodes(said)
        allowed += per_day * hours / 24
    slack = 2.5 * math.sqrt(allowed)
    assert 0.2 * allowed - slack <= alarms <= allowed + slack


@pytest.mark.parametrize("noise", NOISES)
def test_daily_series_seldom_alarm(noise: str) -> None:
    alarms, days = 0, 0
    for seed in range(60):
        said = follow(list(3e5 * np.exp(NOISES[noise](np.random.default_rng(seed), 200))))
        alarms, days = alarms + episodes(said), days + 200
    assert alarms <= 0.6 * days / 30


def test_a_weekend_routine_is_learned_and_a_saturday_like_a_friday_then_alarms() -> None:
    days = 70
    weekend = np.array([(day % 7) >= 5 for day in range(days)])
    values = np.array(lognormal(days, 0.06, 2)) * np.where(weekend, 0.3, 1.0)
    said = follow([*values, *lognormal(5, 0.06, 3), 300_000.0])
    assert not any(j.anomalous for j in said[14:days])
    assert said[61].expected == pytest.approx(90_000, rel=0.2)  # a Saturday
    assert said[-1].anomalous


def test_a_third_of_the_rows_missing_is_found_after_four_weeks_of_runs_that_hardly_vary() -> None:
    """The prior, four times as wide, is forgotten by then, and has not taught that tails are heavy."""
    random, series, days = np.random.default_rng(4), 40, 28
    rows = 300_000 * np.exp(random.normal(0, 0.05, (days, series)))
    rows[-1] *= 0.67
    flags = flags_of_daily_series(rows)
    assert flags[-1].sum() >= 30
    assert flags[:-1].sum() <= 2


def test_half_the_rows_of_a_weekday_are_found_once_weekends_are_known() -> None:
    """What weekends were thought to be, noise, is forgotten when they are known to be a routine."""
    random, series, days = np.random.default_rng(3), 40, 38
    weekend = np.arange(days) % 7 >= 5
    rows = 300_000 * np.exp(random.normal(0, 0.08, (days, series)) - weekend[:, None])
    rows[-1] *= 0.5
    flags = flags_of_daily_series(rows)
    assert flags[-1].sum() >= 30
    assert flags[14:-1].sum() <= 4


def test_a_month_end_alarms_the_first_time_and_later_only_when_it_is_missing_or_larger() -> None:
    times = [MONDAY_MS + day * DAY_MS for day in range(400)]
    dates = np.array(times, "datetime64[ms]").astype("datetime64[D]")
    last = (dates + 1).astype("datetime64[M]") != dates.astype("datetime64[M]")
    values = np.array(lognormal(400, 0.06, 4)) * np.where(last, 3.0, 1.0)
    said = follow(list(values), times=times)
    ends = np.flatnonzero(last)
    alarmed = [int(day) for day in ends if said[day].anomalous]
    assert alarmed[0] == ends[0]
    assert len(alarmed) <= 3  # one more class: a month that ends at a weekend
    assert not any(said[day].anomalous for day in ends[-6:])


def test_a_nightly_peak_alarms_in_the_first_night_only() -> None:
    hours = np.arange(24 * 30)
    values = np.array(lognormal(len(hours), 0.08, 6)) * np.where(hours % 24 == 3, 4.0, 1.0)
    said = follow(list(values), HOUR_MS)
    assert not any(j.anomalous for j in said[51::24])
    assert sum(j.anomalous for j in said[48:]) <= 1, "the budget of 30 days"
    wrong = follow([*values, *([300_000.0] * 10), 1_200_000.0], HOUR_MS)
    assert wrong[-1].anomalous


def test_a_slow_drift_is_found_and_called_lasting_as_a_rule() -> None:
    called = 0
    for seed in range(10):
        ordinary = lognormal(90, 0.1, seed)
        drift = [x * 1.03**day for day, x in enumerate(lognormal(18, 0.1, 100 + seed))]
        said = follow([*ordinary, *drift], direction=Direction.UP)
        lasting = [abs(j.change) for j in said[90:]]
        assert any(j.anomalous for j in said[90:])
        called += bool({codes.SHIFT, codes.DRIFT} & set(lasting))
    assert called >= 9


def test_a_drift_is_seldom_taken_for_a_new_level_while_it_goes_on() -> None:
    runs, accepted = 24 * 51, 0
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(0, 0.1, runs)
        drift = math.log(1.024) * np.maximum(np.arange(runs) / 24 - 30, 0)
        said = follow([float(x) for x in 300_000 * np.exp(drift + noise)], HOUR_MS)
        accepted += any(abs(it.change) == codes.ACCEPTED for it in said)
        assert episodes(said[24 * 30 :]) <= 2
    assert accepted <= 3


def test_a_rhythm_whose_hours_have_moved_soon_tells_no_more_shifts() -> None:
    hours = np.arange(96 * 64) / 4
    moved = np.where(hours >= 24 * 40, 1, 0)
    noise = np.random.default_rng(0).normal(0, 0.15, len(hours))
    values = 3e6 * np.exp(0.8 * np.sin(2 * np.pi * (hours - moved) / 24) + noise)
    said = follow([float(x) for x in values], HOUR_MS // 4)
    assert 1 <= episodes(said[96 * 40 : 96 * 44]) <= 6
    assert episodes(said[96 * 44 :]) == 0


def test_a_drift_is_not_taken_for_the_hour_that_a_daily_run_has_since_clocks_changed() -> None:
    days = np.arange(45)
    times = [MONDAY_MS + int(day) * DAY_MS + (2 + int(day >= 33)) * HOUR_MS for day in days]
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(0, 0.12, len(days))
        durations = 300_000 * np.exp(noise + 0.025 * np.maximum(days - 27, 0))
        said = follow(durations.tolist(), times=times, direction=Direction.UP)
        assert {j.change for j in said[27:]} & {codes.SHIFT, codes.DRIFT}


def test_a_drift_that_began_before_weekends_were_believed_is_found() -> None:
    days = np.arange(44)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.1, len(days))
        rows = 300_000 * np.exp(noise - 0.03 * np.maximum(days - 14, 0) - 0.6 * (days % 7 >= 5))
        said = follow(rows.tolist())
        assert {j.change for j in said[14:]} & {-codes.SHIFT, -codes.DRIFT}


def test_growth_that_was_always_there_keeps_the_budget() -> None:
    growing = [
        [x * 1.02 ** (day / 7) for day, x in enumerate(lognormal(300, 0.1, seed))] for seed in range(10)
    ]
    assert sum(episodes(follow(values)) for values in growing) <= 0.5 * FALSE_ALARMS_PER_DAY * 10 * 300


def test_a_new_level_is_told_proposed_accepted_and_then_ordinary() -> None:
    said = follow([*lognormal(60, 0.08, 7), *(2 * np.array(lognormal(40, 0.08, 8)))])
    changes = [j.change for j in said[60:]]
    assert said[60].anomalous
    assert codes.PROPOSED in changes
    accepted = changes.index(codes.ACCEPTED)
    assert changes.index(codes.PROPOSED) < accepted
    assert 7 <= accepted <= 20
    assert not said[60 + accepted].anomalous
    assert not any(j.anomalous for j in said[61 + accepted :])
    assert said[-1].expected == pytest.approx(600_000, rel=0.1)


def test_small_counts_are_judged_as_counts() -> None:
    rng = np.random.default_rng(9)
    said = follow([*rng.poisson(9.0, 600).astype(float), 0.0], HOUR_MS, min_effect=0.2)
    assert sum(j.anomalous for j in said[:-1]) <= 3
    assert said[-1].anomalous
    assert said[-1].lower == round(said[-1].lower)


def test_zeros_among_other_values_become_ordinary_and_do_not_widen_the_rest() -> None:
    opened = 0
    for seed in range(10, 20):
        rng = np.random.default_rng(seed)
        values = np.where(rng.random(150) < 0.25, 0.0, np.array(lognormal(150, 0.1, seed + 1)))
        said = follow([*values, 300_000.0 * 2.5])
        opened += sum(j.anomalous and not before.anomalous for before, j in pairwise(said[29:150]))
        assert said[-1].anomalous
    assert opened <= 20, "half of one in 30 days"


def test_flat_series_take_a_few_percent() -> None:
    said = follow([1000.0] * 60 + [1040.0, 1000.0, 2000.0], min_effect=0.2)
    assert [j.anomalous for j in said[60:]] == [False, False, True]


@pytest.mark.parametrize("known", [6, 20, 60, 120])
def test_a_young_series_by_the_minute_alarms_on_a_drop_to_a_thirtieth(known: int) -> None:
    bank = NumericBank()
    slot = bank.add(Kind.RUNS)
    for i, rows in enumerate(np.random.default_rng(1).uniform(900, 1100, known)):
        assert not bank.judge(slot, i * 100_000, float(rows)).anomalous
    said = bank.judge(slot, known * 100_000, 30.0)
    assert said.anomalous
    assert said.p_value < 1e-4


def test_a_daily_run_is_judged_as_before_when_another_clock_moves_it_by_an_hour() -> None:
    times = [MONDAY_MS + run * DAY_MS - (run >= 30) * HOUR_MS for run in range(32)]
    values = [*lognormal(31, 0.05, 5), 300_000 * 0.45]
    said = follow(values, times=times)
    usual = math.log(said[29].upper / said[29].lower)
    assert said[31].anomalous
    assert math.log(said[31].upper / said[31].lower) < 1.2 * usual


def test_holidays_and_incidents_of_daily_runs_widen_the_spread_no_further_than_weeks_allow() -> None:
    bank = NumericBank()
    slot, values = bank.add(Kind.RUNS), np.array(lognormal(60, 0.1, 4))
    values *= np.where(np.arange(60) % 7 >= 5, 0.4, 1.0)
    values[[21, 24, 30, 31, 32, 45, 46]] *= 0.35
    wide = 0
    for run, value in enumerate(values.tolist()):
        bank.judge(slot, MONDAY_MS + run * DAY_MS, value)
        m = bank.arrays.models[int(bank.arrays.light[slot]["deep"])]
        if run > 21:
            assert m["variance"][0] <= (1.7 + 6.0 / m["week_freedom"]) * m["week_noise"] * 1.000001
            wide += m["variance"][0] > 1.5 * m["week_noise"]
    assert wide > 10, "it is this that bounds it"
