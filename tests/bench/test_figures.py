import pytest

from bench.figures import Summary, percentile, ratio, summary


def test_a_summary_is_the_median_and_the_spread():
    assert summary([3.0, 1.0, 2.0]) == Summary(2.0, 1.0, 3.0)


def test_nothing_has_no_summary():
    assert summary([]) is None
    assert ratio([], [1.0]) is None


def test_a_ratio_is_taken_round_by_round():
    # The machine was half as fast in the second round, for both.
    assert ratio([300.0, 150.0, 350.0], [100.0, 50.0, 100.0]) == Summary(3.0, 3.0, 3.5)


def test_a_round_that_one_side_lacks_does_not_count():
    assert ratio([10.0, 20.0, 1.0], [5.0, 10.0]) == Summary(2.0, 2.0, 2.0)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float):
    assert percentile(range(100, 0, -1), share) == value
