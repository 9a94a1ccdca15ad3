"""Looks at records: of each its shape, its values, and what stands where its time, labels and id should.

As long as JSON records follow on each other with the same plain fields, each is read as the one before: a decoder made for just these fields gives
their values in the order of their tokens, with no names and types to look at. What it refuses is read as any record is.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import astuple

from detectors.record_paths import field_names
from detectors.record_tokens import value_paths
from stream.formats.decoding import DECODE_ERRORS
from stream.formats.encodings.choice import Encoding
from stream.formats.gathering import Pick, picker
from stream.formats.shapes import Shapes
from stream.formats.tokens import Tokenizer

KINDS_MAX: Final = 100
"""Kinds of records remembered until all shapes are forgotten; those of others are read as any record is."""
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

FieldPath = tuple[str, ...]
"""The names that lead to a field, from the outside in."""

Look = tuple[int, Sequence[Any]]
"""What is kept of a record: the number of its shape, and what stands at some paths in it."""


class _Kind(NamedTuple):
    """Records with the same plain fields: what decodes them, which of their values are wanted, which may be whole or not, and their shape by which of these are."""

    decode: Callable[[bytes], Any]
    wanted: Pick
    fractions: Pick
    shapes: dict[tuple[bool, ...], int]


class Looks:
    """Looks at records, and keeps their values until tokens are asked for.

    Args:
        encoding: how records are read.
        shapes: gives them their numbers.
        tokenizer: keeps their values.
        wanted: the paths at which something is wanted.
    """

    def __init__(
        self, encoding: Encoding, shapes: Shapes, tokenizer: Tokenizer, wanted: tuple[FieldPath, ...]
    ) -> None:
        self._decode, self._shapes, self._tokenizer, self._wanted = encoding.decode, shapes, tokenizer, wanted
        self._kinds_max = KINDS_MAX if encoding.bare else 0
        self.forget()

    def forget(self) -> None:
        """Forget all shapes, whose numbers mean nothing any more."""
        self._kinds: dict[int, _Kind | None] = {}
        self._kind: _Kind | None = None
        self._last = self._shapes.unseen

    def read(self, value: bytes) -> Look:
        """Look at the record in a value.

        Raises:
            UnreadableError: there is none; or what a decoder raises.
        """
        kind = self._kind
        if kind is None:
            return self._read(value)
        try:
            values = astuple(kind.decode(value))
        except DECODE_ERRORS:
            self._kind = None
            return self._read(value)
        whole = tuple(map(float.is_integer, kind.fractions(values)))
        shape = kind.shapes.get(whole)
        if shape is None:
            look = self.at(self._decode(value))
            kind.shapes[whole] = look[0]
            return look
        self._tokenizer.keep(values)
        return shape, kind.wanted(values)

    def at(self, record: dict[str, Any]) -> Look:
        """Look at a record."""
        return self._tokenizer.gather(record), self._found(record)

    def past(self, record: dict[str, Any]) -> Look:
        """Pass over a record, which is counted and has no values."""
        return self._tokenizer.pass_over(), self._found(record)

    def _found(self, record: dict[str, Any]) -> Sequence[Any]:
        return [_at(record, path) for path in self._wanted]

    def _read(self, value: bytes) -> Look:
        record = self._decode(value)
        look = self.at(record)
        if look[0] == self._last:
            self._kind = self._kind_of(look[0], record)
        self._last = look[0]
        return look

    def _kind_of(self, shape: int, record: dict[str, Any]) -> _Kind | None:
        known = self._kinds.get(shape)
        if known is None and shape not in self._kinds and len(self._kinds) < self._kinds_max:
            paths = value_paths(self._shapes.elements_of(shape))
            names = [field_names(path)[0] for path in paths]
            known = self._kinds[shape] = _kind_of(names, record, self._wanted)
        return known


def _kind_of(names: list[str], record: dict[str, Any], wanted: tuple[FieldPath, ...]) -> _Kind | None:
    """The records with the fields of this one; None unless these are all plain and have such names, and what is wanted are some of them.

    Where there was a fraction a whole number is read as one: what is wanted must not change by that.
    """
    types = {name: type(value) for name, value in record.items()}
    if not _PLAIN.issuperset(types.values()) or set(names) != types.keys():
        return None
    exact: dict[FieldPath, int] = {
        (name,): place for place, name in enumerate(names) if types[name] is not float
    }
    fields = {f"field_{place}": name for place, name in enumerate(names)}
    try:
        places = [exact[path] for path in wanted]
        typed = [(field, types[name]) for field, name in fields.items()]
        kind = msgspec.defstruct("Record", typed, rename=fields, forbid_unknown_fields=True, gc=False)
    except (KeyError, ValueError):
        return None
    fractions = [place for place, name in enumerate(names) if types[name] is float]
    return _Kind(msgspec.json.Decoder(kind).decode, picker(places), picker(fractions), {})


def _at(item: Any, path: FieldPath) -> Any:
    for name in path:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item
