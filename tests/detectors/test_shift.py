"""Lasting changes: thresholds that hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.run_layout import RUN_MODEL
from detectors.shift import (
    OVERSHOOT,
    STEPS,
    cusum_threshold,
    excess_down,
    excess_up,
    follow_shift,
    forget_returned,
    forget_shift,
    note_returned,
    set_bars,
)


def run_length(step: float, bar: float, rng: np.random.Generator) -> int:
    s, runs = 0.0, 0
    while s < bar:
        s, runs = max(0.0, s + rng.standard_normal() - step), runs + 1
    return runs


@pytest.mark.parametrize("step", STEPS)
def test_siegmunds_threshold_alarms_as_rarely_as_it_says(step: float) -> None:
    rng, wanted = np.random.default_rng(1), 300.0
    bar = cusum_threshold(step, wanted)
    mean = np.mean([run_length(step, bar, rng) for _ in range(400)])
    assert 0.75 * wanted < mean < 1.35 * wanted


@settings(deadline=None)  # the first example compiles
@given(step=st.sampled_from(STEPS), runs=st.floats(100.0, 1e8))
def test_a_threshold_solves_siegmunds_equation(step: float, runs: float) -> None:
    twice = 2 * step * (cusum_threshold(step, runs) + OVERSHOOT)
    assert (math.expm1(twice) - twice) / (2 * step * step) == pytest.approx(runs, rel=1e-7)


def test_thresholds_grow_with_the_runs_between_false_alarms() -> None:
    bars = [cusum_threshold(0.5, runs) for runs in (10.0, 100.0, 1e3, 1e4, 1e6)]
    assert bars == sorted(bars)
    assert bars[-1] < 20


@pytest.mark.parametrize(("by", "within"), [(1.0, 25), (2.0, 9), (4.0, 4)])
def test_a_shift_is_found_within_few_runs_on_its_side_only(by: float, within: int) -> None:
    model = np.zeros(1, RUN_MODEL)
    rng, delays = np.random.default_rng(2), []
    for _ in range(50):
        forget_shift(model[0])
        set_bars(model[0], 1000.0)
        for run in range(200):
            follow_shift(model[0], rng.standard_normal() + by, 100.0)
            if excess_up(model[0]) >= 0:
                delays.append(run)
                break
    assert len(delays) == 50
    assert np.median(delays) <= within
    assert excess_down(model[0]) < 0


def test_changes_that_came_back_raise_the_thresholds_from_the_second_on_and_are_forgotten() -> None:
    (model,) = np.zeros(1, RUN_MODEL).view(np.recarray)
    bars = []
    for _ in range(4):
        set_bars(model, 1000.0)
        bars.append(float(model.bar[0]))
        note_returned(model)
    assert bars[0] == bars[1] < bars[2] < bars[3] < 3 * bars[0]
    for _ in range(24 * 90):
        forget_returned(model, 3600.0)
    set_bars(model, 1000.0)
    assert model.bar[0] == bars[0]
