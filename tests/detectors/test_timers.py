"""Timers run out in the order of event time, each as often as it was set."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.compiled import entry
from detectors.core.layout import Records
from detectors.timers import TIMER, pop_timer, push_timer

Timer = tuple[int, int, int, int]
"""Due time, follower, purpose, token: the order of timers that are due at once."""


@entry
def _push(heap: Records, size: int, due_ms: int, follower: int, purpose: int, token: int) -> int:
    return push_timer(heap, size, due_ms, follower, purpose, token)


@entry
def _pop(heap: Records, size: int) -> int:
    return pop_timer(heap, size)


class Heap:
    """A heap with room for a hundred timers."""

    def __init__(self) -> None:
        self.heap, self.size = np.zeros(100, TIMER), 0

    def push(self, timer: Timer) -> None:
        self.size = _push(self.heap, self.size, *timer)

    def pop(self) -> Timer:
        due_ms, token, follower, purpose = self.heap[0].item()
        self.size = _pop(self.heap, self.size)
        return due_ms, follower, purpose, token


TIMERS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)), max_size=40
)


@settings(deadline=None)  # the first example compiles
@given(TIMERS, TIMERS)
def test_timers_run_out_in_an_order_that_does_not_depend_on_how_they_were_set(
    first: list[Timer], later: list[Timer]
) -> None:
    heap = Heap()
    for timer in first:
        heap.push(timer)
    ran = [heap.pop() for _ in range(len(first) // 2)]
    assert ran == sorted(first)[: len(ran)]
    for timer in later:
        heap.push(timer)
    rest = sorted([*sorted(first)[len(ran) :], *later])
    assert [heap.pop() for _ in rest] == rest
    assert heap.size == 0
