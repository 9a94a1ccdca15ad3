"""The quantile sketch: within one per cent of the amounts themselves, and the same in whatever pieces they come."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.quantile_sketch import ACCURACY, counted, quantile

AMOUNTS = st.lists(st.integers(0, (1 << 31) - 1), min_size=1, max_size=80)


def sketch(*parts: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for part in parts:
        counts = counted(counts, np.array(part, np.int32))
    return counts


@given(AMOUNTS, st.floats(0, 1))
def test_a_quantile_lies_within_one_per_cent_of_the_amount_itself(amounts: list[int], share: float) -> None:
    exact = sorted(amounts)[int(share * (len(amounts) - 1))]
    assert abs(quantile(sketch(amounts), share) - exact) <= 1.01 * ACCURACY * exact + 1e-9


@given(AMOUNTS, st.integers(0, 80))
def test_pieces_make_the_same_sketch(amounts: list[int], cut: int) -> None:
    assert sketch(amounts[:cut], amounts[cut:]) == sketch(amounts)


def test_nothing_is_no_amount() -> None:
    assert sketch([]) == {}
