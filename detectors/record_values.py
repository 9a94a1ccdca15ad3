"""The values of a block of payloads, path by path: how many have which code, how often each word, and which records they stand in."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.ragged import Ints
from detectors.record_blocks import Block, Place, Seen
from detectors.record_maps import folded_path
from detectors.record_tokens import HASH_BITS, WORDS, Tokens

_WORD: Final = np.uint32(WORDS << HASH_BITS)


Chosen = Callable[[Tokens], npt.NDArray[np.bool_]]
"""Which of some tokens are meant."""


class Slots:
    """Numbers of paths, and which of them each shape has a token for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self._of: dict[int, Ints] = {}
        self._sizes: tuple[Ints, Ints] | None = None

    def know(self, ident: int, paths: tuple[str, ...]) -> None:
        """Take in a shape."""
        for path in paths:
            if self._numbers.setdefault(path, len(self.paths)) == len(self.paths):
                self.paths.append(path)
        self._of[ident] = np.array([self._numbers[path] for path in paths], np.int64)
        self._sizes = None

    def of(self, ident: int) -> Ints:
        """The numbers of a shape's paths, in the order of its tokens."""
        return self._of[ident]

    def sizes(self, idents: Ints) -> Ints:
        """How many tokens payloads of these shapes have."""
        if self._sizes is None:
            known = sorted(self._of)
            sizes = [len(self._of[ident]) for ident in known]
            self._sizes = np.array(known, np.int64), np.array(sizes, np.int64)
        known_idents, known_sizes = self._sizes
        return known_sizes[np.searchsorted(known_idents, idents)]


class Look(NamedTuple):
    """The values at one path: how many by code, each token once and how often; what finds where some are, and all from a payload of the block on."""

    codes: dict[int, int]
    tokens: Tokens
    counts: Ints
    find: Callable[[Chosen], Seen]
    since: Callable[[int], Tokens]

    def codes_since(self, payload: int) -> dict[int, int]:
        """How many there are by code from this payload of the block on."""
        codes, counts = np.unique(self.since(payload) >> HASH_BITS, return_counts=True)
        return dict(zip(codes.tolist(), counts.tolist(), strict=True))

    def find_code(self, code: int) -> Seen:
        """Where values of this code are."""
        return self.find(lambda tokens: tokens >> HASH_BITS == code)

    def words(self) -> dict[int, int]:
        """How often each text came that has no format of its own."""
        first, end = np.searchsorted(self.tokens, [_WORD, np.uint32((WORDS + 1) << HASH_BITS)])
        return dict(zip(self.tokens[first:end].tolist(), self.counts[first:end].tolist(), strict=True))


class BlockValues:
    """All values of one block."""

    def __init__(self, block: Block, slots: Slots, folded: list[str]) -> None:
        self._rows, self._tokens = block.payloads(), block.values()
        own = {ident: slots.of(ident) for ident in np.unique(self._rows["shape"]).tolist()}
        if len(own) == 1:
            (slot,) = own.values()
            self._slots = np.tile(slot, len(self._rows))
        elif own:
            self._slots = np.concatenate([own[ident] for ident in self._rows["shape"].tolist()])
        else:
            self._slots = np.zeros(0, np.int64)
        self._sizes = {ident: len(slot) for ident, slot in own.items()}
        self._paths = self._fold(slots.paths, folded) if folded else dict(enumerate(slots.paths))

    def _fold(self, paths: list[str], folded: list[str]) -> dict[int, str]:
        """Names of the paths by number; those that are folded to one have one number."""
        present = np.unique(self._slots).tolist()
        names = {number: folded_path(paths[number], folded) for number in present}
        first = {name: number for number, name in reversed(names.items())}
        same = np.arange(len(paths))
        for number, name in names.items():
            same[number] = first[name]
        self._slots = same[self._slots]
        return names

    def looks(self) -> Iterator[tuple[str, Look]]:
        """The values at each path that has any, in the order of the alphabet."""
        slots, tokens = self._sorted()
        if not len(tokens):
            return
        starts = _starts(slots, tokens)
        of, tokens, counts = slots[starts], tokens[starts], np.diff(np.append(starts, len(tokens)))
        coded = tokens >> HASH_BITS
        starts = _starts(of, coded)
        totals = np.add.reduceat(counts, starts)
        codes: dict[int, dict[int, int]] = {}
        columns = (of[starts].tolist(), coded[starts].tolist(), totals.tolist())
        for number, code, total in zip(*columns, strict=True):
            codes.setdefault(number, {})[code] = total
        firsts = np.searchsorted(of, list(codes)).tolist()
        ends = [*firsts[1:], len(of)]
        parts = {number: slice(a, b) for number, a, b in zip(codes, firsts, ends, strict=True)}
        for number in sorted(codes, key=self._paths.__getitem__):
            part = parts[number]
            find, since = partial(self._find, number), partial(self._since, number)
            yield self._paths[number], Look(codes[number], tokens[part], counts[part], find, since)

    def _sorted(self) -> tuple[Ints, Tokens]:
        """All tokens of values, path by path in their order, and the number of the path of each."""
        present = np.flatnonzero(self._tokens >> HASH_BITS)
        slots, tokens = self._slots[present], self._tokens[present]
        order = np.argsort(slots.astype(np.min_scalar_type(slots.max(initial=0))), kind="stable")
        slots, tokens = slots[order], tokens[order]
        for part in np.split(tokens, _starts(slots)):
            part.sort()
        return slots, tokens

    def at(self, path: str, place: Place) -> int | None:
        """The token of the value at a path of the payload at this place (source, offset), if there is one."""
        rows = np.flatnonzero((self._rows["source"] == place[0]) & (self._rows["offset"] == place[1]))
        if not len(rows):
            return None
        ends, row = self._ends(), int(rows[0])
        inside = slice(int(ends[row - 1]) if row else 0, int(ends[row]))
        for number, token in zip(self._slots[inside].tolist(), self._tokens[inside].tolist(), strict=True):
            if self._paths[number] == path:
                return int(token)
        return None

    def _since(self, number: int, payload: int) -> Tokens:
        first = int(self._ends()[payload - 1]) if payload else 0
        return self._tokens[first:][self._slots[first:] == number]

    def _find(self, number: int, chosen: Chosen) -> Seen:
        tokens = np.flatnonzero((self._slots == number) & chosen(self._tokens))
        rows = np.searchsorted(self._ends(), tokens[[0, -1]], side="right")
        first, last = rows.tolist()
        places = [(int(row["source"]), int(row["offset"])) for row in self._rows[rows]]
        return Seen(len(tokens), first, last, *places)

    def _ends(self) -> Ints:
        """Where the tokens of each payload end."""
        sizes = [self._sizes[ident] for ident in self._rows["shape"].tolist()]
        return np.cumsum(np.array(sizes, np.int64))


def _starts(*columns: npt.NDArray[Any]) -> Ints:
    """Where rows begin that differ from the one before."""
    changed = [np.diff(column) != 0 for column in columns]
    return np.append(0, np.flatnonzero(np.any(changed, axis=0)) + 1)


def counted(totals: Mapping[int, float], more: Mapping[int, float]) -> dict[int, float]:
    """The sums of two counts."""
    return {key: totals.get(key, 0.0) + more.get(key, 0.0) for key in totals.keys() | more.keys()}
