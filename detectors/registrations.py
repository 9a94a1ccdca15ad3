"""Registrations: what happens to a subject of a schema registry, told once and at once over.

The first version that is met of a subject is learned; from then on each new version is a notice with its differences from the one before it, and
each deletion and change of the compatibility level is one.
"""

from typing import Final

import msgspec

from detectors.declared import DeclaredSchemaFollower, schema_changes
from detectors.record_paths import ROOT
from detectors.reports import Position, source_positions
from detectors.samples import Field, Key
from detectors.verdicts import Reason, SchemaChange, Verdict

SUBJECT: Final = "subject"
"""The label that names it."""
REGISTERED: Final = "registered: "
DELETED: Final = "deleted: "
LEVEL: Final = "compatibility level: "
_CHANGES: Final = {REGISTERED: "version_registered", DELETED: "version_deleted", LEVEL: "level_changed"}


class SubjectFollower(DeclaredSchemaFollower):
    """Follows one subject. The first field of what is declared, at the empty path, says what has happened; without others its fields stay as they were."""

    def apply(self, time_ms: int, position: Position, fields: list[Field]) -> list[Verdict]:
        """The notices of one change, and that they are over; the first one says nothing."""
        state, said = self._state, list[Verdict]()
        notices = [it for it in fields if it[0] == ROOT]
        declared = [it for it in fields if it[0] != ROOT]
        told = bool(state.seen)
        if told:
            changes = [_notice(notice, position) for notice in notices]
            if declared and state.fields:
                changes += schema_changes(state.fields, declared, position)
            said = [self._told(time_ms, position, change) for change in changes]
            said.append(
                msgspec.structs.replace(self._verdict(time_ms, position, None), reason=Reason.NOTICE_GIVEN)
            )
        else:
            state.first_ms = time_ms
        state.fields = declared or state.fields
        state.seen += 1
        state.last_ms = max(state.last_ms, time_ms)
        return said

    def _told(self, time_ms: int, position: Position, change: SchemaChange) -> Verdict:
        return msgspec.structs.replace(
            self._verdict(time_ms, position, change), reason=Reason.SUBJECT_CHANGED
        )


def _notice(notice: Field, position: Position) -> SchemaChange:
    _, text, _ = notice
    (place,) = source_positions(position)
    begin = next(it for it in _CHANGES if text.startswith(it))
    return SchemaChange(_CHANGES[begin], ROOT, None, text.removeprefix(begin), 1.0, 1.0, place, place)


def follower_of(key: Key) -> DeclaredSchemaFollower:
    """What follows a declared schema: one of a registry's subjects in its own way."""
    return SubjectFollower(key) if SUBJECT in dict(key.labels) else DeclaredSchemaFollower(key)
