"""The rate head: when failures are more than they used to be."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from detectors.rates import HARDLY_EVER, RECENT_MAX, SELDOM, Rate, beta_binomial_tail

ALPHA = 0.001


@settings(deadline=None)
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


DAILY, HOURLY = 0.0027, 1 / 30 / 24


def test_one_report_too_many_is_found_where_there_never_was_one() -> None:
    rate = Rate(HARDLY_EVER)
    said = [rate.judge(number == 40, DAILY).anomalous for number in range(60)]
    assert said.index(True) == 40
    assert not any(said[40 + RECENT_MAX - 12 :])


def test_two_late_records_in_a_row_are_found_where_there_never_was_one_and_one_is_not() -> None:
    rate = Rate(SELDOM)
    said = [rate.judge(number in (100, 300, 301), HOURLY).anomalous for number in range(400)]
    assert said.index(True) == 301


def test_a_series_that_repeats_itself_from_the_beginning_is_no_incident() -> None:
    rate = Rate(HARDLY_EVER)
    assert not any(rate.judge(number % 2 == 1, DAILY).anomalous for number in range(500))


def test_a_repeat_each_week_of_hourly_runs_is_told_rarely() -> None:
    rng = random.Random(7)
    rate = Rate(HARDLY_EVER)
    flagged, opened = False, 0
    for _ in range(24 * 7 * 52):
        anomalous = rate.judge(rng.random() < 1 / 168, HOURLY).anomalous
        opened += anomalous and not flagged
        flagged = anomalous
    assert opened <= 12
