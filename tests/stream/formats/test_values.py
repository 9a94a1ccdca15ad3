"""Values that lie end to end are the values they were made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.formats.caps import Caps
from stream.formats.events import Events
from stream.formats.limits import Limits
from stream.formats.values import Values

LISTS = st.lists(st.none() | st.binary(max_size=3), max_size=20)


@given(LISTS)
def test_values_come_out_as_they_went_in(values: list[bytes | None]) -> None:
    joined = Values.of(values)
    assert list(joined) == values
    assert [joined[index] for index in range(-len(values), len(values))] == values + values
    assert joined.sizes.tolist() == [len(value or b"") for value in values]
    assert len(joined) == len(values)


@given(LISTS, st.integers(-25, 25) | st.none(), st.integers(-25, 25) | st.none())
def test_a_part_is_that_of_a_list(values: list[bytes | None], first: int | None, last: int | None) -> None:
    part = Values.of(values)[first:last]
    assert list(part) == values[first:last]
    assert part.joined.tobytes() == b"".join(value or b"" for value in values[first:last])
    assert [part[index] for index in range(len(part))] == values[first:last]


def test_values_are_joined_once() -> None:
    values = Values.of([b"a", None])
    assert Values.of(values) is values


def test_there_is_no_value_past_the_ends() -> None:
    for index in (2, -3):
        with pytest.raises(IndexError):
            Values.of([b"a", None])[index]


def test_only_consecutive_values_can_be_cut_out() -> None:
    with pytest.raises(ValueError, match="consecutive"):
        Values.of([b"a", None])[::2]


def test_every_kind_of_values_is_scanned_by_the_same_kernel() -> None:
    nothing = np.zeros(0, np.int64)
    for values in (Values.of([]), Values.of([b"{}"]), Values(np.zeros(0, np.uint8), nothing, nothing > 0)):
        assert not values.joined.flags.writeable
        assert not Events(Limits(), Caps(Limits()), 1).read(values).run_columns().record.size
