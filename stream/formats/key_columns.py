"""Key columns: many keys as they stand in sample batches, as columns, of which kernels take those that a batch needs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.compiled import borrowed, entry
from detectors.samples import Key, encode_key
from detectors.series import shard_of

Texts = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
NONE = -1


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
            np.frombuffer(b"".join([key.text for key in keys]), np.uint8),
            np.cumsum([len(key.text) for key in keys], dtype=np.int64),
            np.frombuffer(b"".join([key.ident for key in keys]), np.int64).reshape(-1, 2),
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
        texts, ends = _texts(self.texts, self.ends, places)
        return KeyColumns(texts, ends, self.idents[places], self.kinds[places], self.shards[places])


@entry
def _texts(texts: Texts, ends: Ints, places: Ints) -> tuple[Texts, Ints]:
    """The texts at some places, end to end, and where each ends."""
    texts, ends = borrowed(texts), borrowed(ends)
    found_ends = np.empty(len(places), np.int64)
    size = 0
    for i in range(len(places)):
        place = places[i]
        size += ends[place] - (ends[place - 1] if place > 0 else 0)
        found_ends[i] = size
    found = np.empty(size, np.uint8)
    at = 0
    for i in range(len(places)):
        start = ends[places[i]] - (found_ends[i] - at)
        for j in range(found_ends[i] - at):
            found[at + j] = texts[start + j]
        at = found_ends[i]
    return found, found_ends


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


@entry
def numbered(places: Ints, numbers: Numbers) -> tuple[Ints, Ints]:
    """The distinct places in the order in which they come, and for each place its number among them.

    `numbers` comes from `numbers_of`, for places at least as great, and may be used again.
    """
    places, numbers = borrowed(places), borrowed(numbers)
    distinct = np.empty(min(len(places), len(numbers)), np.int64)
    found = np.empty(len(places), np.int64)
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
    return distinct[:count], found
