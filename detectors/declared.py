"""Declared schemas: compares what an event says its dataset looks like with what the one before it said."""

from typing import Any

import msgspec

from detectors.interest import Interest
from detectors.samples import Field, Key
from detectors.series import Signal
from detectors.shard import Followed, Position, Shard, source_positions
from detectors.verdicts import Baseline, Change, Reason, SchemaChange, Verdict

DETECTOR = "declared_schema"


class _State(msgspec.Struct, array_like=True):
    fields: list[Field] = []
    seen: int = 0
    first_ms: int = 0
    last_ms: int = 0
    interest: Interest = msgspec.field(default_factory=Interest)


class DeclaredSchemaFollower:
    """Follows the declared schema of one dataset.

    The first schema is learned; each difference from it is one anomalous verdict, and the new schema is what later
    ones are compared with. Order of fields and case of types are no difference. A declaration without fields says
    nothing and never gets here.
    """

    def __init__(self, shard: Shard, key: Key) -> None:
        self.key = key
        self._shard = shard
        self._state = _State()

    def apply(self, time_ms: int, position: Position, fields: list[Field], *, late: bool) -> None:
        """Compare one declaration, then learn it; one that is older than what is known says nothing."""
        state = self._state
        if time_ms < state.last_ms:
            return
        if not state.seen:
            state.first_ms = time_ms
        elif changes := schema_changes(state.fields, fields, position):
            state.interest.wants(time_ms, True)
            self._shard.verdicts.extend(self._verdict(time_ms, position, change) for change in changes)
        elif state.interest.wants(time_ms, False):
            self._shard.verdicts.append(self._verdict(time_ms, position, None))
        state.fields = fields
        state.seen += 1
        state.last_ms = time_ms

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

    def followed(self) -> list[Followed]:
        """What is known of the series; the latest is the number of fields."""
        state = self._state
        return [Followed(Signal.SCHEMA, self.key.labels, "fields", state.seen, float(len(state.fields)))]

    def dump(self) -> Any:
        """The state as plain values."""
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state."""
        self._state = msgspec.convert(state, _State)


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
