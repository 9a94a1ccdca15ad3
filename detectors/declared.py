"""Declared schemas: compares what an event says its dataset looks like with what the one before it said."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from detectors.episodes import QUIET_MS
from detectors.reports import Followed, Position, source_positions
from detectors.samples import Field, Key
from detectors.series import Signal
from detectors.verdicts import Baseline, Change, Reason, SchemaChange, Verdict

DETECTOR = "declared_schema"


class _State(msgspec.Struct, array_like=True):
    fields: list[Field] = []
    seen: int = 0
    first_ms: int = 0
    last_ms: int = 0
    interest_ms: int = 0


class DeclaredSchemaFollower:
    """Follows the declared schema of one dataset.

    The first schema is learned; each difference from it is one anomalous verdict, and the new schema is what later
    ones are compared with. Order of fields and case of types are no difference. A declaration without fields says
    nothing and never gets here.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        self._state = _State()

    def apply(self, time_ms: int, position: Position, fields: list[Field]) -> list[Verdict]:
        """Compare one declaration, then learn it; one that is older than what is known says nothing."""
        state, said = self._state, list[Verdict]()
        if time_ms < state.last_ms:
            return said
        if not state.seen:
            state.first_ms = time_ms
        elif changes := schema_changes(state.fields, fields, position):
            state.interest_ms = max(state.interest_ms, time_ms + QUIET_MS)
            said = [self._verdict(time_ms, position, change) for change in changes]
        elif state.interest_ms:
            state.interest_ms = 0 if time_ms >= state.interest_ms else state.interest_ms
            said = [self._verdict(time_ms, position, None)]
        state.fields = fields
        state.seen += 1
        state.last_ms = time_ms
        return said

    def _verdict(self, time_ms: int, position: Position, change: SchemaChange | None) -> Verdict:
        state = self._state
        return Verdict(
            signal=Signal.SCHEMA,
            labels=self.key.labels,
            detector=DETECTOR,
            time_ms=time_ms,
            window_start_ms=state.last_ms,
            window_end_ms=time_ms,
            anomalous=change is not None,
            reason=Reason.SCHEMA_CHANGED if change else Reason.ORDINARY,
            change=Change.SCHEMA,
            baseline=Baseline(DETECTOR, state.seen, state.first_ms, state.last_ms),
            positions=source_positions(position),
            severity_score=1.0 if change else 0.0,
            schema_change=change,
            owner=self.key.owner,
        )

    def followed(self) -> Followed:
        """What is known of the series; the latest is the number of fields."""
        state = self._state
        return Followed(Signal.SCHEMA, self.key.labels, "fields", state.seen, float(len(state.fields)))

    def dump(self) -> Any:
        """The state as plain values."""
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state."""
        self._state = msgspec.convert(state, _State)


class DeclaredRow(NamedTuple):
    """A declaration that waits to be applied at `order_ms`."""

    order_ms: int
    source: int
    offset: int
    place: int
    time_ms: int
    follower: int
    fields: list[Field]


class Told(NamedTuple):
    """Verdicts of one declaration, found at `order_ms`."""

    order_ms: int
    verdicts: list[Verdict]


class DeclaredSchemas:
    """Every declared schema of a shard, by the place of its follower, and the declarations that wait; `new` makes a follower."""

    def __init__(self, new: Callable[[Key], DeclaredSchemaFollower] = DeclaredSchemaFollower) -> None:
        self._new = new
        self._followers: dict[int, DeclaredSchemaFollower] = {}
        self._pending: list[DeclaredRow] = []

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, *row: Any) -> None:
        """Take in a declaration: the fields of `DeclaredRow`."""
        self._pending.append(DeclaredRow(*row))

    def waiting(self) -> list[int]:
        """The followers that a declaration waits for."""
        return [row.follower for row in self._pending]

    def apply(
        self, before_ms: int, sources: Sequence[tuple[str, int]], key_of: Callable[[int], Key]
    ) -> Iterator[Told]:
        """Apply every declaration before `before_ms` in the order of time, source partition and offset."""
        if not self._pending:
            return
        self._pending.sort(key=lambda row: (row.order_ms, sources[row.source], row.offset, row.place))
        ready = bisect_left(self._pending, before_ms, key=itemgetter(0))
        for row in self._pending[:ready]:
            follower = self._followers.get(row.follower)
            if follower is None:
                follower = self._followers[row.follower] = self._new(key_of(row.follower))
            position = Position(*sources[row.source], row.offset)
            yield Told(row.order_ms, follower.apply(row.time_ms, position, row.fields))
        del self._pending[:ready]

    def forget(self, place: int) -> None:
        """The follower at `place` was given up."""
        self._followers.pop(place, None)

    def followed(self, place: int) -> list[Followed]:
        """What is known of the series of the follower at `place`."""
        follower = self._followers.get(place)
        return [] if follower is None else [follower.followed()]

    def dump(self) -> bytes:
        """The state as bytes."""
        followers = [(place, follower.dump()) for place, follower in self._followers.items()]
        return msgspec.msgpack.encode((followers, self._pending))

    def load(self, dumped: bytes, key_of: Callable[[int], Key]) -> None:
        """Take over a dumped state."""
        followers, pending = msgspec.msgpack.decode(
            dumped, type=tuple[list[tuple[int, Any]], list[DeclaredRow]]
        )
        self._pending = pending
        for place, state in followers:
            self._followers[place] = self._new(key_of(place))
            self._followers[place].load(state)


def schema_changes(before: list[Field], after: list[Field], position: Position) -> list[SchemaChange]:
    """Every difference between two declared schemas, in the order of its path."""
    old, new = {path: rest for path, *rest in before}, {path: rest for path, *rest in after}
    changes = [
        _change("field_removed", path, old[path][0], None, position) for path in old.keys() - new.keys()
    ]
    changes += [
        _change("field_added", path, None, new[path][0], position) for path in new.keys() - old.keys()
    ]
    for path in old.keys() & new.keys():
        (old_type, old_nullable), (new_type, new_nullable) = old[path], new[path]
        if old_type != new_type:
            changes.append(_change("type_changed", path, old_type, new_type, position))
        elif None not in (old_nullable, new_nullable) and old_nullable != new_nullable:
            changes.append(
                _change(
                    "nullability_changed", path, _nullable(old_nullable), _nullable(new_nullable), position
                )
            )
    return sorted(changes, key=lambda change: (change.path, change.change))


def _nullable(nullable: object) -> str:
    return "nullable" if nullable else "required"


def _change(change: str, path: str, old: object, new: object, position: Position) -> SchemaChange:
    (place,) = source_positions(position)
    return SchemaChange(
        change=change,
        path=path,
        from_=None if old is None else str(old),
        to=None if new is None else str(new),
        share=1.0,
        confidence=1.0,
        first=place,
        last=place,
    )
