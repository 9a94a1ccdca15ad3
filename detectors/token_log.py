"""The token log: the tokens of payloads that wait. A row has the address of its own, and the log forgets what no row waits for."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detectors.ragged import Ints, places_of, starts_of
from detectors.record_tokens import TOKEN, Tokens


class TokenLog:
    """Tokens of batches by address. Addresses only grow while the log lives; each batch lasts until all its rows are taken."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._pieces: list[Tokens] = []
        self._waiting: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        """How many tokens are kept."""
        return sum(map(len, self._pieces))

    def add(self, tokens: Tokens, rows: int) -> int:
        """Take in the tokens that so many rows have; the address of the first."""
        first = self._next
        if len(tokens):
            self._firsts.append(first)
            self._pieces.append(tokens)
            self._waiting.append(rows)
            self._next += len(tokens)
        return first

    def take(self, addresses: Ints, sizes: Ints) -> Tokens:
        """The tokens of rows, end to end, which are then no longer waited for."""
        tokens = self.read(addresses, sizes)
        for piece, count in self._counts(addresses[sizes > 0]):
            self._waiting[piece] -= count
        if any(count <= 0 for count in self._waiting):
            kept = [it for it, count in enumerate(self._waiting) if count > 0]
            self._firsts = [self._firsts[it] for it in kept]
            self._pieces = [self._pieces[it] for it in kept]
            self._waiting = [self._waiting[it] for it in kept]
        return tokens

    def read(self, addresses: Ints, sizes: Ints) -> Tokens:
        """The tokens of rows, end to end."""
        starts = starts_of(sizes)
        found = np.empty(int(sizes.sum()), TOKEN)
        if not len(found):
            return found
        of = self._pieces_of(addresses)
        for piece in np.unique(of[sizes > 0]).tolist():
            own = np.flatnonzero((of == piece) & (sizes > 0))
            from_ = places_of(addresses[own] - self._firsts[piece], sizes[own])
            found[places_of(starts[own], sizes[own])] = self._pieces[piece][from_]
        return found

    def _counts(self, addresses: Ints) -> Iterator[tuple[int, int]]:
        pieces, counts = np.unique(self._pieces_of(addresses), return_counts=True)
        yield from zip(pieces.tolist(), counts.tolist(), strict=True)

    def _pieces_of(self, addresses: Ints) -> npt.NDArray[np.int64]:
        return np.searchsorted(np.array(self._firsts, np.int64), addresses, side="right") - 1
