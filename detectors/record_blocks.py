"""Blocks: consecutive payloads of one series, counted by shape, over which its structure is judged.

A block ends with the window of event time in which it began, or when it is full. Payloads come in the order of event time, source
partition and offset, so where a block ends does not depend on how batches were cut.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.core.layout import Records
from detectors.ragged import Ints
from detectors.record_tokens import TOKEN, Tokens
from detectors.samples import Element

RECORDS_MAX: Final = 1_000
_NO_PLACE: Final = (-1, -1)

Elements = tuple[Element, ...]

Place = tuple[int, int]
"""Source and offset of a record."""

PAYLOAD: Final = np.dtype([("shape", "<i8"), ("offset", "<i8"), ("source", "<i4"), ("ident", "<u4")])
"""A payload of a block: the ident of its shape, where it lies, and what tells it from others (0: nothing does)."""


class Seen(msgspec.Struct, array_like=True):
    """How often something was seen in a block: at which of its payloads first and last, and where those lie (source, offset)."""

    count: int
    first: int
    last: int
    first_place: tuple[int, int] = _NO_PLACE
    last_place: tuple[int, int] = _NO_PLACE

    def add(self, other: "Seen") -> None:
        """Count what was seen elsewhere in the same block as well."""
        self.count += other.count
        if other.first < self.first:
            self.first, self.first_place = other.first, other.first_place
        if other.last > self.last:
            self.last, self.last_place = other.last, other.last_place

    def copy(self) -> "Seen":
        """The same, to be counted on."""
        return Seen(self.count, self.first, self.last, self.first_place, self.last_place)


class Block(msgspec.Struct, array_like=True):
    """Payloads by shape ident, the window in which they lie, and when the first and last came.

    Before these, since the block before, so many were `passed` over: a topic that is sampled has payloads that are not looked at.
    """

    window: int
    first_ms: int
    last_ms: int
    size: int = 0
    shapes: dict[int, Seen] = {}
    rows: list[bytes] = []
    tokens: list[bytes] = []
    passed: int = 0

    @property
    def sample(self) -> float:
        """The share of the payloads that was looked at."""
        return round(self.size / (self.size + self.passed), 6)

    def take(self, rows: Records, tokens: Tokens, passed: int = 0) -> None:
        """Count payloads: PAYLOAD_ROW records, and the tokens of their values, end to end; so many were passed over before them and between them."""
        self.passed += passed
        payloads = np.empty(len(rows), PAYLOAD)
        for name in PAYLOAD.names or ():
            payloads[name] = rows[name]
        self.rows.append(payloads.tobytes())
        self.tokens.append(tokens.tobytes())
        idents, firsts, counts = np.unique(rows["shape"], return_index=True, return_counts=True)
        _, backwards = np.unique(rows["shape"][::-1], return_index=True)
        lasts = len(rows) - 1 - backwards
        places = [(int(row["source"]), int(row["offset"])) for row in rows[np.append(firsts, lasts)]]
        columns = (idents.tolist(), counts.tolist(), firsts.tolist(), lasts.tolist())
        for number, (ident, count, first, last) in enumerate(zip(*columns, strict=True)):
            ends = places[number], places[number + len(idents)]
            seen = Seen(count, self.size + first, self.size + last, *ends)
            known = self.shapes.get(ident)
            if known is None:
                self.shapes[ident] = seen
            else:
                known.add(seen)
        self.size += len(rows)
        self.last_ms = int(rows["order_ms"][-1])

    def payloads(self) -> Records:
        """The payloads: PAYLOAD records."""
        return np.frombuffer(b"".join(self.rows), PAYLOAD)

    def values(self) -> Tokens:
        """The tokens of their values, end to end."""
        return np.frombuffer(b"".join(self.tokens), TOKEN)

    def merge(self) -> None:
        """Forget in which pieces they came."""
        self.rows, self.tokens = [b"".join(self.rows)], [b"".join(self.tokens)]


class Closed(NamedTuple):
    """A block that has ended, at `order_ms`."""

    place: int
    order_ms: int
    block: Block


class _Part(NamedTuple):
    """Some of the payloads of a batch, from the `first` up to `end`; `ends` says where the tokens of each end in `tokens`, from 0 on, `passed` how many were passed over before it."""

    rows: Records
    tokens: Tokens
    ends: Ints
    passed: Ints
    first: int
    end: int

    def part(self, start: int, stop: int) -> tuple[Records, Tokens, int]:
        """Rows and tokens of these, counted from the first, and how many were passed over before each of them."""
        start, stop = self.first + start, self.first + stop
        return (
            self.rows[start:stop],
            self.tokens[self.ends[start] : self.ends[stop]],
            int(self.passed[start:stop].sum()),
        )


class Blocks:
    """The open blocks of a shard, by the place of their follower."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._open: dict[int, Block] = {}
        self._first_window = 0

    def take(self, rows: Records, tokens: Tokens, sizes: Ints, passed: Ints, before_ms: int) -> list[Closed]:
        """Count payloads up to `before_ms`, one follower after the other, those of each in their order; the blocks that end on the way.

        `tokens` are those of their values, end to end, of which each payload has so many; `passed` how many payloads of its follower were passed over just before each.
        """
        closed: list[Closed] = []
        if len(rows):
            ends = np.append(0, np.cumsum(sizes))
            cuts = np.flatnonzero(np.diff(rows["follower"])) + 1
            for part in np.split(np.arange(len(rows)), cuts):
                self._take(_Part(rows, tokens, ends, passed, int(part[0]), int(part[-1]) + 1), closed)
        self._end_windows(before_ms, closed)
        return closed

    def idents(self) -> set[int]:
        """The shapes that open blocks have."""
        return {ident for block in self._open.values() for ident in block.shapes}

    def places(self) -> list[int]:
        """The followers that have an open block."""
        return list(self._open)

    def forget(self, place: int) -> None:
        """The follower at `place` was given up."""
        self._open.pop(place, None)

    def dump(self) -> dict[int, Block]:
        """The open blocks, the same however their payloads came in."""
        for block in self._open.values():
            block.shapes = dict(sorted(block.shapes.items()))
            block.merge()
        return dict(sorted(self._open.items()))

    def load(self, blocks: dict[int, Block]) -> None:
        """Take over dumped blocks."""
        self._open = blocks
        self._first_window = min((block.window for block in self._open.values()), default=0)

    def _take(self, payloads: "_Part", closed: list[Closed]) -> None:
        """Count payloads of one follower."""
        orders = payloads.rows["order_ms"][payloads.first : payloads.end]
        place, windows = int(payloads.rows["follower"][payloads.first]), orders // self._window_ms
        bounds = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), len(orders)]
        for start, end in pairwise(bounds):
            at = start
            while at < end:
                block = self._block(place, int(windows[at]), int(orders[at]), closed)
                room = RECORDS_MAX - block.size
                block.take(*payloads.part(at, min(end, at + room)))
                at += room
                if block.size == RECORDS_MAX:
                    closed.append(Closed(place, block.last_ms, self._open.pop(place)))

    def _block(self, place: int, window: int, first_ms: int, closed: list[Closed]) -> Block:
        block = self._open.get(place)
        if block is not None and block.window != window:
            closed.append(self._ended(place))
            block = None
        if block is None:
            block = self._open[place] = Block(window, first_ms, first_ms, shapes={}, rows=[], tokens=[])
            self._first_window = window if len(self._open) == 1 else min(self._first_window, window)
        return block

    def _ended(self, place: int) -> Closed:
        block = self._open.pop(place)
        return Closed(place, (block.window + 1) * self._window_ms - 1, block)

    def _end_windows(self, before_ms: int, closed: list[Closed]) -> None:
        window = before_ms // self._window_ms
        if not self._open or self._first_window >= window:
            return
        closed += [self._ended(place) for place, block in list(self._open.items()) if block.window < window]
        self._first_window = min((block.window for block in self._open.values()), default=0)


def by_element(block: Block, shapes: dict[int, Elements]) -> dict[Element, Seen]:
    """How often each element was seen in a block."""
    found: dict[Element, Seen] = {}
    for ident, seen in sorted(block.shapes.items(), key=lambda it: it[1].first):
        for element in shapes[ident]:
            known = found.get(element)
            if known is None:
                found[element] = seen.copy()
            else:
                known.add(seen)
    return found


def lacking(block: Block, shapes: dict[int, Elements], path: str, parent: Element) -> Seen | None:
    """Where in a block the parent of a path was seen without it."""
    found: Seen | None = None
    for ident, seen in block.shapes.items():
        elements = shapes[ident]
        if parent in elements and not _has(elements, path):
            if found is None:
                found = seen.copy()
            else:
                found.add(seen)
    return found


def _has(elements: Iterable[Element], path: str) -> bool:
    return any(it == path for it, _ in elements)
