"""Lineage: which pipelines come before which, learned from what they read and write or told by the configuration.

Knowledge is links: a pipeline reads a dataset, writes one, or comes after another pipeline. So pipelines and datasets are nodes of one
graph, each with those directly before it. A link counts from the time on at which it was first told. One that is not told for `FORGET_MS` is forgotten, unless it
is `declared`; the number of links is bounded, the oldest give way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import msgspec

from detectors.core.layout import DAY_MS
from detectors.samples import NEVER
from detectors.series import Labels

FORGET_MS: Final = 90 * DAY_MS
LINKS_MAX: Final = 200_000
DISTANCE_MAX: Final = 40
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


Node = str
"""A pipeline or a dataset, told apart by `PIPELINE` or `DATASET` before its name."""
PIPELINE: Final = "pipeline:"
DATASET: Final = "dataset:"


def node_of(labels: Labels) -> Node | None:
    """The node that series with some labels are about: their pipeline, else their dataset; None when they name neither."""
    by_name = dict(labels)
    if pipeline := by_name.get("pipeline"):
        return PIPELINE + pipeline
    dataset = by_name.get("dataset")
    return DATASET + dataset_name(by_name.get("namespace", ""), dataset) if dataset else None


def dataset_name(namespace: str, name: str) -> str:
    """A dataset's name in links: with its namespace, if it has one."""
    return f"{namespace}/{name}" if namespace else name


class _Told(msgspec.Struct, array_like=True):
    """When a link was first told and when last, event time in ms."""

    first_ms: int
    last_ms: int


class Lineage:
    """The links of all pipelines; times are event times in ms.

    Args:
        declared: links that always hold.
    """

    def __init__(self, declared: Iterable[Link] = ()) -> None:
        self._told: dict[Link, _Told] = {}
        self._upstream: dict[Node, dict[Node, int]] = {}
        self._declared = frozenset[Link]()
        self.declare(declared)

    def __len__(self) -> int:
        return len(self._told.keys() | self._declared)

    def declare(self, links: Iterable[Link]) -> None:
        """Have these links always hold, and those that did no longer."""
        before, self._declared = self._declared, frozenset(links)
        for link in before - self._declared:
            self._unlink(link)
        for link in self._declared:
            self._index(link, NEVER)
        for link in before & self._told.keys():
            self._index(link, self._told[link].first_ms)

    def learn(self, links: Iterable[Link], time_ms: int) -> None:
        """Take in what was told at a time."""
        for link in links:
            told = self._told.pop(link, None) or _Told(time_ms, time_ms)
            told.first_ms, told.last_ms = min(told.first_ms, time_ms), max(told.last_ms, time_ms)
            self._told[link] = told
            self._index(link, told.first_ms)
        while len(self._told) > LINKS_MAX:
            self._drop(next(iter(self._told)))

    def forget(self, now_ms: int) -> None:
        """Drop the links that were not told for long."""
        for link in [link for link, told in self._told.items() if now_ms - told.last_ms > FORGET_MS]:
            self._drop(link)

    def has_upstream(self, node: Node, now_ms: int) -> bool:
        """Whether anything is known at a time to come before a node."""
        return any(first_ms <= now_ms for first_ms in self._upstream.get(node, {}).values())

    def ancestors(self, node: Node, now_ms: int) -> Iterator[tuple[Node, list[Node]]]:
        """Every node known at a time to be before one, the nearest first and equally near ones by name, with the path from it to the one, both ends included."""
        paths, waiting = {node: [node]}, deque([node])
        while waiting and len(paths) <= VISITED_MAX:
            here = waiting.popleft()
            if len(paths[here]) > DISTANCE_MAX:
                return
            for before, first_ms in sorted(self._upstream.get(here, {}).items()):
                if before not in paths and first_ms <= now_ms:
                    paths[before] = [before, *paths[here]]
                    waiting.append(before)
                    yield before, paths[before]

    def _index(self, link: Link, first_ms: int) -> None:
        after, before = _ends(link)
        known = self._upstream.setdefault(after, {})
        known[before] = min(first_ms, known.get(before, first_ms))

    def _drop(self, link: Link) -> None:
        del self._told[link]
        if link not in self._declared:
            self._unlink(link)

    def _unlink(self, link: Link) -> None:
        after, before = _ends(link)
        del self._upstream[after][before]
        if not self._upstream[after]:
            del self._upstream[after]

    def dump(self) -> bytes:
        """What was told, as bytes."""
        return msgspec.msgpack.encode(list(self._told.items()))

    def load(self, dumped: bytes) -> None:
        """Take in what was dumped."""
        for link, told in msgspec.msgpack.decode(dumped, type=list[tuple[Link, _Told]]):
            self._told[link] = told
            self._index(link, told.first_ms)


def _ends(link: Link) -> tuple[Node, Node]:
    """The later and the earlier node of a link."""
    pipeline = PIPELINE + link.pipeline
    match link.relation:
        case Relation.READS:
            return pipeline, DATASET + link.other
        case Relation.WRITES:
            return DATASET + link.other, pipeline
    return pipeline, PIPELINE + link.other
