"""Student's t in kernels agrees with scipy's."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import beta
from scipy.stats import t as student_t

from detectors.student_t import front_of, upper_quantile, upper_tail


@settings(deadline=None)  # the first example compiles
@given(t=st.floats(-1e4, 1e4), df=st.floats(1, 200))
@example(t=6.912678171229528e-09, df=1.0)  # where scipy rounds t away: its tail is exactly 0.5
def test_the_upper_tail_is_that_of_students_t(t: float, df: float) -> None:
    assert upper_tail(t, df) == pytest.approx(float(student_t.sf(t, df)), rel=2e-8, abs=1e-300)


@settings(deadline=None)  # the first example compiles
@given(tail=st.floats(1e-9, 0.5), df=st.floats(1, 200))
def test_the_quantile_has_that_tail(tail: float, df: float) -> None:
    assert float(student_t.sf(upper_quantile(tail, df), df)) == pytest.approx(tail, rel=1e-8)


def test_far_out_the_tail_is_small_and_positive() -> None:
    assert 0 < upper_tail(1e30, 8.0) < 1e-100


@settings(deadline=None)  # the first example compiles
@given(df=st.floats(0.1, 400.0))
@example(df=16.0)  # from where on the series is taken as it is
def test_the_front_is_one_over_the_beta_function(df: float) -> None:
    assert front_of(df) == pytest.approx(1.0 / beta(0.5 * df, 0.5), rel=1e-11)
