"""A ceiling on false alarms becomes thresholds."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.budget import ALPHA_MAX, alpha_for, coarse_alpha, coarse_place, score_of_p_value, threshold_for

WEEK_DAYS = 7


def test_the_default_budget_gives_exactly_the_default_threshold() -> None:
    assert threshold_for(1 / 30) == 4.4


@pytest.mark.parametrize(("per_week_at_one_minute", "threshold"), [(0.2, 5.2), (1.1, 3.95)])
def test_the_line_passes_near_what_was_measured(per_week_at_one_minute: float, threshold: float) -> None:
    relative_budget = per_week_at_one_minute / 0.55 / 30
    assert threshold_for(relative_budget) == pytest.approx(threshold, abs=0.1)


@given(budget=st.floats(1e-6, 1e3), factor=st.floats(1.01, 100))
def test_more_false_alarms_never_mean_a_higher_threshold(budget: float, factor: float) -> None:
    assert 3.0 <= threshold_for(budget * factor) <= threshold_for(budget)


def test_alpha_is_the_budget_over_the_samples_and_at_most_three_sigma() -> None:
    assert alpha_for(1 / 30, 300.0) == pytest.approx(1 / 8640)
    assert alpha_for(1 / 30, 86_400.0) == ALPHA_MAX


@settings(deadline=None)  # the first example compiles
@given(budget=st.floats(1e-6, 10), interval_s=st.floats(0.001, 1e7))
def test_coarse_alpha_is_at_most_a_quarter_octave_stricter(budget: float, interval_s: float) -> None:
    alpha = alpha_for(budget, interval_s)
    coarse = coarse_alpha(coarse_place(budget, interval_s * 1000))
    assert alpha * 2**-0.2501 <= coarse <= alpha * (1 + 1e-9)


def test_an_unknown_interval_has_the_greatest_alpha() -> None:
    assert coarse_alpha(coarse_place(1 / 30, 0)) == ALPHA_MAX


def test_a_p_value_at_alpha_scores_the_threshold() -> None:
    assert score_of_p_value(0.001, 0.001, 4.4) == 4.4
    assert score_of_p_value(0.0001, 0.001, 4.4) > 5
    assert score_of_p_value(1.0, 0.0001, 4.4) == 0
    assert math.isfinite(score_of_p_value(0.0, 0.001, 4.4))
