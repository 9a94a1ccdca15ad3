"""Notes: the records of the anomalies topic, from which triage makes alerts.

Detect says what it found (`AnomalyBatch`), ingest what it learned of lineage (`LineageNote`), which commands were given (`CommandNote`, `SwitchNote`)
and what was none (`RefusalNote`). The latter name the source record they come from, as the fence against repeats.
"""

from typing import Final

import msgspec

from detectors.commands import Command, Configure
from detectors.lineage import Link
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch

VERSION: Final = 1


class LineageNote(msgspec.Struct, array_like=True, frozen=True, tag="lineage"):
    """Links that one fetched batch told, and for each the time (event time in ms) from which on it counts; learning links again changes nothing."""

    version: int
    times_ms: tuple[int, ...]
    links: tuple[Link, ...]


class CommandNote(msgspec.Struct, array_like=True, frozen=True, tag="command"):
    """One command that is well-formed, and the record it came in; `wall_ms` is when it was read."""

    version: int
    topic: str
    partition: int
    offset: int
    wall_ms: int
    command: Command


class SwitchNote(msgspec.Struct, array_like=True, frozen=True, tag="switch"):
    """Settings that are in force from here on, and the command that asks for it, in its record."""

    version: int
    topic: str
    partition: int
    offset: int
    wall_ms: int
    command: Configure
    settings: Settings


class RefusalNote(msgspec.Struct, array_like=True, frozen=True, tag="refusal"):
    """The answer to a record that holds no command or no valid configuration, as JSON; triage adds which configuration is in force."""

    version: int
    topic: str
    partition: int
    offset: int
    wall_ms: int
    answer: bytes


Note = AnomalyBatch | LineageNote | CommandNote | SwitchNote | RefusalNote

_decoder = msgspec.msgpack.Decoder(Note)
encode = msgspec.msgpack.Encoder().encode
"""A note as the bytes of its record."""


def read_note(payload: bytes) -> Note:
    """The note in one record of the anomalies topic.

    Raises:
        ValueError: the payload is none, or one of another version.
    """
    note = _decoder.decode(payload)
    if note.version != VERSION:
        raise ValueError(f"note of version {note.version}; this worker reads version {VERSION}")
    return note
