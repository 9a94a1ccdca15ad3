"""Timers: what is due at an event time, as a heap in an array, in an order that is the same in every run."""

import numpy as np

from detectors.compiled import inner, pasted
from detectors.core.layout import Record, Records
from detectors.memory import LINE_BYTES, fetch_line

TIMER = np.dtype([("due_ms", "<i8"), ("token", "<i8"), ("follower", "<i4"), ("purpose", "<i4")])
"""Whoever set it, what for, and a number that means something to them."""
CHILDREN = 4
"""Below each timer of the heap: neighbours in memory, and half as many levels as with two."""
_LINES = CHILDREN**2 * TIMER.itemsize // LINE_BYTES + 1


@inner
def _is_before(due_ms: int, follower: int, purpose: int, token: int, other: Record) -> bool:
    if due_ms != other.due_ms:
        return due_ms < other.due_ms
    if follower != other.follower:
        return follower < other.follower
    if purpose != other.purpose:
        return purpose < other.purpose
    return token < other.token


@inner
def _before(a: Record, b: Record) -> bool:
    return _is_before(a.due_ms, a.follower, a.purpose, a.token, b)


@inner
def _move(heap: Records, to: int, of: int) -> None:
    a, b = heap[to], heap[of]
    a.due_ms, a.token, a.follower, a.purpose = b.due_ms, b.token, b.follower, b.purpose


@pasted
def _fetch_children(heap: Records, size: int, first: int) -> None:
    """Ask for the timers below all of a timer's children, the first of which is at `first`."""
    if first < size:
        for line in range(_LINES):
            fetch_line(heap, first, line * LINE_BYTES)


@inner
def push_timer(heap: Records, size: int, due_ms: int, follower: int, purpose: int, token: int) -> int:
    """Add a timer to the `size` there are, for which there is room; returns how many there are now."""
    hole = size
    while hole > 0:
        parent = (hole - 1) // CHILDREN
        if not _is_before(due_ms, follower, purpose, token, heap[parent]):
            break
        _move(heap, hole, parent)
        hole = parent
    timer = heap[hole]
    timer.due_ms, timer.follower, timer.purpose, timer.token = due_ms, follower, purpose, token
    return size + 1


@inner
def pop_timer(heap: Records, size: int) -> int:
    """Take away the timer at the top (place 0), which is due first; returns how many are left."""
    size -= 1
    last, hole, child = heap[size], 0, 1
    while child < size:
        _fetch_children(heap, size, CHILDREN * child + 1)
        first = child
        for other in range(child + 1, min(child + CHILDREN, size)):
            if _before(heap[other], heap[first]):
                first = other
        if not _before(heap[first], last):
            break
        _move(heap, hole, first)
        hole, child = first, CHILDREN * first + 1
    _move(heap, hole, size)
    return size
