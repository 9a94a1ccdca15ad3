"""What can be carried: the state of one follower, and where a shard stands, as plain values that refer to nothing else.

Sources are numbers in a table of all shards, time zones in another one (`Tables`).
"""

from typing import Any

import msgspec

from detectors.declared import DeclaredRow
from detectors.inherited import Fences
from detectors.record_blocks import Block, Elements
from detectors.record_declared import Difference
from detectors.record_windows import Window
from detectors.samples import Key, decode_key
from detectors.series import Labels
from detectors.settings import Schedule, Settings
from detectors.structure import Structure
from detectors.timetable import Told

Source = tuple[str, int]
"""Topic and partition."""


class Tables(msgspec.Struct, frozen=True):
    """What portable state names by number."""

    sources: list[Source]
    zones: list[str]


class Measure(msgspec.Struct, array_like=True):
    """A numeric series: its LIGHT record without a place, and the record of the head that knows more of it (empty: none yet).

    The latter is a YOUNG record when `is_young`, otherwise RUN_MODEL of runs and DEEP of values.
    """

    light: bytes
    state: bytes
    is_young: bool


class Scheduled(msgspec.Struct, array_like=True):
    """The schedule of a follower of which nothing came yet, or what is awaited next, and what was overdue and has not come."""

    new: tuple[Schedule, str] | None
    awaited: Told | None
    overdue: Told | None


class Waiting(msgspec.Struct, array_like=True):
    """Rows of one source that wait (-1: made here): ROW records without a follower, and the error texts of some by their number."""

    source: int
    rows: bytes
    errors: dict[int, str]


class WaitingPayloads(msgspec.Struct, array_like=True):
    """Payloads of one source that wait: PAYLOAD_ROW records without a follower, and the tokens of their values end to end."""

    source: int
    rows: bytes
    tokens: bytes


class Portable(msgspec.Struct, array_like=True):
    """Everything that is known under one label set.

    `name` is its key in msgpack, `follower` a FOLLOWER record without places, `open` and `unmeasured` RUN records in their order, `ended` ENDED
    records, `peer` a PEER record (empty: not compared yet), `models` those of the user's by part, `shapes` the ones that its payloads have,
    `differences` how these differ from what is declared, `passed` how many payloads were passed over since the latest that was looked at.
    """

    name: bytes
    follower: bytes
    measures: list[Measure | None]
    open: bytes
    unmeasured: bytes
    ended: list[bytes]
    peer: bytes
    models: dict[int, bytes]
    declared: Any
    structure: Structure | None
    block: Block | None
    window: Window | None
    shapes: dict[int, Elements]
    differences: dict[int, tuple[Difference, ...]]
    passed: int
    scheduled: Scheduled | None
    waiting: list[Waiting]
    waiting_payloads: list[WaitingPayloads]
    waiting_declared: list[DeclaredRow]

    @property
    def key(self) -> Key:
        """What it is about."""
        return decode_key(self.name)

    @property
    def labels(self) -> Labels:
        """The labels by which it has its shard."""
        return self.key.labels

    @property
    def size_bytes(self) -> int:
        """How large it is, about: what it is stored in."""
        return len(encoded(self))


class Read(msgspec.Struct, array_like=True):
    """How far a shard has read one source partition: the last offset, the greatest event time up to there, and its latest mark."""

    topic: str
    partition: int
    last_offset: int
    high_ms: int
    idle: bool
    wall_ms: int


class Standing(msgspec.Struct):
    """Where a shard stands, and what it knows beside its series."""

    shard: int
    covered_offset: int
    config_hash: str
    settings: Settings
    obeyed: list[tuple[Source, int]]
    rows_ms: int
    timers_ms: int
    wall_ms: int
    busy_since_ms: int
    expected: dict[str, int]
    read: list[Read]
    inherited: list[Fences]
    full: bool
    swept_ms: int
    families_due_ms: int
    fleet_since_ms: int
    fleet_allowed_per_day: float
    troubles_told: list[tuple[str, str]]


def encoded(series: Portable) -> bytes:
    """A follower's state as bytes."""
    return _encoder.encode(series)


def decoded(raw: bytes) -> Portable:
    """A follower's state from bytes.

    Raises:
        ValueError: they hold none.
    """
    return _decoder.decode(raw)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Portable)
