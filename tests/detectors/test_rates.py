"""The rate head: when failures are more than they used to be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from detectors.rates import RECENT_MAX, Rate, beta_binomial_tail

ALPHA = 0.001


@given(count=st.integers(1, 32), extra=st.integers(0, 20), a=st.floats(0.5, 50), b=st.floats(1, 500))
def test_the_tail_is_that_of_the_beta_binomial_distribution(
    count: int, extra: int, a: float, b: float
) -> None:
    n = count + extra
    assert beta_binomial_tail(count, n, a, b) == pytest.approx(
        float(betabinom.sf(count - 1, n, a, b)), rel=1e-5, abs=1e-10
    )


def test_a_pipeline_that_often_fails_is_not_an_incident_each_time() -> None:
    rng = random.Random(3)
    rate = Rate()
    judgements = [rate.judge(rng.random() < 0.3, ALPHA) for _ in range(2000)]
    assert sum(judgement.anomalous for judgement in judgements) <= 6


def test_failures_in_a_row_are_anomalous_until_enough_runs_succeeded() -> None:
    rate = Rate()
    for _ in range(100):
        rate.judge(False, ALPHA)
    said = [rate.judge(True, ALPHA) for _ in range(4)]
    assert [judgement.anomalous for judgement in said] == [False, True, True, True]
    after = [rate.judge(False, ALPHA) for _ in range(RECENT_MAX)]
    assert not after[-1].anomalous


def test_an_incident_teaches_a_tenth_of_itself() -> None:
    rate = Rate()
    for outcome in [False] * 200 + [True] * 20 + [False] * RECENT_MAX:
        rate.judge(outcome, ALPHA)
    assert rate.yes < 4


def test_the_judged_outcomes_are_not_in_their_own_baseline() -> None:
    rate = Rate()
    for _ in range(RECENT_MAX):
        rate.judge(True, ALPHA)
    assert rate.yes == 0
