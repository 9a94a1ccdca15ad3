"""Declared of records: where records differ from the schema that is declared for them, told once and for as long as it lasts.

Which difference a shape has is known where records are read, and comes along as an element of the shape. Here differences are counted in
each block: one that is new is told with its share and place, and again every half of a quiet time, so that its episode lasts as long as it does.
A difference that has not been seen for a quiet time is over, and would be told anew.

Cost: one look at each shape of a block. State: when each difference was told and seen last, of at most `DIFFERENCES_MAX`.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from detectors.episodes import QUIET_MS
from detectors.record_blocks import Block, Seen
from detectors.record_changes import Found
from detectors.samples import Element

UNDECLARED: Final = "field_undeclared"
LACKING: Final = "field_lacking"
TYPE: Final = "type_undeclared"
NULL: Final = "null_undeclared"
CHANGES: Final = (UNDECLARED, LACKING, TYPE, NULL)
"""A field that is declared nowhere; one that is required and absent; another type than declared; null where none is declared."""
DIFFERENCES_MAX: Final = 100
AGAIN_MS: Final = QUIET_MS // 2
_MARK: Final = "!"
_BETWEEN: Final = "|"


class Difference(NamedTuple):
    """What a shape has at a path and what is declared there."""

    change: str
    path: str
    declared: str
    observed: str

    @property
    def key(self) -> str:
        """What tells it from others."""
        return " ".join(self)

    @property
    def element(self) -> Element:
        """The same as an element of a shape."""
        return self.path, _MARK + _BETWEEN.join((self.change, self.declared, self.observed))


def is_difference(element: Element) -> bool:
    """Whether an element of a shape is a difference, and nothing that a record has."""
    return element[1].startswith(_MARK)


def differences_of(elements: Iterable[Element]) -> tuple[Difference, ...]:
    """The differences among the elements of a shape.

    >>> it = Difference("type_undeclared", "id", "string", "integer")
    >>> differences_of([("id", "integer"), it.element]) == (it,)
    True
    """
    found = []
    for path, text in filter(is_difference, elements):
        change, declared, observed = text[len(_MARK) :].split(_BETWEEN)
        found.append(Difference(change, path, declared, observed))
    return tuple(found)


class Told(msgspec.Struct, array_like=True):
    """When a difference was told and seen last, in ms of event time."""

    told_ms: int
    seen_ms: int


def differing(
    known: dict[str, Told], block: Block, differences: Mapping[int, tuple[Difference, ...]]
) -> list[Found]:
    """What is to be told of a block, in the order of its paths; `known` is what is known so far, and is brought up to date."""
    now_ms = block.last_ms
    for key in [it for it, told in known.items() if now_ms - told.seen_ms >= QUIET_MS]:
        del known[key]
    found = []
    for difference, seen in sorted(_seen(block, differences).items()):
        told = known.get(difference.key)
        if told is None and len(known) >= DIFFERENCES_MAX:
            continue
        if told is None or now_ms - told.told_ms >= AGAIN_MS:
            known[difference.key] = Told(now_ms, now_ms)
            found.append(_found(difference, seen, block.size))
        else:
            told.seen_ms = now_ms
    return found


def _seen(block: Block, differences: Mapping[int, tuple[Difference, ...]]) -> dict[Difference, Seen]:
    found: dict[Difference, Seen] = {}
    for ident, seen in sorted(block.shapes.items(), key=lambda it: it[1].first):
        for difference in differences.get(ident, ()):
            known = found.get(difference)
            if known is None:
                found[difference] = seen.copy()
            else:
                known.add(seen)
    return found


def _found(difference: Difference, seen: Seen, size: int) -> Found:
    change, path, declared, observed = difference
    share = round(seen.count / size, 6)
    return Found(change, path, declared, observed, share, 1.0, seen.first_place, seen.last_place)
