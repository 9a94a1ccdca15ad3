"""Timers: what is due at an event time, in an order that is the same in every run."""

from heapq import heappop, heappush
from typing import Protocol

from detectors.series import Labels


class Expiring(Protocol):
    """Whoever set a timer."""

    def expire(self, purpose: str, token: int, due_ms: int) -> None:
        """The timer ran out; one that no longer matters is let pass."""


class Timers:
    """A queue of due times; equal ones run out in the order of their labels, purposes and tokens."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Labels, str, int, Expiring]] = []
        self._set: set[tuple[int, Labels, str, int]] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, due_ms: int, labels: Labels, purpose: str, token: int, owner: Expiring) -> None:
        """Call `owner.expire(purpose, token, due_ms)` once event time passes `due_ms`; setting twice is setting once."""
        entry = (due_ms, labels, purpose, token)
        if entry not in self._set:
            self._set.add(entry)
            heappush(self._heap, (*entry, owner))

    def next_ms(self) -> int | None:
        """The earliest due time."""
        return self._heap[0][0] if self._heap else None

    def run_until(self, time_ms: int) -> None:
        """Run every timer that is due at or before `time_ms`."""
        while self._heap and self._heap[0][0] <= time_ms:
            due_ms, labels, purpose, token, owner = heappop(self._heap)
            self._set.discard((due_ms, labels, purpose, token))
            owner.expire(purpose, token, due_ms)

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._set.clear()
