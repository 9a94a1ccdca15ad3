"""Places in an array of records: given back, taken again, never out of use twice."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.compiled import inner
from detectors.core.layout import Records
from detectors.free_places import give_place, take_place

PAIR = np.dtype([("one", "<i4"), ("other", "<i4"), ("third", "<f8")])
TOP, FREE = 0, 1


@inner
def _take(records: Records, counters: npt.NDArray[np.int64]) -> int:
    return take_place(records, counters, TOP, FREE)


@inner
def _give(records: Records, counters: npt.NDArray[np.int64], place: int) -> None:
    give_place(records, counters, FREE, place)


@settings(deadline=None)  # the first one compiles
@given(st.lists(st.integers(0, 3), max_size=40))
def test_a_place_is_taken_once_with_zero_bytes_and_the_last_one_given_back_is_the_next(
    steps: list[int],
) -> None:
    records, counters = np.zeros(50, PAIR), np.array([1, 0])
    used: list[int] = []
    for step in steps:
        if step == 0 and used:
            given_back = used.pop(0)
            _give(records, counters, given_back)
            assert _take(records, counters) == given_back
            _give(records, counters, given_back)
            continue
        place = _take(records, counters)
        assert place > 0
        assert place not in used
        assert records[place].tobytes() == bytes(PAIR.itemsize)
        records[place] = (-1, 2**31 - 1, 1.5)
        used.append(place)
    assert counters[TOP] <= 1 + len(steps)
