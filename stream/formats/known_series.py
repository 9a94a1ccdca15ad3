"""Known series: which key a scanned event's ident means, remembered from batch to batch."""

from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from detectors.compiled import entry
from detectors.samples import Key
from stream.formats.key_columns import KeyChoice, KeyColumns, numbered, numbers_of, placed

KNOWN_MAX: Final = 1_000_000
"""Series remembered; when there are more, all are forgotten and learned anew. Each takes some 200 bytes."""
UNKNOWN: Final = -1
_PLACES_START: Final = 1 << 11
_TEXT_START: Final = 1 << 17

Idents = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]
Column = TypeVar("Column", bound=npt.NDArray[Any])


class KnownSeries:
    """Keys by ident (two words of 64 bits, evenly spread), in an open-addressing hash table."""

    def __init__(self, shards: int, known_max: int = KNOWN_MAX) -> None:
        self._shards, self._known_max = shards, known_max
        self._forget()

    def _forget(self) -> None:
        self._count = self._text_bytes = 0
        self._idents = np.zeros((_PLACES_START, 2), np.int64)
        self._table = np.zeros(2 * _PLACES_START, np.int32)
        self._numbers = numbers_of(_PLACES_START)
        self._keys = KeyColumns(
            np.zeros(_TEXT_START, np.uint8),
            np.zeros(_PLACES_START, np.int64),
            np.zeros((_PLACES_START, 2), np.int64),
            np.zeros(_PLACES_START, np.uint8),
            np.zeros(_PLACES_START, np.int64),
        )

    @property
    def keys(self) -> KeyColumns:
        """The keys by place; what lies behind the known ones means nothing. They stay as they are when more are added."""
        return self._keys

    def choice(self, places: Places) -> tuple[KeyChoice, Places]:
        """The distinct keys at some places, and for each place the number of its key among them."""
        distinct, numbers = numbered(places, self._numbers)
        return KeyChoice(self._keys, distinct), numbers

    def find(self, idents: Idents) -> Places:
        """Where the keys of these idents are, UNKNOWN for those that are not."""
        found = np.empty(len(idents), np.int64)
        _find(self._table, self._idents, idents, found)
        return found

    def make_room(self, more: int) -> bool:
        """Before so many are added: forget all if they would be too many; whether that was so."""
        if self._count + more > self._known_max and self._count:
            self._forget()
            return True
        return False

    def add(self, ident: npt.NDArray[np.int64], key: Key) -> None:
        """Remember a key."""
        text, key_ident, kind, shard = placed(key, self._shards)
        place, end = self._count, self._text_bytes + len(text)
        self._reserve(place + 1, end)
        keys = self._keys
        keys.texts[self._text_bytes : end] = np.frombuffer(text, np.uint8)
        keys.idents[place] = np.frombuffer(key_ident, np.int64)
        keys.ends[place], keys.kinds[place], keys.shards[place] = end, kind, shard
        self._idents[place] = ident
        self._count, self._text_bytes = place + 1, end
        _enter(self._table, self._idents, place, place + 1)

    def _reserve(self, places: int, text_bytes: int) -> None:
        texts, ends, idents, kinds, shards = self._keys
        if text_bytes > len(texts):
            texts = _longer(texts, 2 * text_bytes)
        if places > len(ends):
            size = 2 * places
            ends, idents, kinds, shards = (
                _longer(ends, size),
                _longer(idents, size),
                _longer(kinds, size),
                _longer(shards, size),
            )
            self._grow(size)
        self._keys = KeyColumns(texts, ends, idents, kinds, shards)

    def _grow(self, size: int) -> None:
        self._idents, self._numbers = _longer(self._idents, size), numbers_of(size)
        self._table = np.zeros(1 << (2 * size - 1).bit_length(), np.int32)
        _enter(self._table, self._idents, 0, self._count)


def _longer(column: Column, size: int) -> Column:
    """A column with room for so many."""
    longer = np.zeros((size, *column.shape[1:]), column.dtype)
    longer[: len(column)] = column
    return cast("Column", longer)


@entry
def _find(table: Table, known: Idents, idents: Idents, found: Places) -> None:
    mask = len(table) - 1
    for i in range(len(idents)):
        at = idents[i, 0] & mask
        while table[at] != 0:
            place = table[at] - 1
            if known[place, 0] == idents[i, 0] and known[place, 1] == idents[i, 1]:
                break
            at = (at + 1) & mask
        found[i] = table[at] - 1


@entry
def _enter(table: Table, known: Idents, first: int, last: int) -> None:
    mask = len(table) - 1
    for place in range(first, last):
        at = known[place, 0] & mask
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = place + 1
