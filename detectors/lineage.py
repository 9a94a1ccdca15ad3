"""Lineage: which pipelines come before which, learned from what they read and write or told by the configuration.

Knowledge is links: a pipeline reads a dataset, writes one, or comes after another pipeline. So pipelines and datasets are nodes of one
graph, each with those directly before it. A link that is not told for `FORGET_MS` is forgotten; the number of links is bounded, the oldest give way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import msgspec

from detectors.core.layout import DAY_MS
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


class Lineage:
    """The links of all pipelines; times are event times in ms."""

    def __init__(self) -> None:
        self._seen: dict[Link, int] = {}
        self._upstream: dict[Node, set[Node]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def learn(self, links: Iterable[Link], time_ms: int) -> None:
        """Take in what was told at a time."""
        for link in links:
            known_ms = self._seen.pop(link, time_ms)
            self._seen[link] = max(known_ms, time_ms)
            after, before = _ends(link)
            self._upstream.setdefault(after, set()).add(before)
        while len(self._seen) > LINKS_MAX:
            self._drop(next(iter(self._seen)))

    def forget(self, now_ms: int) -> None:
        """Drop the links that were not told for long."""
        for link in [link for link, told_ms in self._seen.items() if now_ms - told_ms > FORGET_MS]:
            self._drop(link)

    def has_upstream(self, node: Node) -> bool:
        """Whether anything is known to come before a node."""
        return node in self._upstream

    def ancestors(self, node: Node) -> Iterator[tuple[Node, list[Node]]]:
        """Every node before one, the nearest first and equally near ones by name, with the path from it to the one, both ends included."""
        paths, waiting = {node: [node]}, deque([node])
        while waiting and len(paths) <= VISITED_MAX:
            here = waiting.popleft()
            if len(paths[here]) > DISTANCE_MAX:
                return
            for before in sorted(self._upstream.get(here, ())):
                if before not in paths:
                    paths[before] = [before, *paths[here]]
                    waiting.append(before)
                    yield before, paths[before]

    def _drop(self, link: Link) -> None:
        del self._seen[link]
        after, before = _ends(link)
        self._upstream[after].discard(before)
        if not self._upstream[after]:
            del self._upstream[after]

    def dump(self) -> bytes:
        """The links as bytes."""
        return msgspec.msgpack.encode(list(self._seen.items()))

    def load(self, dumped: bytes) -> None:
        """Take over dumped links in place of the present ones."""
        self._seen.clear()
        self._upstream.clear()
        for link, time_ms in msgspec.msgpack.decode(dumped, type=list[tuple[Link, int]]):
            self.learn([link], time_ms)


def _ends(link: Link) -> tuple[Node, Node]:
    """The later and the earlier node of a link."""
    pipeline = PIPELINE + link.pipeline
    match link.relation:
        case Relation.READS:
            return pipeline, DATASET + link.other
        case Relation.WRITES:
            return DATASET + link.other, pipeline
    return pipeline, PIPELINE + link.other
