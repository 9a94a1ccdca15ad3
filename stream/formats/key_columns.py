"""Key columns: many keys as they stand in sample batches, as columns, of which kernels take those that a batch needs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.compiled import entry
from detectors.memory import LINE_BYTES, fetch_line
from detectors.samples import Key, encode_key
from detectors.series import shard_of

Texts = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
NONE = -1
_AHEAD, _LINES = 8, 2
"""Of texts far apart in memory, the first lines of one so many places on are asked for."""


class Placed(NamedTuple):
    """A key as it stands in a sample batch, and the samples partition that owns its labels."""

    text: bytes
    ident: bytes
    kind: int
    shard: int


def placed(key: Key, shards: int) -> Placed:
    """A key, ready for sample batches."""
    return Placed(encode_key(key), key.ident, int(key.follower_kind), shard_of(key.labels, shards))


class KeyColumns(NamedTuple):
    """Keys: their texts end to end and where each ends, idents (two words each), kinds, and the shards that own them."""

    texts: Texts
    ends: Ints
    idents: Ints
    kinds: npt.NDArray[np.uint8]
    shards: Ints

    @classmethod
    def of(cls, keys: Sequence[Placed]) -> "KeyColumns":
        """These keys."""
        return cls(
            np.frombuffer(bytearray().join([key.text for key in keys]), np.uint8),
            np.cumsum([len(key.text) for key in keys], dtype=np.int64),
            np.frombuffer(bytearray().join([key.ident for key in keys]), np.int64).reshape(-1, 2),
            np.array([key.kind for key in keys], np.uint8),
            np.array([key.shard for key in keys], np.int64),
        )

    def __len__(self) -> int:
        return len(self.ends)

    def text(self, place: int) -> bytes:
        """The text of one key."""
        return self.texts[self.ends[place - 1] if place else 0 : self.ends[place]].tobytes()

    def then(self, more: "KeyColumns") -> "KeyColumns":
        """These keys, and others behind them."""
        return KeyColumns(
            np.append(self.texts, more.texts),
            np.append(self.ends, more.ends + len(self.texts)),
            np.concatenate([self.idents, more.idents]),
            np.append(self.kinds, more.kinds),
            np.append(self.shards, more.shards),
        )

    def take(self, places: Ints) -> "KeyColumns":
        """The keys at some places."""
        starts = np.where(places > 0, self.ends[places - 1], 0)
        ends = np.cumsum(self.ends[places] - starts)
        texts = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
        _copy(self.texts, starts, ends, texts)
        return KeyColumns(texts, ends, self.idents[places], self.kinds[places], self.shards[places])


@entry
def _copy(texts: Texts, starts: Ints, found_ends: Ints, found: Texts) -> None:
    """Copy the texts that begin at `starts` end to end; the copies end at `found_ends`."""
    at = 0
    for i in range(len(starts)):
        if i + _AHEAD < len(starts):
            for line in range(_LINES):
                fetch_line(texts, starts[i + _AHEAD], line * LINE_BYTES)
        size = found_ends[i] - at
        for byte in range(size):
            found[at + byte] = texts[starts[i] + byte]
        at += size


class KeyChoice(NamedTuple):
    """Some keys of many, by their places; their texts are copied only once it is known who needs which."""

    columns: KeyColumns
    places: Ints

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shards(self) -> Ints:
        """The shards that own the chosen keys."""
        return self.columns.shards[self.places]

    def take(self, numbers: Ints) -> KeyColumns:
        """Some of the chosen keys."""
        return self.columns.take(self.places[numbers])

    def then(self, more: KeyColumns) -> "KeyChoice":
        """The chosen keys, and others behind them."""
        chosen = self.columns.take(self.places) if len(self.places) else KeyColumns.of([])
        joined = chosen.then(more)
        return KeyChoice(joined, np.arange(len(joined)))


def numbers_of(size: int) -> Numbers:
    """What `numbered` needs for places from 0 to `size - 1`."""
    return np.full(size, NONE, np.int32)


def numbered(places: Ints, numbers: Numbers) -> tuple[Ints, Ints]:
    """The distinct places in the order in which they come, and for each place its number among them.

    `numbers` comes from `numbers_of`, for places at least as great, and may be used again.
    """
    distinct = np.empty(min(len(places), len(numbers)), np.int64)
    found = np.empty(len(places), np.int64)
    count = _number(places, numbers, distinct, found)
    return distinct[:count], found


@entry
def _number(places: Ints, numbers: Numbers, distinct: Ints, found: Ints) -> int:
    count = 0
    for i in range(len(places)):
        place = places[i]
        if numbers[place] == NONE:
            numbers[place] = count
            distinct[count] = place
            count += 1
        found[i] = numbers[place]
    for i in range(count):
        numbers[distinct[i]] = NONE
    return count
