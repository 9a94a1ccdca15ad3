"""An iterator that a thread drives gives the same items and the same error, and ends with whoever takes them."""

import threading
from collections.abc import Iterator

import pytest

from stream.trial.ahead import ahead


def test_the_items_come_in_their_order():
    assert list(ahead(range(100), 3)) == list(range(100))
    assert list(ahead([], 1)) == []


def test_what_making_an_item_raises_is_raised_after_those_before_it():
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = ahead(failing(), 2)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_the_thread_is_no_more_than_so_many_items_ahead_and_ends_when_nothing_more_is_taken():
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    before = threading.active_count()
    found = ahead(counting(), 2)
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    assert len(made) <= 5
    assert threading.active_count() == before
