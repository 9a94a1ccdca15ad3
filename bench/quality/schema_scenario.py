"""A labelled stream of records: one topic, made from its name and a seed, in which the schema changes once, or not at all.

A change has a kind and a path as the alert contract has them; it comes after `KNOWN` records, in all records from there on or in a share of them.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

KNOWN: Final = 6_000
CHANGED: Final = 10_000
SHARES: Final = (1.0, 0.1, 0.01)
Record = dict[str, Any]
Ordinary = Callable[[int, random.Random], Record]
Change = Callable[[Record, random.Random], Any]


class Expected(NamedTuple):
    """What has to be said: what changed, and where."""

    change: str
    path: str


class Scenario(NamedTuple):
    """A stream; with nothing `expected` it is harmless. `ordinary` makes a record, and `change` alters those that have changed.

    Where it is `rising`, the share that changes grows from none at first to `share` at the end, as in a rolling deploy.
    """

    name: str
    expected: Expected | None
    share: float
    ordinary: Ordinary
    change: Change
    rising: bool = False

    def records(self, known: int = KNOWN, changed: int = CHANGED, seed: int = 1) -> Iterator[Record]:
        """The records in their order."""
        chance = random.Random(f"{seed}/{self.name}/{self.share}")
        for number in range(known + changed):
            record = self.ordinary(number, chance)
            if number >= known and chance.random() < self._share_at((number - known) / changed):
                self.change(record, chance)
            yield record

    def _share_at(self, part: float) -> float:
        """The share that changes when such a part of the records that may is over."""
        return self.share * part if self.rising else self.share


Labelled = tuple[str, str, str, Ordinary, Change]
"""A change: its name, kind and path, the records and how they are altered."""

Quiet = tuple[str, Ordinary, Change]
"""A stream that is harmless: its name, the records and how they are altered."""

AGAIN: Final = 3
"""How often each harmless stream is made, each time with another seed."""


class Corpus(NamedTuple):
    """Streams in which the schema changes, and others of which nothing may be said."""

    changes: list[Scenario]
    harmless: list[Scenario]

    @property
    def once(self) -> "Corpus":
        """The same with each harmless stream made once."""
        return Corpus(self.changes, self.harmless[::AGAIN])


def corpus(changes: Iterable[Labelled], alone: Iterable[Scenario], harmless: Iterable[Quiet]) -> Corpus:
    """Every change at every share, those that there are at one share `alone`, and the harmless streams."""
    labelled = [
        Scenario(name, Expected(kind, path), share, make, change)
        for name, kind, path, make, change in changes
        for share in SHARES
    ]
    quiet = [
        Scenario(f"{name}{' again' * again}", None, 1.0, make, change)
        for name, make, change in harmless
        for again in range(AGAIN)
    ]
    return Corpus([*labelled, *alone], quiet)


def put(path: str, value: Any) -> Change:
    """Set a field; `value` may be made from the one before and chance."""
    *outer, name = path.split(".")

    def change(record: Record, chance: random.Random) -> None:
        inner = _inside(record, outer)
        inner[name] = value(inner.get(name), chance) if callable(value) else value

    return change


def drop(path: str) -> Change:
    """Leave a field out."""
    *outer, name = path.split(".")
    return lambda record, _: _inside(record, outer).pop(name, None)


def each(path: str, change: Change) -> Change:
    """The same in every item of an array."""

    def altered(record: Record, chance: random.Random) -> None:
        items: Any = _inside(record, path.split("."))
        for item in items:
            change(item, chance)

    return altered


def each_value(path: str, change: Callable[[Any, random.Random], Any]) -> Change:
    """Other values in a map, made from those before and chance."""

    def altered(record: Record, chance: random.Random) -> None:
        values = _inside(record, path.split("."))
        values.update({name: change(value, chance) for name, value in values.items()})

    return altered


def rename(old: str, new: str) -> Change:
    """Another name for a field."""

    def change(record: Record, _: random.Random) -> None:
        *outer, name = old.split(".")
        value = _inside(record, outer).pop(name)
        *outer, name = new.split(".")
        _inside(record, outer)[name] = value

    return change


def _inside(record: Record, path: list[str]) -> Record:
    for name in path:
        record = record[name]
    return record


def shuffle(record: Record, chance: random.Random) -> None:
    """The fields in another order."""
    items = list(record.items())
    chance.shuffle(items)
    record.clear()
    record.update(items)


def nothing(_record: Record, _chance: random.Random) -> None:
    """No change."""
