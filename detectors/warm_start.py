"""Warm start: models that come in force while a worker runs learn what the samples topic retains of their series, before they have a say.

What a model has learned then is what it would have if its settings had been in force from the first retained sample on: the retained records are gone through once
more, for the followers of these series alone. Of each series as many of the last samples count as make `SAMPLES_MAX` for all together, and none older than `SPAN_MS`.

What is retained now may not be later, so the state has to be stored before anything rests on it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from detectors.followers import Followers
from detectors.samples import Key

History = Callable[[int], Iterator[tuple[int, bytes]]]
"""The records of a shard's samples topic that are retained before an offset, each with its own, the oldest first."""

SAMPLES_MAX: Final = 100_000
"""The worker's detect stage waits meanwhile: 4 s for half-space trees, 100 s for what costs a millisecond a sample, and longer where other processes want the machine."""
SPAN_MS: Final = 30 * 86_400_000


class Part(NamedTuple):
    """One series of a follower: the follower's place, and which of its parts."""

    place: int
    part: int


class Wanted(NamedTuple):
    """A follower whose past is wanted: where it is, its key, and since when."""

    place: int
    key: Key
    since_ms: int


def wanted(followers: Followers, parts: Sequence[Part]) -> list[Wanted]:
    """The followers of some series, and from which event time (ms) on their rows count."""
    each = SAMPLES_MAX / max(1, len(parts))
    since_ms: dict[int, int] = {}
    arrays = followers.arrays
    for place, part in parts:
        light = arrays.bank.light[int(arrays.followers[place]["slots"][part]) - 1]
        span_ms = min(SPAN_MS, int(each * 1000.0 * float(light["interval_s"])))
        begins_ms = int(light["last_ms"]) - span_ms
        since_ms[place] = min(begins_ms, since_ms.get(place, begins_ms))
    return [Wanted(place, followers.key(place), begins_ms) for place, begins_ms in since_ms.items()]
