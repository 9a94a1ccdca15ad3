"""The table: all rows that one fetched batch gives, column by column, before they are placed on samples partitions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.lineage import Link
from detectors.samples import NEVER, Key
from stream.formats.dead import UnreadableError
from stream.formats.declared import Fields
from stream.formats.key_columns import KeyChoice, KeyColumns, Placed, placed
from stream.formats.shapes import Shapes

MEMO_ENTRIES_MAX: Final = 50_000
MEMO_CHARS_MAX: Final = 1_024

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Ident = tuple[Any, ...]
"""What a record says of a series, as it stands there: the hashable thing that is looked up for every row."""


class Memo(dict[Ident, Placed]):
    """Remembers from batch to batch which key an ident means; forgets all when full, long idents at once."""

    def __init__(self, make: Callable[..., Key], shards: int) -> None:
        super().__init__()
        self._make = make
        self._shards = shards

    def __missing__(self, ident: Ident) -> Placed:
        made = placed(self._make(*ident), self._shards)
        if len(str(ident)) <= MEMO_CHARS_MAX:
            if len(self) >= MEMO_ENTRIES_MAX:
                self.clear()
            self[ident] = made
        return made


class RunColumns(NamedTuple):
    """Columns of `RUN_COLUMNS`; `record` is the place of the source record in its batch. Each record has at most one row."""

    record: Ints
    key: Ints
    run: Ints
    state: Ints
    duration_ms: Floats
    rows: Floats
    bytes: Floats

    def merged(self, other: "RunColumns") -> "RunColumns":
        """The rows of both, in the order of their records."""
        order = np.argsort(np.append(self.record, other.record), kind="stable")
        return RunColumns(*(np.append(*columns)[order] for columns in zip(self, other, strict=True)))


@dataclass(slots=True)
class RunRows:
    """Rows of `RunColumns`, one by one."""

    record: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    run: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    duration_ms: list[float | None] = field(default_factory=list)
    rows: list[float | None] = field(default_factory=list)
    bytes: list[float | None] = field(default_factory=list)

    def columns(self) -> RunColumns:
        """The rows as columns."""
        record, key, run, state = (
            np.array(column, np.int64) for column in (self.record, self.key, self.run, self.state)
        )
        durations, rows, sizes = (
            np.array(column, np.float64) for column in (self.duration_ms, self.rows, self.bytes)
        )
        return RunColumns(record, key, run, state, durations, rows, sizes)


@dataclass(slots=True)
class ValueRows:
    """Columns of `VALUE_COLUMNS`."""

    record: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def append(self, record: int, key: int, value: float) -> None:
        """Add a row."""
        self.record.append(record)
        self.key.append(key)
        self.value.append(value)


@dataclass(slots=True)
class SchemaRows:
    """Columns of `SCHEMA_COLUMNS`."""

    record: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    schema: list[int] = field(default_factory=list)

    def append(self, record: int, key: int, schema: int) -> None:
        """Add a row."""
        self.record.append(record)
        self.key.append(key)
        self.schema.append(schema)


@dataclass(slots=True)
class PayloadRows:
    """Columns of `PAYLOAD_COLUMNS`; `shape` is a number in the table's `shapes`. `tokens` are those of the rows, end to end, each of which has so many."""

    record: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    delay_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    ident: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    tokens: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    token_sizes: Ints = field(default_factory=lambda: np.empty(0, np.int64))


class Table:
    """What a format's reader fills.

    `times` has an event time (ms) for each record, `NEVER` where there is none; `dead` says which records are
    unreadable: rows that they have already given do not count. `errors` maps a record to the error text of its run.
    `links` are what records tell of lineage, each with its record. `shapes` are those of the payloads. `scanned` are the run rows that came as columns, with keys of their own, `scanned_keys`.
    """

    def __init__(self, size: int) -> None:
        self.times: list[int] | Ints = [NEVER] * size
        self.dead: dict[int, UnreadableError] = {}
        self.runs = RunRows()
        self.scanned: RunColumns | None = None
        self.scanned_keys = KeyChoice(KeyColumns.of([]), np.empty(0, np.int64))
        self.values = ValueRows()
        self.declared = SchemaRows()
        self.payloads = PayloadRows()
        self.shapes: Shapes | None = None
        self.errors: dict[int, str] = {}
        self.links: list[tuple[int, tuple[Link, ...]]] = []
        self._keys: list[Placed] = []
        self.schemas: list[Fields] = []
        self._schema_index: dict[int, int] = {}

    def key_choice(self) -> KeyChoice:
        """All keys: the scanned ones, then those of single rows."""
        return self.scanned_keys.then(KeyColumns.of(self._keys)) if self._keys else self.scanned_keys

    def run_columns(self) -> RunColumns:
        """All run rows, in the order of their records; their keys are numbers in `key_choice`."""
        columns = self.runs.columns()
        if self.scanned is None:
            return columns
        return self.scanned.merged(columns) if len(columns.record) else self.scanned

    def slots(self, memo: Memo) -> "Slots":
        """The index of a key in this table's dictionary, by ident."""
        return Slots(memo, self._keys, len(self.scanned_keys))

    def schema(self, fields: Fields) -> int:
        """Index of a declared schema in this table's dictionary; equal objects that are not the same stand twice."""
        index = self._schema_index.setdefault(id(fields), len(self.schemas))
        if index == len(self.schemas):
            self.schemas.append(fields)
        return index


class Slots(dict[Ident, int]):
    """The numbers of keys in one table, by ident; the first `taken` numbers are not free."""

    def __init__(self, memo: Memo, keys: list[Placed], taken: int) -> None:
        super().__init__()
        self._memo, self._keys, self._taken = memo, keys, taken

    def __missing__(self, ident: Ident) -> int:
        number = self[ident] = self._taken + len(self._keys)
        self._keys.append(self._memo[ident])
        return number


class Reader(Protocol):
    """One format."""

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch; `kafka_ms` are the Kafka timestamps, for records that have no other time.

        A value of None (a tombstone) gives none and is no error.
        """
