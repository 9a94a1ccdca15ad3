"""The noise of runs: how far a run may lie out."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import Records
from detectors.run_layout import RUN_MODEL, TAILS
from detectors.run_tails import GRID, REACH_MAX, REACH_MIN, reach_for, spread_of, start_tails, tail_share

EVIDENCE = st.tuples(*[st.floats(-12.0, 0.0)] * TAILS)


def model_of(variance: float, evidence: tuple[float, ...], near: float) -> Records:
    model = np.zeros(1, RUN_MODEL)
    start_tails(model[0], variance)
    model["evidence"], model["reach"] = evidence, near
    return model


@settings(max_examples=300, deadline=None)
@given(
    variance=st.floats(1e-6, 4.0),
    evidence=EVIDENCE,
    tail=st.floats(1e-9, 0.01),
    known=st.floats(3.0, 200.0),
    near=st.sampled_from([0.0, 3.0, 7.5, 40.0, 2e4]),
)
def test_the_reach_is_the_least_of_its_grid_that_is_rare_enough_wherever_the_search_begins(
    variance: float, evidence: tuple[float, ...], tail: float, known: float, near: float
) -> None:
    model = model_of(variance, evidence, near)
    reach, unit = reach_for(model[0], tail, known), spread_of(model[0], 0)
    assert reach == reach_for(model_of(variance, evidence, 0.0)[0], tail, known)
    assert tail_share(model[0], reach * unit, 0.0, known) <= tail * (1.0 + 1e-9) or reach == REACH_MAX
    less = reach * math.exp(-GRID)
    assert tail_share(model[0], less * unit, 0.0, known) > tail * (1.0 - 1e-9) or less <= REACH_MIN


def test_a_rarer_tail_lies_farther_out() -> None:
    model = model_of(0.04, (0.0, -1.0, -2.0), 0.0)
    reaches = [reach_for(model[0], tail, 50.0) for tail in (1e-2, 1e-3, 1e-4, 1e-6)]
    assert reaches == sorted(set(reaches))
