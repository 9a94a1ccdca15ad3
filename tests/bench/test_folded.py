"""How fast a worker is, from readings of what it has folded in."""

import pytest

from bench.course import Unable
from bench.folded import Lap, Seen, early_rate, lap

POINTS = [
    Seen(0.0, 15, 10, 1.0),
    Seen(1.0, 30, 20, 2.0),
    Seen(2.0, 50, 30, 3.0),
    Seen(4.0, 100, 70, 5.0),
    Seen(5.0, 100, 100, 6.5),
]


def test_the_lap_counts_what_was_not_even_ingested_at_the_end_of_the_warm_up():
    assert lap(POINTS, 25) == Lap(50, 3.0, 70_000.0)
    assert lap(POINTS, 25).rate == pytest.approx(50 / 3)


@pytest.mark.parametrize("points", [POINTS[-1:], [Seen(0.0, 100, 30, 1.0), *POINTS[-1:]]])
def test_what_is_ingested_at_once_has_no_rate(points: list[Seen]) -> None:
    with pytest.raises(Unable, match="too few events"):
        lap(points, 25)


def test_the_early_rate_is_that_of_the_warm_up():
    assert early_rate(POINTS, 30) == 10
    assert early_rate(POINTS, 10) is None


def test_what_is_ingested_but_not_folded_is_not_early():
    assert early_rate([Seen(-9.0, 5, 0, 0.0), *POINTS], 30) == 10
