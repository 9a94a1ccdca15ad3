import pytest

from bench.course import Unable
from bench.handled import Pace, Place, pace


def test_the_pace_leaves_out_the_warm_up_and_waits_for_what_ingest_left_behind():
    places = [
        Place(0, 0, 600, 1.0),
        Place(1, 100, 500, 2.0),
        Place(2, 600, 40, 3.0),
        Place(3, 600, 4, 4.0),
        Place(9, 600, 8, 5.0),
    ]
    assert pace(places, 100, 600) == Pace(250, 4000)


def test_one_reading_tells_no_pace():
    with pytest.raises(Unable):
        pace([Place(0, 0, 600, 1.0), Place(1, 600, 0, 2.0)], 100, 600)
