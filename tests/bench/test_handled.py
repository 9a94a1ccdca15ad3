import pytest

from bench.course import Unable
from bench.handled import Place, rate


def test_the_rate_leaves_out_the_warm_up_and_the_end():
    places = [Place(0, 0), Place(1, 100), Place(2, 300), Place(3, 500), Place(4, 600)]
    assert rate(places, 100, 600) == 200


def test_one_reading_tells_no_rate():
    with pytest.raises(Unable):
        rate([Place(0, 0), Place(1, 300), Place(2, 600)], 100, 600)
