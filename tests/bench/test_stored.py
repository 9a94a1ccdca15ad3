import pytest

from bench.course import Unable
from bench.stored import Seen, early_rate, lap, settled


def test_shards_stored_one_after_the_other_are_one_point():
    points = [Seen(1.0, 10), Seen(1.1, 20), Seen(1.2, 30), Seen(2.2, 60), Seen(2.3, 70)]
    assert settled(points) == [Seen(1.2, 30), Seen(2.3, 70)]


def test_points_that_never_pause_are_not_all_one():
    points = [Seen(number / 10, number + 1) for number in range(40)]
    assert len(settled(points)) > 4


def test_the_rate_is_taken_from_the_warm_up_to_the_last_full_interval():
    points = [Seen(0.0, 5), Seen(1.0, 20), Seen(2.0, 50), Seen(3.0, 80), Seen(4.0, 100)]
    assert lap(points, 20, 100) == (60, 2.0)


def test_with_few_points_the_end_counts():
    assert lap([Seen(0.0, 30), Seen(2.0, 100)], 20, 100) == (70, 2.0)


def test_everything_stored_at_once_tells_no_rate():
    with pytest.raises(Unable):
        lap([Seen(0.0, 100)], 20, 100)


def test_the_early_rate_is_that_of_the_warm_up():
    points = [Seen(0.0, 5), Seen(1.0, 15), Seen(2.0, 25), Seen(3.0, 100)]
    assert early_rate(points, 30) == 10
    assert early_rate(points, 10) is None
