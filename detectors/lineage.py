"""Lineage: which pipelines come before which, learned from what they read and write or told by the configuration.

Knowledge is links: a pipeline reads a dataset, writes one, or comes after another pipeline. Writers of what a pipeline
reads come before it. A link that is not told for `FORGET_MS` is forgotten; the number of links is bounded, the oldest give way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import msgspec

from detectors.core.layout import DAY_MS

FORGET_MS: Final = 90 * DAY_MS
LINKS_MAX: Final = 200_000
DISTANCE_MAX: Final = 20
VISITED_MAX: Final = 5_000


class Relation(IntEnum):
    """How a pipeline stands to a dataset or to another pipeline."""

    READS = 0
    WRITES = 1
    AFTER = 2


class Link(msgspec.Struct, array_like=True, frozen=True, order=True):
    """One fact: `pipeline` reads or writes the dataset `other`, or comes after the pipeline `other`."""

    pipeline: str
    relation: Relation
    other: str


def dataset_name(namespace: str, name: str) -> str:
    """A dataset's name in links: with its namespace, if it has one."""
    return f"{namespace}/{name}" if namespace else name


class Lineage:
    """The links of all pipelines; times are event times in ms."""

    def __init__(self) -> None:
        self._seen: dict[Link, int] = {}
        self._reads: dict[str, set[str]] = {}
        self._writers: dict[str, set[str]] = {}
        self._after: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def learn(self, links: Iterable[Link], time_ms: int) -> None:
        """Take in what was told at a time."""
        for link in links:
            known_ms = self._seen.pop(link, None)
            self._seen[link] = time_ms if known_ms is None else max(known_ms, time_ms)
            if known_ms is None:
                self._index(link)
        while len(self._seen) > LINKS_MAX:
            self._drop(next(iter(self._seen)))

    def forget(self, now_ms: int) -> None:
        """Drop the links that were not told for long."""
        for link in [link for link, told_ms in self._seen.items() if now_ms - told_ms > FORGET_MS]:
            self._drop(link)

    def upstream(self, pipeline: str) -> Iterator[str]:
        """The pipelines directly before one, in the order of their names."""
        before = set(self._after.get(pipeline, ()))
        for dataset in self._reads.get(pipeline, ()):
            before |= self._writers.get(dataset, set())
        before.discard(pipeline)
        return iter(sorted(before))

    def ancestors(self, pipeline: str) -> Iterator[tuple[str, list[str]]]:
        """Every pipeline before one, the nearest first, with the path from it to the one, both ends included."""
        paths, waiting = {pipeline: [pipeline]}, deque([pipeline])
        while waiting and len(paths) <= VISITED_MAX:
            here = waiting.popleft()
            if len(paths[here]) > DISTANCE_MAX:
                return
            for before in self.upstream(here):
                if before not in paths:
                    paths[before] = [before, *paths[here]]
                    waiting.append(before)
                    yield before, paths[before]

    def _index(self, link: Link) -> None:
        match link.relation:
            case Relation.READS:
                self._reads.setdefault(link.pipeline, set()).add(link.other)
            case Relation.WRITES:
                self._writers.setdefault(link.other, set()).add(link.pipeline)
            case Relation.AFTER:
                self._after.setdefault(link.pipeline, set()).add(link.other)

    def _drop(self, link: Link) -> None:
        del self._seen[link]
        match link.relation:
            case Relation.READS:
                _discard(self._reads, link.pipeline, link.other)
            case Relation.WRITES:
                _discard(self._writers, link.other, link.pipeline)
            case Relation.AFTER:
                _discard(self._after, link.pipeline, link.other)

    def dump(self) -> bytes:
        """The links as bytes."""
        return msgspec.msgpack.encode(list(self._seen.items()))

    def load(self, dumped: bytes) -> None:
        """Take over dumped links in place of the present ones."""
        self.__init__()  # type: ignore[misc]
        for link, time_ms in msgspec.msgpack.decode(dumped, type=list[tuple[Link, int]]):
            self.learn([link], time_ms)


def _discard(index: dict[str, set[str]], name: str, other: str) -> None:
    index[name].discard(other)
    if not index[name]:
        del index[name]
