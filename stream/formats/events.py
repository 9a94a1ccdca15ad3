"""Format `events`: our own run events, one JSON object each (stream/schemas/run-event.schema.json)."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct
from numpy.typing import NDArray

from detectors.core.layout import Records
from detectors.samples import NEVER, RUNS, Key, RunState
from detectors.series import Signal, run_hash
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import explain
from stream.formats.declared import DeclaredField, Schemas
from stream.formats.decoding import DECODE_ERRORS, decode_all, decode_respelt
from stream.formats.event_scan import scan
from stream.formats.known_series import UNKNOWN, KnownSeries
from stream.formats.limits import Guard, Limits
from stream.formats.links import Datasets, RunLinks, WrittenDatasets
from stream.formats.table import Memo, RunColumns, RunRows, Slots, Table
from stream.formats.times import Time
from stream.formats.values import Values

AMOUNT_MAX: Final = 1e18
Amount = Annotated[float, Meta(ge=0, le=AMOUNT_MAX)]
State = Literal[
    "started",
    "running",
    "succeeded",
    "failed",
    "skipped",
    "STARTED",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "SKIPPED",
]
_NO_SCHEMA = Raw(b"null")
_STATES = {spelt: int(state) for state in RunState for spelt in (state.name, state.name.lower())}
_AMOUNT = f"a number from 0 to {AMOUNT_MAX:.0e}, or null"
_TEXT = "text or null"
_TEXTS = "a list of texts, or null"
_EXPECTED = {
    "pipeline": "text that is not empty",
    "state": "one of started, running, succeeded, failed, skipped",
    "time": times.EXPECTED,
    "task": _TEXT,
    "run_id": "text, an integer of 64 bits or null",
    "duration_ms": _AMOUNT,
    "rows": _AMOUNT,
    "bytes": _AMOUNT,
    "dataset": _TEXT,
    "labels": "an object whose values are text, or null",
    "owner": _TEXT,
    "error": _TEXT,
    "schema": "a list of {name, type, nullable, fields}, or null",
    "inputs": _TEXTS,
    "outputs": _TEXTS,
    "after": _TEXTS,
}


class RunEvent(Struct, gc=False):
    """A run event as it is decoded; fields not named here are passed over."""

    pipeline: Annotated[str, Meta(min_length=1)]
    state: State
    time: Time
    task: str | None = None
    run_id: str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    duration_ms: Amount | None = None
    rows: Amount | None = None
    bytes: Amount | None = None
    dataset: str | None = None
    labels: dict[str, str] | None = None
    owner: str | None = None
    error: str | None = None
    inputs: list[str] | None = None
    outputs: list[str] | None = None
    after: list[str] | None = None
    schema: Raw = _NO_SCHEMA


class Events:
    """Reads run events: a row in `runs` each, and one in `declared` when a schema comes along.

    The plain ones are scanned by a kernel, the others decoded one by one.
    """

    def __init__(self, limits: Limits, caps: Caps, shards: int) -> None:
        self._guard = Guard(limits)
        self._bytes_max = limits.record_bytes_max
        self._known = KnownSeries(shards)
        self._written = WrittenDatasets()
        self._links = RunLinks(caps)
        self._caps = caps
        self._decode = msgspec.json.Decoder(RunEvent).decode
        self._schemas = Schemas(msgspec.json.Decoder(list[DeclaredField] | None).decode, caps)
        self._runs = Memo(self._run_key, shards)
        self._declared = Memo(self._declared_key, shards)

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch."""
        values = Values.of(values)
        scanned = scan(values.joined, values.ends)
        plain = scanned["plain"] & (values.sizes <= self._bytes_max)
        table = Table(len(values))
        if plain.any():
            self._read_plain(table, values, scanned, np.flatnonzero(plain))
        if not plain.all():
            self._read_others(table, values, np.flatnonzero(~plain))
        return table

    def _read_plain(self, table: Table, values: Values, scanned: Records, records: NDArray[np.int64]) -> None:
        """The rows of the records that the scan has read."""
        chosen = slice(None) if len(records) == len(values) else records
        places = self._places(values, scanned["ident"], records)
        table.scanned_keys, index = self._known.choice(places)
        table.times = np.full(len(values), NEVER)
        table.times[chosen] = scanned["time_ms"][chosen]
        run, state = scanned["run"][chosen], scanned["state"][chosen]
        amounts = scanned["duration_ms"][chosen], scanned["rows"][chosen], scanned["bytes"][chosen]
        table.scanned = RunColumns(records, index, run, state, *amounts)
        datasets = scanned["dataset"][chosen]
        if datasets.any():
            idents, times_ms = scanned["ident"][chosen][:, 0], scanned["time_ms"][chosen]
            for at in self._written.news(places, idents, datasets, times_ms).tolist():
                self._read_links(table, int(records[at]), self._decode(values[records[at]] or b""))

    def _places(
        self, values: Values, idents: NDArray[np.int64], records: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The places of the records' keys among the known ones; those that are new are decoded once each."""
        idents = idents[records]
        places = self._known.find(idents)
        unknown = np.flatnonzero(places == UNKNOWN)
        if not len(unknown):
            return places
        _, firsts = np.unique(idents[unknown, 0], return_index=True)
        if self._known.make_room(len(firsts)):
            return self._places(values, idents, records)
        for at in unknown[firsts].tolist():
            event = self._decode(values[records[at]] or b"")
            self._known.add(idents[at], self._run_key(*_ident(event)))
        return self._known.find(idents)

    def _read_others(self, table: Table, values: Sequence[bytes | None], records: NDArray[np.int64]) -> None:
        """The rows of records that take a decoder, and why those have none that it refuses."""
        batch = decode_all([values[record] for record in records], self._guard, self._decode, self._recover)
        table.dead = {int(records[at]): why for at, why in batch.dead.items()}
        where, events = records[batch.records].tolist(), batch.items
        for record, time_ms in zip(where, times.epoch_ms_all([event.time for event in events]), strict=True):
            table.times[record] = time_ms
        table.runs = self._run_rows(table, where, events)
        slots = table.slots(self._declared)
        for record, event in zip(where, events, strict=True):
            if event.error:
                table.errors[record] = self._caps.error(event.error)
            if event.schema is not _NO_SCHEMA:
                self._read_schema(table, slots, record, event)
            if event.dataset or event.inputs or event.outputs or event.after:
                self._read_links(table, record, event)

    def _run_rows(self, table: Table, records: list[int], events: list[RunEvent]) -> RunRows:
        slots = table.slots(self._runs)
        return RunRows(
            record=records,
            key=[slots[_ident(event)] for event in events],
            run=[run_hash(str(event.run_id)) if event.run_id is not None else 0 for event in events],
            state=[_STATES[event.state] for event in events],
            duration_ms=[event.duration_ms for event in events],
            rows=[event.rows for event in events],
            bytes=[event.bytes for event in events],
        )

    def _read_links(self, table: Table, record: int, event: RunEvent) -> None:
        writes = (event.dataset or "", *(event.outputs or ()))
        links = self._links.of(
            event.pipeline, _datasets(event.inputs or ()), _datasets(writes), tuple(event.after or ())
        )
        table.links.append((record, links))

    def _read_schema(self, table: Table, slots: Slots, record: int, event: RunEvent) -> None:
        try:
            fields = self._schemas.fields(bytes(event.schema))
        except DECODE_ERRORS as error:
            table.dead[record] = explain(error, _EXPECTED, "$.schema")
            return
        if fields:
            ident = (event.dataset, event.pipeline, event.task, event.owner)
            table.declared.append(record, slots[ident], table.schema(fields))

    def _recover(self, value: bytes, error: Exception) -> RunEvent:
        return decode_respelt(value, error, self._decode, _EXPECTED, "pipeline", _respell)

    def _run_key(self, pipeline: str, task: str | None, owner: str | None, *labels: tuple[str, str]) -> Key:
        named = self._caps.labels((("pipeline", pipeline), ("task", task)), labels)
        return Key(RUNS, named, owner=self._caps.label(owner or ""))

    def _declared_key(self, dataset: str | None, pipeline: str, task: str | None, owner: str | None) -> Key:
        about = (("dataset", dataset),) if dataset else (("pipeline", pipeline), ("task", task))
        return Key(Signal.SCHEMA, self._caps.labels(about), owner=self._caps.label(owner or ""))


def _respell(event: dict[str, Any]) -> None:
    """Times of all kinds, and states in capitals."""
    event["time"] = times.read_time(event.get("time"), "$.time")
    if isinstance(event.get("state"), str):
        event["state"] = event["state"].lower()


def _datasets(names: Iterable[str]) -> Datasets:
    return tuple(("", name) for name in names)


def _ident(event: RunEvent) -> tuple[Any, ...]:
    """What names the series of an event's runs."""
    return (event.pipeline, event.task, event.owner, *(event.labels or {}).items())
