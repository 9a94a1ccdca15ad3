"""Sample batches: the columnar records that ingest writes and detect reads, and the marks they carry.

One batch holds the rows that one fetched batch of one source partition sends to one samples partition. Text that
repeats (series, schemas) stands once in the batch's dictionaries; rows name it by index. Every row keeps the offset
of its source record, and `high_ms`: the greatest event time that ingest had seen in that source partition before
the record (`NEVER` when none), from which detect tells late rows whatever way the batches were cut.
"""

from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from detectors.series import Labels, Signal, series_text

VERSION = 6
NEVER = -(1 << 62)
"""An event time (ms) before all others."""
UNKNOWN_DELAY = -1
"""The delay of a record whose event time is its Kafka timestamp, or that has none."""

RUNS = "runs"
"""The dictionary kind of a label set whose rows are run events; other kinds are `Signal` values."""


class RunState(IntEnum):
    """What a run event reports."""

    STARTED = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    SKIPPED = 4


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """How far ingest has read one source partition, and what time it is there.

    `first_offset`..`last_offset` is the range this batch covers, counted from the record fetched before it, so that
    consecutive batches leave no hole; an empty range (`last = first - 1`) repeats where the partition stands.
    `high_ms` is the greatest event time that ingest has seen; `wall_ms` the wall clock; `idle` that nothing came for
    the idle timeout though the partition is read to its end; `partitions` names every source topic and its number
    of partitions, all of which must report before time passes.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    high_ms: int
    idle: bool
    caught_up: bool
    wall_ms: int
    partitions: dict[str, int]


class Key(msgspec.Struct, array_like=True, frozen=True):
    """A dictionary entry: what a row is about. `kind` is `RUNS` or a signal."""

    kind: str
    labels: Labels
    unit: str = ""
    owner: str = ""

    @property
    def ident(self) -> bytes:
        """128 bits that stand for kind and labels: what tells followers apart, the same on every machine."""
        text = series_text(self.kind, self.labels)
        return xxh3_128_digest(text.encode("utf-8", "surrogatepass"))

    @property
    def follower_kind(self) -> int:
        """The kind of follower that this is about: one of the codes in `FollowerKind`."""
        return _FOLLOWERS.get(self.kind, FollowerKind.VALUE)


class FollowerKind(IntEnum):
    """Who follows the rows of a key."""

    RUN_EVENTS = 1
    VALUE = 2
    AMOUNT = 3
    """A value on a log scale."""
    SCHEMA = 4
    DELAY = 5
    """How late things are in a window, in ms: on a log scale, and only when there is a window."""


_FOLLOWERS = {
    RUNS: FollowerKind.RUN_EVENTS,
    Signal.VOLUME: FollowerKind.AMOUNT,
    Signal.SCHEMA: FollowerKind.SCHEMA,
    Signal.LATENCY: FollowerKind.DELAY,
    Signal.LATENESS: FollowerKind.DELAY,
}

Field = tuple[str, str, bool | None]
"""One field of a declared schema: dotted path, type, nullable (None: not said)."""


Element = tuple[str, str]
"""One element of a record's shape: a path, and the type of what stands there, in JSON Schema's words or `ABSENT`."""

ABSENT = "absent"
"""In place of a type: some objects of one array have the path, and others do not."""


class Rows(msgspec.Struct, array_like=True):
    """One table's columns as little-endian bytes, in the order of `COLUMNS`."""

    columns: list[bytes]


RUN_COLUMNS: tuple[tuple[str, str], ...] = (
    ("offset", "<i8"),
    ("time_ms", "<i8"),
    ("high_ms", "<i8"),
    ("key", "<i4"),
    ("run", "<i8"),
    ("state", "<i1"),
    ("duration_ms", "<f8"),
    ("rows", "<f8"),
    ("bytes", "<f8"),
)
VALUE_COLUMNS: tuple[tuple[str, str], ...] = (*RUN_COLUMNS[:4], ("value", "<f8"))
SCHEMA_COLUMNS: tuple[tuple[str, str], ...] = (*RUN_COLUMNS[:4], ("schema", "<i4"))
PAYLOAD_COLUMNS: tuple[tuple[str, str], ...] = (
    *RUN_COLUMNS[:4],
    ("shape", "<i4"),
    ("size", "<i4"),
    ("delay_ms", "<i4"),
    ("ident", "<u4"),
)
"""`delay_ms` is from a record's event time to its Kafka timestamp, or `UNKNOWN_DELAY`; `ident` is of the hash of its id, 0 when it has none."""


class ShapeTable(msgspec.Struct, array_like=True, frozen=True):
    """The shapes of a batch's payloads: for each an ident (int64) and its elements by number (int32), end to end up to `ends` (int32)."""

    elements: list[Element] = []
    idents: bytes = b""
    ends: bytes = b""
    numbers: bytes = b""

    def shape_idents(self) -> NDArray[np.int64]:
        """What tells the shapes from others, in any batch."""
        return np.frombuffer(self.idents, "<i8")

    def elements_of(self, shape: int) -> list[Element]:
        """The elements of the shape at this place."""
        ends, numbers = np.frombuffer(self.ends, "<i4"), np.frombuffer(self.numbers, "<i4")
        first = ends[shape - 1] if shape else 0
        return [self.elements[number] for number in numbers[first : ends[shape]].tolist()]


class SampleBatch(msgspec.Struct, array_like=True):
    """One record of the samples topic.

    `keys` are `Key`s in msgpack, end to end; `key_ends` says where each ends (int32), `idents` are their idents (16 bytes
    each) and `kinds` their follower kinds (a byte each): who knows an ident need not read the key. `home` holds the source offsets of records that are counted in this samples partition: each source record is
    home in exactly one. `payloads` may have no columns at all: there are none. `tokens` are those of the payloads' values (uint32, see `record_tokens`),
    a row's for each of its shape's `value_paths`, end to end. `dead` pairs the offset of a dead-lettered record with its reason. `errors` maps a row of
    `runs` to the error text its event carried.
    """

    version: int
    mark: Mark
    keys: bytes
    key_ends: bytes
    idents: bytes
    kinds: bytes
    schemas: list[list[Field]]
    runs: Rows
    values: Rows
    declared: Rows
    home: bytes
    dead: list[tuple[int, str]]
    errors: dict[int, str]
    payloads: Rows = msgspec.field(default_factory=lambda: Rows([]))
    shapes: ShapeTable = ShapeTable()
    tokens: bytes = b""

    @staticmethod
    def from_bytes(payload: bytes) -> "SampleBatch":
        """Decode one record.

        Raises:
            ValueError: the payload is no sample batch, or one of another version.
        """
        batch = _decoder.decode(payload)
        if batch.version != VERSION:
            raise ValueError(f"sample batch of version {batch.version}; this worker reads version {VERSION}")
        return batch

    def key_texts(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """Some of the keys, in msgpack."""
        ends = np.frombuffer(self.key_ends, "<i4")
        starts = np.append(0, ends[:-1])
        places = zip(starts[numbers].tolist(), ends[numbers].tolist(), strict=True)
        return [self.keys[start:end] for start, end in places]

    def table(self, rows: Rows, layout: tuple[tuple[str, str], ...]) -> dict[str, NDArray[Any]]:
        """The columns of one table by name, as read-only arrays."""
        return {
            name: np.frombuffer(raw, dtype) for (name, dtype), raw in zip(layout, rows.columns, strict=True)
        }

    def value_tokens(self) -> NDArray[np.uint32]:
        """The tokens of the payloads' values."""
        return np.frombuffer(self.tokens, "<u4")

    def home_offsets(self) -> NDArray[np.int64]:
        """Source offsets counted here."""
        return np.frombuffer(self.home, "<i8")


encode_key = msgspec.msgpack.Encoder().encode
"""A key as it stands in a batch."""

decode_key = msgspec.msgpack.Decoder(Key).decode
"""The key in a batch's bytes."""

_decoder = msgspec.msgpack.Decoder(SampleBatch)
