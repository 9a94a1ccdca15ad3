"""Links: what a record tells of lineage, with names cut as those of series are."""

from collections.abc import Iterator
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.core.layout import DAY_MS
from detectors.lineage import Link, Relation, dataset_name
from detectors.samples import NEVER
from stream.formats.caps import Caps

T = TypeVar("T")
Ints = NDArray[np.int64]
Links = tuple[Link, ...]
Datasets = tuple[tuple[str, str], ...]
"""Each by its namespace, which may be empty, and its name."""
AGAIN_MS: Final = DAY_MS
"""How long a link that was told needs no telling, of event time."""
KEPT_MAX, KEPT_CHARS_MAX = 10_000, 4_096
_START: Final = 1 << 11


class RunLinks:
    """Makes links of the names that runs tell. The same names give the same object again, as a rule."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._made: dict[tuple[str, Datasets, Datasets, tuple[str, ...]], Links] = {}

    def of(
        self,
        pipeline: str,
        reads: Datasets = (),
        writes: Datasets = (),
        after: tuple[str, ...] = (),
    ) -> Links:
        """The links of a pipeline: of each kind at most `datasets_max`; empty names, and that it comes after itself, tell nothing."""
        told = (pipeline, reads, writes, after)
        found = self._made.get(told)
        if found is None:
            found = tuple(self._links(*told))
            if len(str(told)) <= KEPT_CHARS_MAX:
                if len(self._made) >= KEPT_MAX:
                    self._made.clear()
                self._made[told] = found
        return found

    def _links(
        self, pipeline: str, reads: Datasets, writes: Datasets, after: tuple[str, ...]
    ) -> Iterator[Link]:
        label = self._caps.label
        for relation, datasets in ((Relation.READS, reads), (Relation.WRITES, writes)):
            for namespace, name in self._limited(datasets):
                if name:
                    yield Link(label(pipeline), relation, dataset_name(label(namespace), label(name)))
        for other in self._limited(after):
            if other not in ("", pipeline):
                yield Link(label(pipeline), Relation.AFTER, label(other))

    def _limited(self, names: tuple[T, ...]) -> tuple[T, ...]:
        most = self._caps.limits.datasets_max
        if len(names) > most:
            self._caps.counts["limited", "datasets_max"] += 1
        return names[:most]


class WrittenDatasets:
    """Which dataset each known series was last seen to write, and when at the earliest. What it forgets is told once more, which changes nothing."""

    def __init__(self) -> None:
        self._pairs = np.zeros(_START, np.int64)
        self._told_ms = np.full(_START, NEVER, np.int64)
        self._first_ms = np.full(_START, NEVER, np.int64)

    def news(self, places: Ints, idents: Ints, datasets: Ints, times_ms: Ints) -> Ints:
        """The earliest records of those that write another dataset than their series did, or the same as a day ago, or earlier than was known.

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
            & (
                (self._pairs[places] != pairs)
                | (times_ms - self._told_ms[places] >= AGAIN_MS)
                | (times_ms < self._first_ms[places])
            )
        )
        news = news[np.argsort(times_ms[news], kind="stable")]
        fresh = self._pairs[places[news]] != pairs[news]
        first_ms = np.where(fresh, times_ms[news], np.minimum(times_ms[news], self._first_ms[places[news]]))
        self._pairs[places[news]], self._told_ms[places[news]] = pairs[news], times_ms[news]
        self._first_ms[places[news[::-1]]] = first_ms[::-1]
        _, firsts = np.unique(pairs[news], return_index=True)
        return news[firsts]

    def _make_room(self, size: int) -> None:
        if size > len(self._pairs):
            more = 2 * size - len(self._pairs)
            self._pairs = np.append(self._pairs, np.zeros(more, np.int64))
            self._told_ms = np.append(self._told_ms, np.full(more, NEVER, np.int64))
            self._first_ms = np.append(self._first_ms, np.full(more, NEVER, np.int64))
