"""Known series: which key a scanned event's ident means, remembered from batch to batch."""

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.compiled import borrowed, entry
from detectors.samples import Key
from stream.formats.table import Placed, placed

KNOWN_MAX: Final = 1_000_000
"""Series remembered; when there are more, all are forgotten and learned anew. Each takes some 300 bytes."""
UNKNOWN: Final = -1
_TABLE_START: Final = 1 << 12

Idents = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]


class KnownSeries:
    """Keys by ident (two words of 64 bits, evenly spread), in an open-addressing hash table."""

    def __init__(self, shards: int, known_max: int = KNOWN_MAX) -> None:
        self._shards, self._known_max = shards, known_max
        self._forget()

    def _forget(self) -> None:
        self._placed: list[Placed] = []
        self._idents = np.zeros((_TABLE_START // 2, 2), np.int64)
        self._table = np.zeros(_TABLE_START, np.int32)

    def __getitem__(self, place: int) -> Placed:
        return self._placed[place]

    def find(self, idents: Idents) -> Places:
        """Where the keys of these idents are, UNKNOWN for those that are not."""
        return _find(self._table, self._idents, idents)

    def make_room(self, more: int) -> bool:
        """Before so many are added: forget all if they would be too many; whether that was so."""
        if len(self._placed) + more > self._known_max and self._placed:
            self._forget()
            return True
        return False

    def add(self, ident: npt.NDArray[np.int64], key: Key) -> None:
        """Remember a key."""
        place = len(self._placed)
        if place == len(self._idents):
            self._grow()
        self._idents[place] = ident
        self._placed.append(placed(key, self._shards))
        _enter(self._table, self._idents, place, place + 1)

    def _grow(self) -> None:
        known = len(self._idents)
        idents, self._idents = self._idents, np.zeros((2 * known, 2), np.int64)
        self._idents[:known] = idents
        self._table = np.zeros(2 * len(self._table), np.int32)
        _enter(self._table, self._idents, 0, known)


@entry
def _find(table: Places, known: Idents, idents: Idents) -> Places:
    table, known = borrowed(table), borrowed(known)
    found = np.empty(len(idents), np.int32)
    mask = len(table) - 1
    for i in range(len(idents)):
        at = idents[i, 0] & mask
        while table[at] != 0:
            place = table[at] - 1
            if known[place, 0] == idents[i, 0] and known[place, 1] == idents[i, 1]:
                break
            at = (at + 1) & mask
        found[i] = table[at] - 1
    return found


@entry
def _enter(table: Places, known: Idents, first: int, last: int) -> None:
    mask = len(table) - 1
    for place in range(first, last):
        at = known[place, 0] & mask
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = place + 1
