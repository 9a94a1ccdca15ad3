"""Gathering: the plain values of a record, in the order of some paths, each found by the names that lead to it.

Of an array, or an object whose names are data, the first value stands for all. What lies below one may be there or not, and be of any type.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from detectors.record_paths import ITEMS, VALUES, field_names, steps

MISSING: Final = object()
"""In place of a value that is not there."""

Pick = Callable[[Any], Sequence[Any]]
Gather = Callable[[Any], Iterable[Any]]
_Route = tuple[str, ...]


class _Branch(NamedTuple):
    """What lies one step below: whether a value of its own is asked for, and what is asked for further down."""

    step: str
    own: bool
    below: list[_Route]

    @property
    def name(self) -> str:
        """The name of the field."""
        return field_names(self.step)[0]


def gatherer(paths: Sequence[str], *, sure: bool) -> Gather:
    """What gathers the values at some paths, which are in the order of `value_paths`.

    `sure`: what has no `[]` and no `{*}` in its path is there in every record.
    """
    routes = [tuple(steps(path)) for path in paths]
    return _sure(routes) if sure else _unsure(routes)


def _branches(routes: list[_Route]) -> list[_Branch]:
    branches = []
    for step, group in groupby(routes, key=itemgetter(0)):
        rests = [route[1:] for route in group]
        branches.append(_Branch(step, () in rests, [rest for rest in rests if rest]))
    return branches


def _sure(routes: list[_Route]) -> Gather:
    branches = _branches(routes)
    if any(it.step in (ITEMS, VALUES) for it in branches):
        return _unsure(routes)
    plain = picker([it.name for it in branches if it.own])
    inner = [(it.name, _sure(it.below)) for it in branches if it.below]
    if not inner:
        return plain

    def gather(record: Any) -> list[Any]:
        values = [*plain(record)]
        for name, below in inner:
            values += below(record[name])
        return values

    return gather


def picker(places: Sequence[Any]) -> Pick:
    """What gives the values at some places, which are all there."""
    if not places:
        return lambda _: ()
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    return itemgetter(*places)


def _unsure(routes: list[_Route]) -> Gather:
    parts = [(_step(it.step), it.own, _unsure(it.below) if it.below else None) for it in _branches(routes)]

    def gather(value: Any) -> list[Any]:
        values: list[Any] = []
        for step, own, below in parts:
            found = step(value)
            if own:
                values.append(found)
            if below is not None:
                values += below(found)
        return values

    return gather


def _step(step: str) -> Callable[[Any], Any]:
    """One step down from a value of any type."""
    if step == ITEMS:
        return lambda value: value[0] if type(value) is list and value else MISSING
    if step == VALUES:
        return lambda value: next(iter(value.values())) if isinstance(value, dict) and value else MISSING
    (name,) = field_names(step)
    return lambda value: value.get(name, MISSING) if type(value) is dict else MISSING
