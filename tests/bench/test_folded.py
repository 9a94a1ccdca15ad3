"""How fast a worker is, from readings of what it has folded in."""

import pytest

from bench.course import Unable
from bench.folded import Lap, Seen, early_rate, lap

POINTS = [Seen(0.0, 10, 1.0), Seen(1.0, 20, 2.0), Seen(2.0, 30, 3.0), Seen(4.0, 70, 5.0), Seen(5.0, 100, 6.5)]


def test_the_lap_goes_from_the_end_of_the_warm_up_to_the_last_record():
    assert lap(POINTS, 25) == Lap(70, 3.0, 50_000.0)
    assert lap(POINTS, 25).rate == pytest.approx(70 / 3)


def test_what_is_read_at_once_has_no_rate():
    with pytest.raises(Unable, match="too few events"):
        lap(POINTS[-1:], 25)


def test_the_early_rate_is_that_of_the_warm_up():
    assert early_rate(POINTS, 30) == 10
    assert early_rate(POINTS, 10) is None
