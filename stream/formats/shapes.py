"""Shapes: which paths a JSON object has and of which types, each found once and then known by a number.

What a shape is does not depend on the order of fields, nor on how a number is written: 1.0 is an integer, as in JSON Schema. An object
whose names are data (`{"user_123": …}`) is folded: its values stand under `{*}`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

from detectors.record_paths import ITEMS, VALUES, joined, parent_of, step_of
from detectors.samples import ABSENT, Element
from stream.formats.caps import Caps
from stream.formats.declarations.compared import Declaration
from stream.formats.encodings import DataNames, DeclaredRecord

SHAPES_MAX: Final = 20_000
"""Shapes and parts of shapes remembered; when there are more, all are forgotten before the next batch."""
FIELDS_MAX: Final = 256
"""Names of one object; an object with more is folded."""
NAME_CHARS_MAX: Final = 128

_STRING, _INTEGER, _NUMBER, _BOOLEAN, _NULL, _EMPTY_OBJECT, _EMPTY_ARRAY = range(7)
_OWN: Final = ("string", "integer", "number", "boolean", "null", "object", "array")
_SCALARS: Final[dict[type, int]] = {str: _STRING, int: _INTEGER, bool: _BOOLEAN, type(None): _NULL}
_DATA = re.compile(
    r"\d+|[\w.-]*[_:#/.-]\d{3,}|[a-zA-Z]+\d{4,}|\d{4}-\d\d-\d\d.*|.+@.+\..+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*|(?=[a-fA-F]*\d)[0-9a-fA-F]{12,}",
    re.ASCII | re.DOTALL,
)
"""What is the name of no field: a number, something with a number of its own, a date, a mail address, a UUID, a hash."""

_Suffixes = frozenset[Element]
"""A shape by what stands at the end of paths: the value itself is the empty one."""


class Shape(NamedTuple):
    """A shape: what tells it from others on every machine, and its elements by number."""

    ident: int
    elements: npt.NDArray[np.int32]


class _Level(NamedTuple):
    """An object with certain names and types: those fields that have to be looked into, and by what, and what was found there so far."""

    own: tuple[tuple[str, int], ...]
    inner: tuple[tuple[str, Callable[[Any], int]], ...]
    inner_steps: tuple[str, ...]
    known: dict[tuple[int, ...], int]


class Shapes:
    """Shapes by number; `elements` are (path, type) by number.

    Args:
        caps: what bounds them.
        typed: that a number is whole says its type and not its value: 1.0 is no integer.
        declaration: what is declared of records that bring no declaration of their own.
    """

    def __init__(self, caps: Caps, *, typed: bool = False, declaration: Declaration | None = None) -> None:
        self._caps, self._declaration = caps, declaration
        self._whole = _NUMBER if typed else _INTEGER
        self._inside: dict[type, Callable[[Any], int]] = {
            dict: self._inner,
            list: self._items,
            float: self._fraction,
            DataNames: self._data,
        }
        self.forget()

    def forget(self) -> None:
        """Forget all shapes; the numbers given so far mean nothing any more."""
        self._levels: dict[tuple[Any, ...], _Level] = {}
        self._lists: dict[tuple[str, frozenset[int]], int] = {}
        self._numbers: dict[_Suffixes, int] = {}
        self._suffixes: list[_Suffixes] = []
        self._shapes: dict[int, Shape] = {}
        self._declared: dict[tuple[int, Declaration], int] = {}
        self._declarations: dict[int, Declaration] = {}
        self.elements: list[Element] = []
        self._element_numbers: dict[Element, int] = {}
        self._remembered = 0
        for own in _OWN:
            self._number(frozenset([("", own)]))
        self.unseen = self._number(frozenset())
        """The number of the shape of records that are not looked at."""

    @property
    def full(self) -> bool:
        """Whether it is time to forget."""
        return self._remembered > SHAPES_MAX

    def root(self, record: dict[str, Any]) -> int:
        """The number of a record's shape. That its names are data is believed only when they are very many."""
        number = self._folded(record) if len(record) > FIELDS_MAX else self._object(record, whole=True)
        return self._under(number, record.declaration) if type(record) is DeclaredRecord else number

    def _under(self, number: int, declaration: Declaration) -> int:
        """The number of a shape with a declaration of its own."""
        known = self._declared.get((number, declaration))
        if known is None:
            self._remembered += 1
            known = self._declared[number, declaration] = len(self._suffixes)
            self._suffixes.append(self._suffixes[number])
            self._declarations[known] = declaration
        return known

    def shape(self, number: int) -> Shape:
        """The shape of records with this number."""
        known = self._shapes.get(number)
        return known if known is not None else self._made(number)

    def elements_of(self, number: int) -> list[Element]:
        """The elements of the shape with this number."""
        return [self.elements[it] for it in self.shape(number).elements.tolist()]

    def _of(self, value: Any) -> int:
        kind = type(value)
        look = self._inside.get(kind)
        return _SCALARS[kind] if look is None else look(value)

    def _fraction(self, value: float) -> int:
        return self._whole if value.is_integer() else _NUMBER

    def _inner(self, value: dict[str, Any]) -> int:
        if len(value) > FIELDS_MAX:
            return self._folded(value)
        return self._object(value) if value else _EMPTY_OBJECT

    def _items(self, value: list[Any]) -> int:
        return self._list(ITEMS, "array", value) if value else _EMPTY_ARRAY

    def _data(self, value: DataNames) -> int:
        return self._folded(value) if value else _EMPTY_OBJECT

    def _object(self, value: dict[str, Any], *, whole: bool = False) -> int:
        key = (*value, *map(type, value.values()))
        level = self._levels.get(key)
        if level is None:
            if not whole and all(map(_DATA.fullmatch, value)):
                return self._folded(value)
            level = self._levels[key] = self._level(value)
        inside = tuple([look(value[name]) for name, look in level.inner])
        number = level.known.get(inside)
        if number is None:
            self._remembered += 1
            number = level.known[inside] = self._composed(level, inside)
        return number

    def _level(self, value: dict[str, Any]) -> _Level:
        own = [
            (self._step(name), _SCALARS[type(it)])
            for name, it in value.items()
            if type(it) not in self._inside
        ]
        inner = [(name, self._inside[type(it)]) for name, it in value.items() if type(it) in self._inside]
        return _Level(tuple(own), tuple(inner), tuple(self._step(name) for name, _ in inner), {})

    def _step(self, name: str) -> str:
        if len(name) > NAME_CHARS_MAX:
            self._caps.counts["limited", "record_name_chars_max"] += 1
            mark = f"~{xxh3_64_hexdigest(name.encode())}"
            name = name[: NAME_CHARS_MAX - len(mark)] + mark
        return step_of(name)

    def _composed(self, level: _Level, inside: tuple[int, ...]) -> int:
        fields = (*level.own, *zip(level.inner_steps, inside, strict=True))
        below = ((step + end, kind) for step, number in fields for end, kind in self._suffixes[number])
        return self._number(frozenset((("", "object"), *below)))

    def _folded(self, value: dict[str, Any]) -> int:
        return self._list(VALUES, "object", value.values())

    def _list(self, step: str, kind: str, values: Iterable[Any]) -> int:
        """The shape of an array or object of this `kind`, whose values all stand under the same step."""
        key = (step, frozenset(map(self._of, values)))
        number = self._lists.get(key)
        if number is None:
            self._remembered += 1
            found = _united([self._suffixes[it] for it in key[1]])
            below = ((step + end, of) for end, of in found)
            number = self._lists[key] = self._number(frozenset((("", kind), *below)))
        return number

    def _number(self, suffixes: _Suffixes) -> int:
        number = self._numbers.get(suffixes)
        if number is None:
            self._remembered += 1
            capped = self._capped(suffixes)
            number = self._numbers.setdefault(capped, len(self._suffixes))
            if number == len(self._suffixes):
                self._suffixes.append(capped)
        return number

    def _capped(self, suffixes: _Suffixes) -> _Suffixes:
        """The shape without paths that are too long, and of too many those first in the alphabet."""
        limits = self._caps.limits
        if any(len(path) > limits.schema_text_chars_max for path, _ in suffixes):
            self._caps.counts["limited", "schema_text_chars_max"] += 1
            suffixes = frozenset(it for it in suffixes if len(it[0]) <= limits.schema_text_chars_max)
        if len(suffixes) > limits.schema_fields_max:
            self._caps.counts["limited", "schema_fields_max"] += 1
            suffixes = frozenset(sorted(suffixes)[: limits.schema_fields_max])
        return suffixes

    def _made(self, number: int) -> Shape:
        elements = sorted((joined("", path), kind) for path, kind in self._suffixes[number])
        declaration = self._declarations.get(number, self._declaration)
        if declaration is not None:
            elements += [it.element for it in declaration.differences(elements)]
        text = "\n".join(f"{kind} {path}" for path, kind in elements)
        numbers = np.fromiter(map(self._element, elements), np.int32, len(elements))
        made = self._shapes[number] = Shape(xxh3_64_intdigest(text.encode()) >> 1, numbers)
        return made

    def _element(self, element: Element) -> int:
        number = self._element_numbers.setdefault(element, len(self.elements))
        if number == len(self.elements):
            self.elements.append(element)
        return number


def _united(shapes: list[_Suffixes]) -> _Suffixes:
    """All that some shapes have; and which fields one of them lacks in an object where another has it."""
    united = frozenset[Element]().union(*shapes)
    if len(shapes) == 1:
        return united
    fields = {path: parent_of(path) for path, _ in united if path and path[-1] not in "]}"}
    lacking: set[Element] = set()
    for shape in shapes:
        has = {path for path, kind in shape if kind != ABSENT}
        lacking.update(
            (path, ABSENT)
            for path, parent in fields.items()
            if path not in has and (parent, "object") in shape
        )
    return united | lacking
