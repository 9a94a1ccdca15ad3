"""Format `records`: anyone's topic of JSON objects. What the records look like is followed, and no publisher has to change."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.samples import NEVER, Key
from detectors.series import Signal
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.decoding import Decoded, decode_all
from stream.formats.limits import Guard, Limits
from stream.formats.shapes import Shapes
from stream.formats.table import Memo, Table
from stream.formats.times import TIME_MS_MAX, epoch_ms
from stream.formats.tokens import Tokenizer
from stream.formats.values import Values

TOPIC: Final = "topic"
_SECONDS_MAX, _MS_MAX, _MICROSECONDS_MAX = 10**11, 10**14, 10**17

FieldPath = tuple[str, ...]
"""The names that lead to a field, from the outside in."""


class RecordSource(msgspec.Struct, frozen=True):
    """What is said of a topic of records: where their event time stands, and labels by name with where their values stand.

    Without an event time it is the broker's.
    """

    event_time: FieldPath = ()
    labels: tuple[tuple[str, FieldPath], ...] = ()


class _Item(NamedTuple):
    """What is kept of a record: the number of its shape, and what stands where its time and labels should."""

    shape: int
    time: Any
    labels: tuple[str, ...]


class Records:
    """Reads records: a row in `payloads` each."""

    def __init__(self, topic: str, source: RecordSource, limits: Limits, caps: Caps, shards: int) -> None:
        self._topic, self._source, self._caps = topic, source, caps
        self._guard = Guard(limits)
        self._json = msgspec.json.Decoder(dict[str, Any]).decode
        self._shapes = Shapes(caps)
        self._tokenizer = Tokenizer(caps, self._shapes)
        self._series = Memo(self._key, shards)
        self._label_paths = [path for _, path in source.labels]

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch; `kafka_ms` are the records' Kafka timestamps, 0 or less when unknown."""
        if self._shapes.full:
            self._shapes.forget()
            self._tokenizer.forget()
        values = Values.of(values)
        plain = not self._source.event_time and not self._label_paths
        batch = decode_all(values, self._guard, self._plain if plain else self._item, _refuse)
        table = Table(len(values))
        table.dead = batch.dead
        table.times = self._times(table, batch, np.asarray(kafka_ms, np.int64))
        slots = table.slots(self._series)
        rows = table.payloads
        rows.record = batch.records
        if plain:
            rows.key = [slots[()]] * len(batch.items) if batch.items else []
            rows.shape = batch.items
        else:
            rows.key = [slots[item.labels] for item in batch.items]
            rows.shape = [item.shape for item in batch.items]
        rows.tokens, rows.token_sizes = self._tokenizer.tokens(rows.shape)
        rows.size = values.sizes[batch.records].tolist()
        table.shapes = self._shapes
        return table

    def _plain(self, value: bytes) -> Any:
        """The number of a record's shape: all that is kept where neither time nor labels stand in it."""
        return self._tokenizer.gather(self._json(value))

    def _item(self, value: bytes) -> Any:
        record = self._json(value)
        labels = tuple([_label(_at(record, path)) for path in self._label_paths])
        path = self._source.event_time
        return _Item(self._tokenizer.gather(record), _at(record, path) if path else None, labels)

    def _key(self, *values: str) -> Key:
        named = [(name, value) for (name, _), value in zip(self._source.labels, values, strict=False)]
        return Key(Signal.SCHEMA, self._caps.labels([(TOPIC, self._topic)], named))

    def _times(self, table: Table, batch: Decoded[Any], kafka_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The event time of each record, and the broker's where it says none that can be read."""
        found = np.where(kafka_ms > 0, kafka_ms, NEVER)
        path, missing = self._source.event_time, 0
        if path:
            for record, item in zip(batch.records, batch.items, strict=True):
                time_ms = read_ms(item.time)
                if time_ms is None:
                    missing += 1
                else:
                    found[record] = time_ms
        if missing:
            self._caps.counts["event_time_missing",] += missing
        present = np.array(batch.records, np.int64)
        for record in present[found[present] == NEVER].tolist():
            table.dead[record] = UnreadableError(DeadReason.NO_TIME, _no_time(path))
        found[np.delete(np.arange(len(found)), present)] = NEVER
        return found


def read_ms(time: Any) -> int | None:
    """The milliseconds of a time as records write it, or None when it is none from 1970 to 9999.

    Text as `times` takes it; a number counts seconds, milliseconds, microseconds or nanoseconds since 1970, which its size tells.
    """
    if type(time) is str:
        return _text_ms(time)
    if type(time) is not int and type(time) is not float:
        return None
    if not 0 < time < _MICROSECONDS_MAX * 1000:
        return None
    if time < _SECONDS_MAX:
        return int(time * 1000)
    if time < _MS_MAX:
        return int(time)
    return int(time) // (1000 if time < _MICROSECONDS_MAX else 1_000_000)


def _text_ms(text: str) -> int | None:
    try:
        time_ms = epoch_ms(datetime.fromisoformat(text))
    except ValueError:
        try:
            return times.read_time(text, "$")
        except UnreadableError:
            return None
    return time_ms if 0 < time_ms <= TIME_MS_MAX else None


def _at(item: Any, path: FieldPath) -> Any:
    for name in path:
        if type(item) is not dict:
            return None
        item = item.get(name)
    return item


def _label(value: Any) -> str:
    """A label's value; objects and arrays are none."""
    if type(value) is str:
        return value
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _no_time(path: FieldPath) -> str:
    if not path:
        return "the record has no Kafka timestamp"
    return f"$.{'.'.join(path)}: expected {times.EXPECTED}; and the record has no Kafka timestamp"


def _refuse(_value: bytes, error: Exception) -> dict[str, Any]:
    if isinstance(error, msgspec.ValidationError) and "out of range" in str(error):
        raise UnreadableError(DeadReason.WRONG_TYPE, "a number is out of range")
    raise explain(error, {})
