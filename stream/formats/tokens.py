"""Tokens of a batch of records: a few bits of each value, found for all records together, a kind of values at a time.

A record's values are gathered in the order of its shape's paths; then numbers, texts and flags are each looked at in one go.
"""

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, compress, repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from detectors.ragged import Ints, places_of, starts_of
from detectors.record_paths import ITEMS, VALUES, steps
from detectors.record_tokens import (
    FALSE,
    HASH_BITS,
    LENGTH_SHIFT,
    NULL,
    TEXT_HASH_MASK,
    TRUE,
    VALUE_PATHS_MAX,
    Tokens,
    length_code,
    number_tokens,
    value_paths,
)
from stream.formats.caps import Caps
from stream.formats.gathering import Gather, gatherer
from stream.formats.shapes import NAME_CHARS_MAX, Shapes
from stream.formats.text_formats import format_code

TEXTS_MAX: Final = 50_000
"""Texts whose tokens are remembered; when there are more, all are forgotten before the next batch."""
CHARS_MAX: Final = 64
"""A longer text is not remembered."""
HASHED_CHARS_MAX: Final = 1_024
"""Of a longer text its beginning and its length are hashed."""

_MIXED, _STRING, _NUMBER, _BOOLEAN, _NULL, _OTHER = range(6)
_KINDS: Final = {
    "string": _STRING,
    "integer": _NUMBER,
    "number": _NUMBER,
    "boolean": _BOOLEAN,
    "null": _NULL,
}
_BY_TYPE: Final = {str: _STRING, int: _NUMBER, float: _NUMBER, bool: _BOOLEAN, type(None): _NULL}
_FLOAT_MAX: Final = int(sys.float_info.max)
_FLAGS: Final = np.array([FALSE << HASH_BITS, TRUE << HASH_BITS], np.uint32)


class Tokenizer(dict[int, Gather]):
    """Makes tokens; what it remembers changes nothing but how long it takes.

    By the number of a shape, it is what gathers the values of a record.
    """

    def __init__(self, caps: Caps, shapes: Shapes) -> None:
        super().__init__()
        self._caps, self._shapes = caps, shapes
        self._texts = _Texts()
        self._kinds: dict[int, npt.NDArray[np.int8]] = {}
        self._values: list[Any] = []

    def gather(self, record: dict[str, Any]) -> int:
        """Keep the values of a record until `tokens` asks for them; the number of its shape."""
        shape = self._shapes.root(record)
        self._values += self[shape](record)
        return shape

    def keep(self, values: Iterable[Any]) -> None:
        """Keep the values of a record that were gathered already."""
        self._values += values

    def pass_over(self) -> int:
        """The number of the shape of records that are not looked at: they have no values."""
        return self._shapes.unseen if self._shapes.unseen in self else self._passed_over()

    def _passed_over(self) -> int:
        self[self._shapes.unseen] = gatherer((), sure=True)
        self._kinds[self._shapes.unseen] = np.zeros(0, np.int8)
        return self._shapes.unseen

    def __missing__(self, number: int) -> Gather:
        elements = self._shapes.elements_of(number)
        paths = value_paths(elements)
        own = [steps(path) for path in paths]
        sure = max((len(step) for it in own for step in it), default=0) < NAME_CHARS_MAX
        kinds = dict(it for it in elements if it[1] in _KINDS)
        if len(kinds) > VALUE_PATHS_MAX:
            self._caps.counts["limited", "record_values_max"] += 1
        codes = [
            _KINDS[kinds[path]] if sure and ITEMS not in it and VALUES not in it else _MIXED
            for path, it in zip(paths, own, strict=True)
        ]
        self._kinds[number] = np.array(codes, np.int8)
        gather = self[number] = gatherer(paths, sure=sure)
        return gather

    def forget(self) -> None:
        """Forget all shapes, whose numbers mean nothing any more."""
        self.clear()
        self._kinds.clear()

    def tokens(self, shapes: Sequence[int]) -> tuple[Tokens, Ints]:
        """The tokens of the records gathered last, end to end, and how many each record has; their shapes have these numbers."""
        values, self._values = self._values, []
        self._texts.make_room()
        if not shapes:
            return np.zeros(0, np.uint32), np.zeros(0, np.int64)
        numbers = sorted(set(shapes))
        of = np.searchsorted(numbers, shapes)
        kinds = [self._kinds[number] for number in numbers]
        sizes = np.array([len(own) for own in kinds], np.int64)
        places = places_of(starts_of(sizes)[of], sizes[of])
        values = values[len(values) - len(places) :]
        if len({own.tobytes() for own in kinds}) == 1 and sizes[0]:
            return self._columns(values, kinds[0]), sizes[of]
        return self._tokens(values, np.concatenate(kinds)[places]), sizes[of]

    def _columns(self, values: list[Any], kinds: npt.NDArray[np.int8]) -> Tokens:
        """The tokens of records whose values are all of the same kinds in the same order."""
        width = len(kinds)
        tokens = np.zeros((len(values) // width, width), np.uint32)
        for kind in set(kinds.tolist()):
            columns = np.flatnonzero(kinds == kind)
            own = list(chain.from_iterable(values[it::width] for it in columns.tolist()))
            tokens[:, columns] = self._of_kind(kind, own).reshape(len(columns), -1).T
        return tokens.ravel()

    def _tokens(self, values: list[Any], kinds: npt.NDArray[np.int8]) -> Tokens:
        tokens = np.zeros(len(values), np.uint32)
        present = np.flatnonzero(np.bincount(kinds)).tolist()
        for kind in present:
            if kind == _OTHER:
                continue
            if kind == _NULL:
                tokens[kinds == kind] = NULL << HASH_BITS
                continue
            where = kinds == kind
            own = values if len(present) == 1 else list(compress(values, where.tobytes()))
            tokens[where] = self._of_kind(kind, own)
        return tokens

    def _of_kind(self, kind: int, values: list[Any]) -> Tokens:
        if kind == _STRING:
            return np.fromiter(map(self._texts.__getitem__, values), np.uint32, len(values))
        if kind == _NUMBER:
            return number_tokens(_floats(values))
        if kind == _BOOLEAN:
            return _FLAGS[np.frombuffer(bytes(values), np.uint8)]
        own = np.fromiter(map(_BY_TYPE.get, map(type, values), repeat(_OTHER)), np.int8, len(values))
        return self._tokens(values, own)


def _floats(values: list[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([min(max(it, -_FLOAT_MAX), _FLOAT_MAX) for it in values], np.float64)


class _Texts(dict[str, int]):
    """The tokens of texts."""

    def __missing__(self, text: str) -> int:
        hashed = text if len(text) <= HASHED_CHARS_MAX else f"{text[:HASHED_CHARS_MAX]} {len(text)}"
        digest = xxh3_64_intdigest(hashed.encode("utf-8", "surrogatepass"))
        token = (
            format_code(text) << HASH_BITS | length_code(len(text)) << LENGTH_SHIFT | digest & TEXT_HASH_MASK
        )
        if len(text) <= CHARS_MAX:
            self[text] = token
        return token

    def make_room(self) -> None:
        """Forget all texts when they are too many."""
        if len(self) > TEXTS_MAX:
            self.clear()
