"""Records of one kind side by side, as kernels need them, and as named blocks of bytes, of which only changed ones are stored.

The bytes are the records as they lie in memory, packed and little-endian on every machine: memory layout is the format, so
whoever stores blocks says with which version of the layout.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records

GROWTH = 3.0
"""Room that is not used costs no memory, and every time there is more of it all records are copied to pages that have to be cleared."""


class RecordArray:
    r"""A growing array of records. Kernels mark `dirty[place >> block_bits]` when they change a record.

    >>> counts = RecordArray("counts", np.dtype([("n", "<i8")]), block_bits=1)
    >>> counts.reserve(0, 3)
    >>> counts.data["n"][2], counts.dirty[1] = 7, 1
    >>> list(counts.changed(3))
    [('counts-000001', b'\x07\x00\x00\x00\x00\x00\x00\x00')]
    """

    def __init__(self, name: str, dtype: np.dtype[np.void], block_bits: int) -> None:
        self._name, self._bits = name, block_bits
        self.data: Records = np.zeros(0, dtype)
        self.dirty: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)

    def reserve(self, used: int, more: int) -> None:
        """Make room for `more` records beyond the first `used`, which are kept.

        New ones are all zero bytes, and cost no memory until they are used; what counts as used from the start is changed.
        """
        if used + more <= len(self.data):
            return
        kept = min(used, len(self.data))
        blocks = (int(used * GROWTH) + 2 * more >> self._bits) + 1
        data = np.zeros(blocks << self._bits, self.data.dtype)
        data[:kept] = self.data[:kept]
        dirty = np.zeros(blocks, np.uint8)
        dirty[: len(self.dirty)] = self.dirty
        dirty[: used > kept] = 1
        self.data, self.dirty = data, dirty

    def blocks(self, used: int) -> Iterator[tuple[str, bytes]]:
        """Every block that holds one of the first `used` records, by name."""
        for block in range((used + (1 << self._bits) - 1) >> self._bits):
            yield self._block(block, used)

    def changed(self, used: int) -> Iterator[tuple[str, bytes]]:
        """The blocks that are marked dirty, by name; they are then clean."""
        for block in np.flatnonzero(self.dirty).tolist():
            yield self._block(block, used)
        self.dirty[:] = 0

    def load(self, blocks: Mapping[str, bytes], used: int) -> None:
        """Take over dumped blocks that hold `used` records; all of them count as changed.

        Raises:
            ValueError: a block is missing, or of another size than its records.
        """
        self.data, self.dirty = np.zeros(0, self.data.dtype), np.zeros(0, np.uint8)
        self.reserve(0, used)
        for block in range((used + (1 << self._bits) - 1) >> self._bits):
            name, part = self._named(block), self._part(block, used)
            raw = blocks.get(name)
            if raw is None or len(raw) != self.data[part].nbytes:
                size = "missing" if raw is None else f"{len(raw)} bytes"
                raise ValueError(f"block {name} of the detectors' state is damaged: {size}")
            self.data[part] = np.frombuffer(raw, self.data.dtype)
            self.dirty[block] = 1

    def _block(self, block: int, used: int) -> tuple[str, bytes]:
        return self._named(block), self.data[self._part(block, used)].tobytes()

    def _named(self, block: int) -> str:
        return f"{self._name}-{block:06}"

    def _part(self, block: int, used: int) -> slice:
        return slice(block << self._bits, min((block + 1) << self._bits, used))
