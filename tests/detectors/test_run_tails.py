"""The noise of runs: how far a run may lie out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import Records
from detectors.numeric import Kind, NumericBank
from detectors.numeric_layout import POINT
from detectors.run_layout import RUN_MODEL, TAILS
from detectors.run_tails import (
    GRID,
    REACH_MAX,
    REACH_MIN,
    learn_tails,
    reach_for,
    side_of,
    spread_of,
    start_tails,
    tail_share,
    wider_side_of,
)

EVIDENCE = st.tuples(*[st.floats(-12.0, 0.0)] * TAILS)


def model_of(variance: float, evidence: tuple[float, ...], near: float) -> Records:
    model = np.zeros(1, RUN_MODEL)
    start_tails(model[0], variance, 0.0)
    model["evidence"], model["reach"] = evidence, near
    return model


@settings(max_examples=300, deadline=None)
@given(
    variance=st.floats(1e-6, 4.0),
    evidence=EVIDENCE,
    tail=st.floats(1e-9, 0.01),
    known=st.floats(3.0, 200.0),
    near=st.sampled_from([0.0, 3.0, 7.5, 10.0, 40.0, 2e4]),
    most=st.sampled_from([10.0, REACH_MAX]),
)
def test_the_reach_is_the_least_of_its_grid_that_is_rare_enough_wherever_the_search_begins(
    variance: float, evidence: tuple[float, ...], tail: float, known: float, near: float, most: float
) -> None:
    model = model_of(variance, evidence, near)
    reach, unit = reach_for(model[0], tail, known, most), spread_of(model[0], 0)
    assert reach == min(reach_for(model_of(variance, evidence, 5.0)[0], tail, known, REACH_MAX), most)
    assert tail_share(model[0], reach * unit, 0.0, known) <= tail * (1.0 + 1e-9) or reach == most
    less = reach * math.exp(-GRID)
    assert tail_share(model[0], less * unit, 0.0, known) > tail * (1.0 - 1e-9) or less <= REACH_MIN


def test_a_rarer_tail_lies_farther_out() -> None:
    model = model_of(0.04, (0.0, -1.0, -2.0), 0.0)
    reaches = [reach_for(model[0], tail, 50.0, REACH_MAX) for tail in (1e-2, 1e-3, 1e-4, 1e-6)]
    assert reaches == sorted(set(reaches))


def learned(noise: np.ndarray) -> Records:
    model = model_of(0.04, (0.0, 0.0, 0.0), 0.0)
    for run, residual in enumerate(noise.tolist()):
        learn_tails(model[0], residual, max(1.0 / (run + 5.0), 1.0 / 240.0))
    return model


@pytest.mark.parametrize("scale", [0.05, 0.3])
def test_the_tail_is_wider_on_the_side_to_which_noise_leans(scale: float) -> None:
    lognormal = np.random.default_rng(1).lognormal(sigma=0.5, size=600)
    noise = scale * (lognormal - lognormal.mean())
    up, down = learned(noise)[0], learned(-noise)[0]
    assert side_of(up, 1.0) > 1.05
    assert side_of(up, -1.0) < 0.95
    assert side_of(up, 1.0) == side_of(down, -1.0) == wider_side_of(up)
    assert side_of(up, -1.0) == side_of(down, 1.0)


@pytest.mark.parametrize("freedom", [3.0, 1e6])
def test_both_sides_of_even_noise_are_about_as_wide(freedom: float) -> None:
    model = learned(0.2 * np.random.default_rng(1).standard_t(freedom, 600))
    assert 0.8 < side_of(model[0], -1.0) / side_of(model[0], 1.0) < 1.25


def test_strange_runs_that_come_together_say_nothing_of_sides() -> None:
    model = learned(0.2 * np.random.default_rng(1).standard_normal(300))
    learn_tails(model[0], 2.0, 1.0 / 240.0)
    once = side_of(model[0], 1.0)
    for _ in range(10):
        learn_tails(model[0], 2.0, 1.0 / 240.0)
    assert side_of(model[0], 1.0) == once


def test_single_runs_of_noise_that_leans_to_one_side_keep_within_the_budget() -> None:
    series, hours, days_budgeted = 10, 182 * 24, 7
    lognormal = np.random.default_rng(1).lognormal(sigma=0.5, size=(hours, series))
    runs = 300_000 * np.exp(0.25 * lognormal)
    bank = NumericBank()
    slots = np.array([bank.add(Kind.RUNS, false_alarms_per_day=1 / days_budgeted) for _ in range(series)])
    times = np.arange(hours) * 3_600_000
    said = bank.judge_many(np.tile(slots, hours), np.repeat(times, series), runs.ravel())
    points = (said["anomalous"] & (abs(said["change"]) == POINT)).sum()
    assert points <= series * hours / 24 / days_budgeted
