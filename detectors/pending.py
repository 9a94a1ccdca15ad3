"""Pending rows: those that wait until the watermark passes them, in the order in which they will be applied."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.follower_layout import ROW


class _Chunk(NamedTuple):
    """Rows of one batch by order, as bytes: numpy copies these whole, and records field by field; `orders` is their `order_ms` in one piece."""

    first_ms: int
    orders: npt.NDArray[np.int64]
    rows: Records


def _chunk(rows: Records) -> _Chunk:
    orders, rows = np.ascontiguousarray(rows["order_ms"]), rows.view(f"V{rows.itemsize}")
    if (orders[1:] < orders[:-1]).any():
        by_order = np.argsort(orders, kind="stable")
        orders, rows = orders[by_order], rows[by_order]
    return _Chunk(int(orders[0]), orders, rows)


class Pending:
    """Rows by source partition. Within one they come in the order of their offsets, in batches cut anyhow.

    Args:
        layout: of the rows, which have at least an `order_ms` and a `follower`.
    """

    def __init__(self, layout: "np.dtype[Any]" = ROW) -> None:
        self._layout = layout
        self._chunks: dict[int, list[_Chunk]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, source: int, rows: Records) -> None:
        """Take in the next rows of a source partition."""
        if len(rows):
            self._chunks.setdefault(source, []).append(_chunk(rows))
            self._size += len(rows)

    def take(self, before_ms: int, sources: list[int]) -> Records:
        """Every row whose time to be applied lies before `before_ms`, in order: equal times by `sources`, then offset."""
        ready: list[_Chunk] = []
        for source in sources:
            if chunks := self._chunks.get(source):
                self._chunks[source] = self._split(chunks, before_ms, ready)
        if not ready:
            return np.zeros(0, self._layout)
        self._size -= sum(len(chunk.rows) for chunk in ready)
        if len(ready) == 1:
            return ready[0].rows.view(self._layout)
        orders = np.concatenate([chunk.orders for chunk in ready])
        rows = np.concatenate([chunk.rows for chunk in ready])
        return rows[np.argsort(orders, kind="stable")].view(self._layout)

    def _split(self, chunks: list[_Chunk], before_ms: int, ready: list[_Chunk]) -> list[_Chunk]:
        """Move what is ready of one source partition over; returns what is left."""
        left = []
        for chunk in chunks:
            if chunk.first_ms >= before_ms:
                left.append(chunk)
                continue
            cut = int(np.searchsorted(chunk.orders, before_ms))
            ready.append(_Chunk(chunk.first_ms, chunk.orders[:cut], chunk.rows[:cut]))
            if cut < len(chunk.rows):
                orders, rows = chunk.orders[cut:], chunk.rows[cut:]
                left.append(_Chunk(int(orders[0]), orders, rows))
        return left

    def followers(self) -> npt.NDArray[np.int32]:
        """Who has a row that waits."""
        waiting = [
            chunk.rows.view(self._layout)["follower"] for chunks in self._chunks.values() for chunk in chunks
        ]
        return np.unique(np.concatenate(waiting)) if waiting else np.zeros(0, np.int32)

    def shapes(self) -> npt.NDArray[np.int64]:
        """The shapes that payloads wait for."""
        waiting = [
            chunk.rows.view(self._layout)["shape"] for chunks in self._chunks.values() for chunk in chunks
        ]
        return np.unique(np.concatenate(waiting)) if waiting else np.zeros(0, np.int64)

    def middle_ms(self) -> int:
        """The time before which half of the rows are to be applied."""
        orders = np.concatenate([chunk.orders for chunks in self._chunks.values() for chunk in chunks])
        return int(np.partition(orders, len(orders) // 2)[len(orders) // 2]) + 1

    def dump(self) -> list[tuple[int, bytes]]:
        """All rows by source partition, the same bytes however they came in."""
        return [(source, self._merged(chunks).tobytes()) for source, chunks in self._chunks.items() if chunks]

    def _merged(self, chunks: list[_Chunk]) -> Records:
        orders = np.concatenate([chunk.orders for chunk in chunks])
        rows = np.concatenate([chunk.rows for chunk in chunks])
        return rows[np.argsort(orders, kind="stable")]

    def load(self, dumped: list[tuple[int, bytes]]) -> None:
        """Take over dumped rows in place of the present ones."""
        self._chunks, self._size = {}, 0
        for source, rows in dumped:
            self.add(source, np.frombuffer(bytearray(rows), self._layout))
