"""Links: what a record tells of lineage, with names cut as those of series are."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.layout import DAY_MS
from detectors.lineage import Link, Relation
from detectors.samples import NEVER
from stream.formats.caps import Caps

Ints = NDArray[np.int64]
AGAIN_MS: Final = DAY_MS
"""How long a link that was told needs no telling, of event time."""
_START: Final = 1 << 11


class RunLinks:
    """Makes links of the names that a run tells."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps

    def of(
        self, pipeline: str, reads: Iterable[str], writes: Iterable[str], after: Iterable[str]
    ) -> Iterator[Link]:
        """The links of a pipeline: of each kind at most `datasets_max`; empty names, and that it comes after itself, tell nothing."""
        name = self._caps.label(pipeline)
        for relation, others in ((Relation.READS, reads), (Relation.WRITES, writes), (Relation.AFTER, after)):
            for other in self._limited(others):
                if other and not (relation is Relation.AFTER and other == pipeline):
                    yield Link(name, relation, self._caps.label(other))

    def _limited(self, names: Iterable[str]) -> Iterator[str]:
        rest = iter(names)
        yield from islice(rest, self._caps.limits.datasets_max)
        if next(rest, None) is not None:
            self._caps.counts["limited", "datasets_max"] += 1


class WrittenDatasets:
    """Which dataset each known series was last seen to write, and when. What it forgets is told once more, which changes nothing."""

    def __init__(self) -> None:
        self._pairs = np.zeros(_START, np.int64)
        self._told_ms = np.full(_START, NEVER, np.int64)

    def news(self, places: Ints, idents: Ints, datasets: Ints, times_ms: Ints) -> Ints:
        """The first records of those that write another dataset than their series did, or the same as a day ago.

        Args:
            places: of the records' series among the known ones.
            idents: hashes of what names these series, which may come to lie elsewhere.
            datasets: hashes of what the records wrote to, 0 for nothing.
            times_ms: their event times.
        """
        self._make_room(int(places.max()) + 1)
        pairs = datasets ^ idents
        news = np.flatnonzero(
            (datasets != 0)
            & ((self._pairs[places] != pairs) | (np.abs(times_ms - self._told_ms[places]) >= AGAIN_MS))
        )
        self._pairs[places[news]], self._told_ms[places[news]] = pairs[news], times_ms[news]
        _, firsts = np.unique(pairs[news], return_index=True)
        return news[firsts]

    def _make_room(self, size: int) -> None:
        if size > len(self._pairs):
            more = 2 * size - len(self._pairs)
            self._pairs = np.append(self._pairs, np.zeros(more, np.int64))
            self._told_ms = np.append(self._told_ms, np.full(more, NEVER, np.int64))
