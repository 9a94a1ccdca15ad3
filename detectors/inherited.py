"""Inherited fences: up to which source offset a series is known that came from another shard, when others of its new shard are not so far.

Shards store their states at different moments. Where their series are spread anew, a shard begins at the least fence of those that its series
come from, and a series skips what the shard it lay in had read beyond that. In which one it lay follows from its labels, so it holds for series
that come up only then as well. An entry is dropped once all are past it.
"""

from collections.abc import Callable, Iterable
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.samples import Key
from detectors.series import shard_of

Ints = npt.NDArray[np.int64]
NOTHING_READ = -1


class Fences(msgspec.Struct, array_like=True):
    """How far each of so many shards had read a source partition: the last offset by shard."""

    topic: str
    partition: int
    last_offsets: list[int]


class Inherited:
    """The fences that series of one shard brought along."""

    def __init__(self, entries: Iterable[Fences] = ()) -> None:
        self._entries = list(entries)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def fences(
        self, source: tuple[str, int], followers: npt.NDArray[np.int32], key_of: Callable[[int], Key]
    ) -> Ints:
        """The last offset of a source partition that each of these followers has read; those below 0 are nobody."""
        entries = [it for it in self._entries if (it.topic, it.partition) == source]
        if not entries:
            return np.full(len(followers), NOTHING_READ)
        distinct, numbers = np.unique(followers, return_inverse=True)
        known = [_fence(entries, key_of(it)) if it >= 0 else NOTHING_READ for it in distinct.tolist()]
        return np.array(known, np.int64)[numbers]

    def pass_by(self, source: tuple[str, int], last_offset: int) -> None:
        """The shard has read a source partition so far."""
        if self._entries:
            self._entries = [
                it
                for it in self._entries
                if (it.topic, it.partition) != source or max(it.last_offsets) > last_offset
            ]

    def dump(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self._entries)

    @classmethod
    def loaded(cls, dumped: bytes | None) -> Self:
        """What was dumped; None of a state in which nothing was ever inherited."""
        return cls(msgspec.msgpack.decode(dumped, type=list[Fences]) if dumped else ())


def _fence(entries: list[Fences], key: Key) -> int:
    return max(it.last_offsets[shard_of(key.labels, len(it.last_offsets))] for it in entries)
