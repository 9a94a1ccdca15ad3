"""What is known of the values at one path: the formats of its texts, its words while they are few, and the sizes of its numbers."""

from typing import Final

import msgspec

from detectors.evidence import NOWHERE, Evidence
from detectors.record_blocks import Place
from detectors.record_tokens import PER_DECADE

COUNTS_MAX: Final = 1_000_000
"""What is known counts half from here on."""
EXTREMES: Final = 5
"""The ends of a range are where so many numbers lie at or beyond."""


class Word(msgspec.Struct, array_like=True):
    """A text that is known: how often it came, and in how many blocks; the texts since it last came, `missed` the first of them and how long all had been `settled` then, and the most there ever were between two blocks with it."""

    times: float
    blocks: int = 1
    missing: float = 0.0
    gap: float = 0.0
    missed: Place = NOWHERE
    settled: float = 0.0
    gone: bool = False


class Words(msgspec.Struct, array_like=True):
    """The few texts of a path by token: how many texts there were, how many since a new one came to be known, and how often new ones were told."""

    known: dict[int, Word] = {}
    fresh: dict[int, Evidence] = {}
    times: float = 0.0
    settled: float = 0.0
    told: int = 0


class Sizes(msgspec.Struct, array_like=True):
    """Numbers by size, and how many came since their range last grew by leaps, above (1) and below (-1); those since one lay `beyond` it are `recent`.

    `latest` is the mean of the last block, in decades.
    """

    known: dict[int, float] = {}
    settled: dict[int, float] = {}
    recent: dict[int, float] = {}
    beyond: dict[int, Evidence] = {}
    latest: float = 0.0


class Spread(msgspec.Struct, array_like=True):
    """How numbers are distributed: `counts` between `edges` (see `record_tokens.places_of_numbers`).

    Before there are edges, numbers gather in `raw`; after that those not yet judged in `recent`, and those that were far away, from `first` on, in `held`. `peak` is the farthest
    that any of so many `judged` were.
    """

    edges: list[int] = []
    counts: list[float] = []
    raw: dict[int, int] = {}
    recent: list[float] = []
    held: list[float] = []
    first: Place = NOWHERE
    judged: int = 0
    peak: float = 0.0


class Values(msgspec.Struct, array_like=True):
    """What is known of the values at one path; `words` are None when they are too many."""

    formats: dict[int, float] = {}
    fresh: dict[int, Evidence] = {}
    words: Words | None = None
    sizes: Sizes = msgspec.field(default_factory=Sizes)
    spread: Spread = msgspec.field(default_factory=Spread)


def new_values() -> Values:
    """Nothing is known."""
    return Values({}, {}, Words({}, {}), Sizes({}, {}, {}, {}), new_spread())


def new_spread() -> Spread:
    """Nothing is known of a distribution."""
    return Spread([], [], {}, [], [])


def halved(counts: dict[int, float]) -> dict[int, float]:
    """Counts, each half when together they are very many."""
    if sum(counts.values()) <= COUNTS_MAX:
        return counts
    return {key: count / 2 for key, count in counts.items()}


def range_of(sizes: dict[int, float]) -> tuple[int, int]:
    """The smallest and the largest size, a few numbers at either end left out.

    >>> range_of({3: 2.0, 5: 20.0, 9: 5.0, 40: 1.0})
    (5, 9)
    """
    ordered = sorted(sizes.items())
    return _end(ordered), _end(ordered[::-1])


def _end(ordered: list[tuple[int, float]]) -> int:
    total = 0.0
    for size, count in ordered:
        total += count
        if total >= EXTREMES:
            return size
    return ordered[-1][0]


def middle_and_spread(sizes: dict[int, float]) -> tuple[float, float]:
    """The mean of sizes and their standard deviation, in decades.

    >>> middle_and_spread({4: 10.0, 8: 10.0})
    (1.5, 0.5)
    """
    total = sum(sizes.values())
    mean = sum(size * count for size, count in sizes.items()) / total
    variance = sum(count * (size - mean) ** 2 for size, count in sizes.items()) / total
    return mean / PER_DECADE, variance**0.5 / PER_DECADE
