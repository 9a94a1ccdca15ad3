"""Timers: what is due at an event time, as a heap in an array, in an order that is the same in every run."""

import numpy as np

from detectors.compiled import inner
from detectors.core.layout import Record, Records

TIMER = np.dtype([("due_ms", "<i8"), ("token", "<i8"), ("follower", "<i4"), ("purpose", "<i4")])
"""Whoever set it, what for, and a number that means something to them."""


@inner
def _before(a: Record, b: Record) -> bool:
    if a.due_ms != b.due_ms:
        return a.due_ms < b.due_ms
    if a.follower != b.follower:
        return a.follower < b.follower
    if a.purpose != b.purpose:
        return a.purpose < b.purpose
    return a.token < b.token


@inner
def _swap(heap: Records, i: int, j: int) -> None:
    a, b = heap[i], heap[j]
    a.due_ms, b.due_ms = b.due_ms, a.due_ms
    a.token, b.token = b.token, a.token
    a.follower, b.follower = b.follower, a.follower
    a.purpose, b.purpose = b.purpose, a.purpose


@inner
def push_timer(heap: Records, size: int, due_ms: int, follower: int, purpose: int, token: int) -> int:
    """Add a timer to the `size` there are, for which there is room; returns how many there are now."""
    timer = heap[size]
    timer.due_ms, timer.follower, timer.purpose, timer.token = due_ms, follower, purpose, token
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if not _before(heap[child], heap[parent]):
            break
        _swap(heap, child, parent)
        child = parent
    return size + 1


@inner
def pop_timer(heap: Records, size: int) -> int:
    """Take away the timer at the top (place 0), which is due first; returns how many are left."""
    size -= 1
    _swap(heap, 0, size)
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            return size
        if child + 1 < size and _before(heap[child + 1], heap[child]):
            child += 1
        if not _before(heap[child], heap[parent]):
            return size
        _swap(heap, parent, child)
        parent = child
