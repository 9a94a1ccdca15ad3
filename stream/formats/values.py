"""The values of a fetched batch: end to end in one buffer, as kernels read them, and one by one, as decoders do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, overload

import numpy as np
import numpy.typing as npt

KEY: Final = ""
"""Stands for the records' keys among the names of headers."""


class Values(Sequence[bytes | None]):
    """Values of consecutive records; None is a tombstone.

    Args:
        joined: all of them, end to end; it is made read-only.
        ends: where each ends in `joined`, so the next one begins there.
        tombstones: which are None; they take no room.
        besides: what else the records have, as far as it is asked for: by the name of a header its values, the last of a
            record if it has several, and under `KEY` the keys; None where a record has none.

    >>> values = Values.of([b"a", None, b"", b"bcd"])
    >>> values.joined.tobytes(), values.ends.tolist(), list(values[2:])
    (b'abcd', [1, 1, 1, 4], [b'', b'bcd'])
    """

    __slots__ = ("besides", "ends", "joined", "shares", "tombstones")

    def __init__(
        self,
        joined: npt.NDArray[np.uint8],
        ends: npt.NDArray[np.int64],
        tombstones: npt.NDArray[np.bool_],
        besides: "Mapping[str, Values] | None" = None,
    ) -> None:
        joined.flags.writeable = False
        self.joined, self.ends, self.tombstones = joined, ends, tombstones
        self.besides: Mapping[str, Values] = besides or {}
        self.shares: npt.NDArray[np.float64] | None = None
        """Of each record the share of its like that is looked at, where that is not all or the same throughout."""

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> "Values":
        """These values, joined; what is joined already stays as it is."""
        if isinstance(values, Values):
            return values
        present = [value or b"" for value in values]
        ends = np.cumsum(np.fromiter(map(len, present), np.int64, len(present)))
        tombstones = np.fromiter((value is None for value in values), np.bool_, len(present))
        return cls(np.frombuffer(b"".join(present), np.uint8), ends, tombstones)

    def beside(self, besides: "Mapping[str, Values]") -> "Values":
        """The same values with these beside them."""
        return Values(self.joined, self.ends, self.tombstones, besides)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many bytes each has."""
        return np.diff(self.ends, prepend=0)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> "Values": ...
    def __getitem__(self, index: int | slice) -> "bytes | Values | None":
        if isinstance(index, slice):
            return self._part(*index.indices(len(self)))
        index = range(len(self))[index]
        if self.tombstones[index]:
            return None
        return self.joined[self._start(index) : self.ends[index]].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        joined, start = self.joined.tobytes(), 0
        for end, tombstone in zip(self.ends.tolist(), self.tombstones.tolist(), strict=True):
            yield None if tombstone else joined[start:end]
            start = end

    def _part(self, first: int, last: int, step: int) -> "Values":
        if step != 1:
            raise ValueError("values are cut into consecutive ones only")
        besides = {name: part._part(first, last, step) for name, part in self.besides.items()}  # noqa: SLF001  its own kind
        if last <= first:
            return Values.of([]).beside(besides)
        start = self._start(first)
        joined = self.joined[start : self.ends[last - 1]]
        return Values(joined, self.ends[first:last] - start, self.tombstones[first:last], besides)

    def _start(self, index: int) -> int:
        return int(self.ends[index - 1]) if index else 0
