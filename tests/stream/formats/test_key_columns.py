"""Keys as columns: taking some of them gives what they were made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.samples import Key
from detectors.series import Signal, canonical_labels
from stream.formats.key_columns import KeyChoice, KeyColumns, Placed, numbered, numbers_of, placed

SHARDS = 3

keys = st.lists(
    st.builds(
        lambda signal, pipeline, unit: placed(
            Key(signal, canonical_labels({"pipeline": pipeline}), unit), SHARDS
        ),
        st.sampled_from([Signal.VALUE, Signal.VOLUME, Signal.SCHEMA]),
        st.text(max_size=20),
        st.text(max_size=5),
    ),
    min_size=1,
    max_size=10,
)


def listed(columns: KeyColumns) -> list[Placed]:
    rows = zip(columns.idents, columns.kinds.tolist(), columns.shards.tolist(), strict=True)
    return [
        Placed(columns.text(place), ident.tobytes(), kind, shard)
        for place, (ident, kind, shard) in enumerate(rows)
    ]


@given(keys, keys, st.data())
def test_the_keys_taken_are_those_at_the_places(
    first: list[Placed], second: list[Placed], data: st.DataObject
):
    known = first + second
    places = data.draw(st.lists(st.integers(0, len(known) - 1), max_size=20))
    columns = KeyColumns.of(first).then(KeyColumns.of(second))
    assert listed(columns) == known
    assert listed(columns.take(np.array(places, np.int64))) == [known[place] for place in places]


@given(keys, keys, st.data())
def test_a_choice_is_of_the_chosen_and_those_behind_them(
    known: list[Placed], more: list[Placed], data: st.DataObject
):
    places = data.draw(st.lists(st.integers(0, len(known) - 1), max_size=20))
    choice = KeyChoice(KeyColumns.of(known), np.array(places, np.int64)).then(KeyColumns.of(more))
    expected = [known[place] for place in places] + more
    assert len(choice) == len(expected)
    assert choice.shards.tolist() == [key.shard for key in expected]
    numbers = data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=20))
    assert listed(choice.take(np.array(numbers, np.int64))) == [expected[number] for number in numbers]


@given(st.lists(st.lists(st.integers(0, 9), max_size=30), min_size=1, max_size=3))
def test_places_are_numbered_in_the_order_in_which_they_come(batches: list[list[int]]):
    numbers = numbers_of(10)
    for places in batches:
        distinct, found = numbered(np.array(places, np.int64), numbers)
        assert distinct.tolist() == list(dict.fromkeys(places))
        assert [distinct[number] for number in found] == places
