"""Format `metrics`: numeric samples of any kind, one JSON object each: ours and prometheus-kafka-adapter's."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from detectors.samples import Key
from detectors.series import Signal
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.decoding import decode_all, decode_respelt
from stream.formats.limits import Guard, Limits
from stream.formats.table import Memo, Table
from stream.formats.times import Time

_EXPECTED = {
    "name": "text that is not empty",
    "value": "a number, or text that reads as one",
    "time": times.EXPECTED,
    "timestamp": times.EXPECTED,
    "labels": "an object whose values are text, or null",
}


class Metric(Struct, gc=False):
    """One sample; the adapter writes `timestamp` for `time` and the value as text."""

    name: Annotated[str, Meta(min_length=1)]
    value: float | str
    time: Time | None = None
    timestamp: Time | None = None
    labels: dict[str, str] | None = None


class Metrics:
    """Reads metrics: a row in `values` each; none when the value is no finite number (Prometheus marks gaps so)."""

    def __init__(self, limits: Limits, caps: Caps, shards: int) -> None:
        self._guard = Guard(limits)
        self._caps = caps
        self._decode = msgspec.json.Decoder(Metric).decode
        self._series = Memo(self._key, shards)

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch."""
        table = Table(len(values))
        batch = decode_all(values, self._guard, self._decode, self._recover)
        table.dead = batch.dead
        slots, rows = table.slots(self._series), table.values
        for record, metric in zip(batch.records, batch.items, strict=True):
            time = metric.timestamp if metric.time is None else metric.time
            value = _number(metric.value)
            if time is None or value is None:
                table.dead[record] = _incomplete(time is None)
                continue
            table.times[record] = times.epoch_ms(time)
            if math.isfinite(value):
                rows.append(record, slots[(metric.name, *(metric.labels or {}).items())], value)
        return table

    def _recover(self, value: bytes, error: Exception) -> Metric:
        return decode_respelt(value, error, self._decode, _EXPECTED, "name", _respell)

    def _key(self, name: str, *labels: tuple[str, str]) -> Key:
        named = [pair for pair in labels if pair[0] != "__name__"]
        return Key(Signal.VALUE, self._caps.labels((("name", name),), named))


def _respell(metric: dict[str, Any]) -> None:
    """Times of all kinds, under both names."""
    path = "timestamp" if metric.get("time") is None else "time"
    metric["time"] = times.read_time(metric.pop(path, None), f"$.{path}")


def _number(value: float | str) -> float | None:
    if isinstance(value, float):
        return value
    try:
        return None if "_" in value else float(value)
    except ValueError:
        return None


def _incomplete(no_time: bool) -> UnreadableError:
    if no_time:
        return UnreadableError(DeadReason.NO_TIME, f"$.time: is missing; expected {times.EXPECTED}")
    return UnreadableError(DeadReason.WRONG_TYPE, f"$.value: expected {_EXPECTED['value']}")
