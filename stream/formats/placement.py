"""Placement: a table's rows, put into one sample batch for each samples partition."""

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.ragged import places_of, starts_of
from detectors.record_tokens import TOKEN
from detectors.samples import (
    PAYLOAD_COLUMNS,
    RUN_COLUMNS,
    SCHEMA_COLUMNS,
    VALUE_COLUMNS,
    VERSION,
    Mark,
    Rows,
    SampleBatch,
    ShapeTable,
)
from stream.formats.key_columns import KeyColumns, numbered, numbers_of
from stream.formats.shapes import Shapes
from stream.formats.table import PayloadRows, RunColumns, SchemaRows, Table, ValueRows

Ints = NDArray[np.int64]
_OWN: Final = 4
"""The first columns of every table: offset, time, high and key; the others are the table's own."""

_encode = msgspec.msgpack.Encoder().encode


class Records:
    """What is known of the records of a batch: offsets, event times, highs before each, and which are alive."""

    def __init__(self, offsets: Ints, times: Ints, highs: Ints, alive: NDArray[np.bool_]) -> None:
        self.offsets = offsets
        self.times = times
        self.highs = highs
        self.alive = alive


class Placement:
    """Distributes one table over the samples partitions.

    A row goes where its key's labels belong. A record is home where its first run row lies, else its first value,
    else its first schema, else its payload; a record without rows by its offset.
    """

    def __init__(self, table: Table, records: Records, shards: int) -> None:
        self._table = table
        self._records = records
        self._shards = shards
        self._keys = table.key_choice()
        self._key_shards, self._numbers = self._keys.shards, numbers_of(len(self._keys))
        self._runs = self._sorted(table.run_columns(), ("run", "state", "duration_ms", "rows", "bytes"))
        self._values = self._sorted(table.values, ("value",))
        self._declared = self._sorted(table.declared, ("schema",))
        self._payloads = (
            self._sorted(table.payloads, ("shape", "size", "delay_ms", "ident"))
            if table.shapes is not None
            else None
        )
        self._home = self._homes()

    def encode(self, shard: int, mark: Mark) -> bytes:
        """The sample batch for one samples partition."""
        runs, values, declared = (part.of(shard) for part in (self._runs, self._values, self._declared))
        payloads = self._payloads.of(shard) if self._payloads is not None else None
        keys = self._renumber_keys(runs, values, declared, *([payloads] if payloads else []))
        schemas, declared["schema"] = np.unique(declared["schema"], return_inverse=True)
        home = np.flatnonzero(self._home == shard)
        return _encode(
            SampleBatch(
                version=VERSION,
                mark=mark,
                keys=keys.texts.tobytes(),
                key_ends=keys.ends.astype("<i4").tobytes(),
                idents=keys.idents.tobytes(),
                kinds=keys.kinds.tobytes(),
                schemas=[list(self._table.schemas[schema]) for schema in schemas.tolist()],
                runs=_rows(runs, RUN_COLUMNS),
                values=_rows(values, VALUE_COLUMNS),
                declared=_rows(declared, SCHEMA_COLUMNS),
                home=self._records.offsets[home].astype("<i8").tobytes(),
                dead=self._dead(shard),
                errors=self._errors(runs["record"]),
                shapes=self._shape_table(payloads) if payloads else ShapeTable(),
                payloads=_rows(payloads, PAYLOAD_COLUMNS) if payloads else Rows([]),
                tokens=self._tokens(payloads["row"]) if payloads else b"",
            )
        )

    def _shape_table(self, payloads: dict[str, NDArray[Any]]) -> ShapeTable:
        """The shapes that these rows have, whose `shape` is then a place among them."""
        distinct, payloads["shape"] = np.unique(payloads["shape"], return_inverse=True)
        known = cast("Shapes", self._table.shapes)
        shapes = [known.shape(number) for number in distinct.tolist()]
        if not shapes:
            return ShapeTable()
        used, numbers = np.unique(np.concatenate([it.elements for it in shapes]), return_inverse=True)
        return ShapeTable(
            elements=[known.elements[number] for number in used.tolist()],
            idents=np.array([it.ident for it in shapes], "<i8").tobytes(),
            ends=np.cumsum([len(it.elements) for it in shapes], dtype="<i4").tobytes(),
            numbers=numbers.astype("<i4").tobytes(),
        )

    def _tokens(self, rows: Ints) -> bytes:
        """The tokens of these rows of payloads, end to end."""
        known = self._table.payloads
        sizes = known.token_sizes
        if len(rows) == len(sizes) and (rows == np.arange(len(rows))).all():
            return known.tokens.astype(TOKEN, copy=False).tobytes()
        return known.tokens[places_of(starts_of(sizes)[rows], sizes[rows])].astype(TOKEN).tobytes()

    def _renumber_keys(self, *tables: dict[str, NDArray[Any]]) -> KeyColumns:
        """The keys that these rows are about, whose `key` is then a number among them."""
        places, numbers = numbered(np.concatenate([rows["key"] for rows in tables]), self._numbers)
        first = 0
        for rows in tables:
            count = len(rows["key"])
            rows["key"] = numbers[first : first + count]
            first += count
        return self._keys.take(places)

    def _sorted(
        self, rows: RunColumns | ValueRows | SchemaRows | PayloadRows, own: Sequence[str]
    ) -> "_Sorted":
        record, key = np.asarray(rows.record, np.int64), np.asarray(rows.key, np.int64)
        alive = np.flatnonzero(self._records.alive[record])
        shard = self._key_shards[key[alive]]
        order = np.argsort(shard, kind="stable")
        chosen = alive[order]
        columns = {"row": chosen, "record": record[chosen], "key": key[chosen]}
        for name in own:
            columns[name] = np.asarray(getattr(rows, name), _DTYPES[name])[chosen]
        columns["offset"] = self._records.offsets[columns["record"]]
        columns["time_ms"] = self._records.times[columns["record"]]
        columns["high_ms"] = self._records.highs[columns["record"]]
        bounds = np.searchsorted(shard[order], np.arange(self._shards + 1))
        return _Sorted(columns, shard[order], bounds)

    def _homes(self) -> Ints:
        home = self._records.offsets % self._shards
        parts = (self._declared, self._values, self._runs)
        for part in (self._payloads, *parts) if self._payloads is not None else parts:
            first = np.argsort(part.columns["row"], kind="stable")[::-1]
            home[part.columns["record"][first]] = part.shard[first]
        return home

    def _dead(self, shard: int) -> list[tuple[int, str]]:
        offsets = self._records.offsets
        dead = self._table.dead
        return [
            (int(offsets[record]), str(dead[record].reason))
            for record in sorted(dead)
            if self._home[record] == shard
        ]

    def _errors(self, records: Ints) -> dict[int, str]:
        errors = self._table.errors
        if not errors:
            return {}
        return {index: errors[record] for index, record in enumerate(records.tolist()) if record in errors}


class _Sorted:
    """One table's columns, sorted by samples partition."""

    def __init__(self, columns: dict[str, NDArray[Any]], shard: Ints, bounds: Ints) -> None:
        self.columns = columns
        self.shard = shard
        self._bounds = bounds

    def of(self, shard: int) -> dict[str, NDArray[Any]]:
        """The columns of the rows that go to one samples partition."""
        chosen = slice(self._bounds[shard], self._bounds[shard + 1])
        return {name: column[chosen] for name, column in self.columns.items()}


_DTYPES = {
    name: dtype
    for layout in (RUN_COLUMNS, VALUE_COLUMNS, SCHEMA_COLUMNS, PAYLOAD_COLUMNS)
    for name, dtype in layout[_OWN:]
}


def _rows(columns: dict[str, NDArray[Any]], layout: tuple[tuple[str, str], ...]) -> Rows:
    return Rows([columns[name].astype(dtype, copy=False).tobytes() for name, dtype in layout])
