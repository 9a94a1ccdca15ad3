"""Format `records`: anyone's topic of JSON objects, or of Avro's or Protobuf's. What the records look like is followed, and no publisher has to change."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from detectors.record_rows import MS_MAX
from detectors.samples import NEVER, UNKNOWN_DELAY, Key
from detectors.series import Signal
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.declarations.choice import declared_by
from stream.formats.declarations.compared import Declaration
from stream.formats.decoding import Decoded, decode_all
from stream.formats.encodings.choice import EncodingName, encoding_of, no_registry
from stream.formats.encodings.schemas import Schema, SchemaOf
from stream.formats.looks import FieldPath, Look, Looks
from stream.formats.shapes import Shapes
from stream.formats.table import Memo, Table
from stream.formats.times import TIME_MS_MAX, epoch_ms
from stream.formats.tokens import Tokenizer
from stream.formats.values import Values

TOPIC: Final = "topic"
_LONG_BYTES: Final = 8
_NUMBER = re.compile(r"\d{1,19}(\.\d{1,9})?", re.ASCII)
_SECONDS_MAX, _MS_MAX, _MICROSECONDS_MAX = 10**11, 10**14, 10**17

Where = FieldPath | str
"""In a record's value, or beside it: the name of a header, or `KEY`."""


class RecordSource(msgspec.Struct, frozen=True):
    """What is said of a topic of records: where their event time stands, labels by name with where their values stand, and what tells a record from all others.

    Of a `sample` of the records, from 0 to 1, the shape and values are looked at; or of as many as make `per_second` in a second of the broker's time.
    The `contract` is what is declared of them. Without an event time it is the broker's. With a `schema` values are bare and all of it; without one they are framed, unless they are JSON.
    """

    event_time: Where = ()
    labels: tuple[tuple[str, Where], ...] = ()
    encoding: EncodingName = "json"
    schema: Schema | None = None
    id: Where = ()
    sample: float = 1.0
    per_second: int | None = None
    contract: Schema | None = None

    @property
    def besides(self) -> tuple[str, ...]:
        """What is wanted beside the values: names of headers, or `KEY`."""
        return tuple(sorted({where for where in self._wanted if isinstance(where, str)}))

    @property
    def inside(self) -> tuple[FieldPath, ...]:
        """The paths in the values at which something is wanted."""
        return tuple({where: None for where in self._wanted if where and not isinstance(where, str)})

    @property
    def _wanted(self) -> tuple[Where, ...]:
        return (self.event_time, self.id, *(where for _, where in self.labels))


class Records:
    """Reads records: a row in `payloads` each."""

    def __init__(
        self, topic: str, source: RecordSource, caps: Caps, shards: int, schema_of: SchemaOf = no_registry
    ) -> None:
        self._topic, self._source, self._caps = topic, source, caps
        own = source.contract is None or source.encoding != "json_schema"
        self._encoding = encoding_of(
            source.encoding, source.schema, schema_of if own else no_registry, caps.limits
        )
        contract = Declaration(declared_by(source.contract), caps.limits) if source.contract else None
        self._shapes = Shapes(caps, typed=self._encoding.typed, declaration=contract)
        self._tokenizer = Tokenizer(caps, self._shapes)
        self._series = Memo(self._key, shards)
        self._inside = source.inside
        self._looks = Looks(self._encoding, self._shapes, self._tokenizer, self._inside)

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch; `kafka_ms` are the records' Kafka timestamps, 0 or less when unknown."""
        if self._shapes.full:
            self._shapes.forget()
            self._tokenizer.forget()
            self._looks.forget()
        values = Values.of(values)
        batch = self._decoded(values, kafka_ms)
        table = Table(len(values))
        table.dead = batch.dead
        table.times = self._times(table, batch, values, np.asarray(kafka_ms, np.int64))
        rows = table.payloads
        rows.record = batch.records
        rows.shape = [shape for shape, _ in batch.items]
        rows.key = self._keys(table, batch, values)
        rows.tokens, rows.token_sizes = self._tokenizer.tokens(rows.shape)
        rows.size = values.sizes[batch.records].tolist()
        rows.delay_ms = self._delays(table.times, kafka_ms, batch.records)
        rows.ident = self._idents(batch, values)
        table.shapes = self._shapes
        return table

    def _decoded(self, values: Values, kafka_ms: Sequence[int]) -> Decoded[Look]:
        """What is kept of the records; of a topic that is sampled all are decoded, and those chosen by their content and time are looked at."""
        shares = self._source.sample if values.shares is None else values.shares
        if np.all(np.greater_equal(shares, 1)):
            look = self._looks.at
            return decode_all(
                values, self._encoding.guard, self._looks.read, lambda *it: look(self._odd(*it))
            )
        batch: Decoded[Any] = decode_all(values, self._encoding.guard, self._encoding.decode, self._odd)
        present, stamps = list(values), np.asarray(kafka_ms, np.int64).clip(0).tolist() or [0] * len(values)
        below = (np.broadcast_to(shares, len(values)) * 2.0**64).tolist()
        chosen = [xxh3_64_intdigest(present[n] or b"", stamps[n]) < below[n] for n in batch.records]
        look, pass_over = self._looks.at, self._looks.past
        batch.items = [
            look(it) if seen else pass_over(it) for it, seen in zip(batch.items, chosen, strict=True)
        ]
        self._caps.counts["records_passed_over",] += len(chosen) - sum(chosen)
        return batch

    def _odd(self, value: bytes, error: Exception) -> dict[str, Any]:
        record = self._encoding.odd(value, error)
        self._caps.counts["odd_json",] += 1
        return record

    def _keys(self, table: Table, batch: Decoded[Look], values: Values) -> list[int]:
        """The number of each record's series."""
        slots = table.slots(self._series)
        if not self._source.labels:
            return [slots[()]] * len(batch.items) if batch.items else []
        columns = [
            map(_text, _beside(batch, values, where))
            if isinstance(where, str)
            else map(_label, self._within(batch, where))
            for _, where in self._source.labels
        ]
        return [slots[ident] for ident in zip(*columns, strict=True)]

    def _key(self, *values: str) -> Key:
        named = [(name, value) for (name, _), value in zip(self._source.labels, values, strict=False)]
        return Key(Signal.SCHEMA, self._caps.labels([(TOPIC, self._topic)], named))

    def _times(
        self, table: Table, batch: Decoded[Look], values: Values, kafka_ms: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The event time of each record, and the broker's where it says none that can be read."""
        found = np.where(kafka_ms > 0, kafka_ms, NEVER)
        missing = 0
        for record, time_ms in zip(batch.records, self._said_times(batch, values), strict=False):
            if time_ms is None:
                missing += 1
            else:
                found[record] = time_ms
        if missing:
            self._caps.counts["event_time_missing",] += missing
        present = np.array(batch.records, np.int64)
        for record in present[found[present] == NEVER].tolist():
            table.dead[record] = UnreadableError(DeadReason.NO_TIME, _no_time(self._source.event_time))
        found[np.delete(np.arange(len(found)), present)] = NEVER
        return found

    def _delays(
        self, times: NDArray[np.int64], kafka_ms: Sequence[int], records: list[int]
    ) -> NDArray[np.int64]:
        """From event times to Kafka timestamps; -1 where the latter are the former, or unknown."""
        unknown = np.full(len(records), UNKNOWN_DELAY)
        if not self._source.event_time or not len(kafka_ms):
            return unknown
        broker = np.asarray(kafka_ms, np.int64)[records]
        return np.where(broker > 0, np.clip(broker - times[records], 0, MS_MAX), unknown)

    def _idents(self, batch: Decoded[Look], values: Values) -> NDArray[np.uint32]:
        """What tells each record from others, hashed; 0 for those without."""
        where, count = self._source.id, len(batch.items)
        if where == ():
            return np.zeros(count, np.uint32)
        if isinstance(where, str):
            return np.fromiter(map(_ident, _beside(batch, values, where)), np.uint32, count)
        return np.fromiter((_ident(_label(it)) for it in self._within(batch, where)), np.uint32, count)

    def _said_times(self, batch: Decoded[Look], values: Values) -> list[int | None]:
        """What the records say; nothing when their event time is the broker's."""
        where = self._source.event_time
        if isinstance(where, str):
            return [header_ms(it) for it in _beside(batch, values, where)]
        return list(map(read_ms, self._within(batch, where))) if where else []

    def _within(self, batch: Decoded[Look], path: FieldPath) -> Iterator[Any]:
        """What stands at a path in each record that could be decoded."""
        at = self._inside.index(path)
        return (found[at] for _, found in batch.items)


def header_ms(time: bytes | None) -> int | None:
    """The same of a header: text or a number as text, or the eight bytes in which Java's serializers write a number."""
    if time is None:
        return None
    if len(time) == _LONG_BYTES and time[0] < ord(" "):
        return read_ms(int.from_bytes(time, "big", signed=True))
    text = _text(time).strip()
    return read_ms(float(text) if "." in text else int(text)) if _NUMBER.fullmatch(text) else read_ms(text)


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


def _ident(value: bytes | str | None) -> int:
    """32 bits that stand for an id; 0 for none."""
    if not value:
        return 0
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return xxh3_64_intdigest(raw) & 0xFFFFFFFF or 1


def _beside(batch: Decoded[Look], values: Values, name: str) -> list[bytes | None]:
    """The header of this name, or the key, of each record that could be decoded."""
    told = list(values.besides.get(name, ()))
    return [told[record] for record in batch.records] if told else [None] * len(batch.records)


def _text(value: bytes | None) -> str:
    """Text as it is; bytes that are none are spelt out, so that what differs stays different."""
    return (value or b"").decode(errors="backslashreplace")


def _label(value: Any) -> str:
    """A label's value; objects and arrays are none."""
    if type(value) is str:
        return value
    return "" if value is None or isinstance(value, dict | list) else json.dumps(value)


def _no_time(where: Where) -> str:
    if not where:
        return "the record has no Kafka timestamp"
    place = f"the header {where}" if isinstance(where, str) else f"$.{'.'.join(where)}"
    return f"{place}: expected {times.EXPECTED}; and the record has no Kafka timestamp"
