"""Tails of small counts, against scipy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detectors.counts import count_at_least, count_at_most, greatest_count, least_count

means = st.floats(0.01, 60.0)
overdispersions = st.one_of(st.just(0.0), st.floats(1e-6, 1e-3), st.floats(0.001, 1.0), st.floats(1.0, 300.0))
counts = st.integers(0, 400)


def distribution(mean: float, overdispersion: float) -> object:
    if overdispersion == 0.0:
        return stats.poisson(mean)
    size = 1 / overdispersion
    return stats.nbinom(size, size / (size + mean))


@settings(deadline=None)  # the first example compiles
@given(x=counts, mean=means, overdispersion=overdispersions)
def test_tails_are_those_of_scipy(x: int, mean: float, overdispersion: float) -> None:
    known = distribution(mean, overdispersion)
    below, above = known.cdf(x), known.sf(x - 1)  # type: ignore[attr-defined]
    assert count_at_most(float(x), mean, overdispersion) == pytest.approx(below, rel=1e-6, abs=1e-12)
    assert count_at_least(float(x), mean, overdispersion) == pytest.approx(above, rel=1e-6, abs=1e-9)


@settings(deadline=None)  # the first example compiles
@given(mean=means, overdispersion=overdispersions, tail=st.floats(1e-6, 0.3))
def test_edges_are_the_last_counts_that_are_not_rarer(
    mean: float, overdispersion: float, tail: float
) -> None:
    least = least_count(tail, mean, overdispersion)
    assert count_at_most(least, mean, overdispersion) >= tail * (1 - 1e-9)
    assert count_at_most(least - 1, mean, overdispersion) < tail
    greatest = greatest_count(tail, mean, overdispersion)
    assert count_at_least(greatest + 1, mean, overdispersion) < tail


def test_a_small_tail_is_exact() -> None:
    assert count_at_least(60.0, 9.0, 0.0) == pytest.approx(stats.poisson(9.0).sf(59), rel=1e-6)
