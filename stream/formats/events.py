"""Format `events`: our own run events, one JSON object each (stream/schemas/run-event.schema.json)."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from detectors.samples import RUNS, Key, RunState
from detectors.series import Signal, run_hash
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.declared import DeclaredField, Schemas
from stream.formats.decoding import DECODE_ERRORS, decode_all
from stream.formats.limits import Guard, Limits
from stream.formats.table import Memo, Slots, Table
from stream.formats.times import Time

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
}


class RunEvent(Struct, gc=False):
    """A run event as it is decoded; fields not named here are passed over."""

    pipeline: Annotated[str, Meta(min_length=1)]
    state: State
    time: Time
    task: str | None = None
    run_id: str | int | None = None
    duration_ms: Amount | None = None
    rows: Amount | None = None
    bytes: Amount | None = None
    dataset: str | None = None
    labels: dict[str, str] | None = None
    owner: str | None = None
    error: str | None = None
    schema: Raw = _NO_SCHEMA


class Events:
    """Reads run events: a row in `runs` each, and one in `declared` when a schema comes along."""

    def __init__(self, limits: Limits, caps: Caps, shards: int) -> None:
        self._guard = Guard(limits)
        self._caps = caps
        self._decode = msgspec.json.Decoder(RunEvent).decode
        self._schemas = Schemas(msgspec.json.Decoder(list[DeclaredField] | None).decode, caps)
        self._runs = Memo(self._run_key, shards)
        self._declared = Memo(self._declared_key, shards)

    def read(self, values: Sequence[bytes | None]) -> Table:
        """The rows of a fetched batch."""
        table = Table(len(values))
        batch = decode_all(values, self._guard, self._decode, self._recover)
        table.dead, events = batch.dead, batch.items
        self._read_times(table, batch.records, events)
        self._read_runs(table, batch.records, events)
        slots = table.slots(self._declared)
        for row, event in enumerate(events):
            if event.error:
                table.errors[row] = self._caps.error(event.error)
            if event.schema is not _NO_SCHEMA:
                self._read_schema(table, slots, batch.records[row], event)
        return table

    def _read_times(self, table: Table, records: list[int], events: list[RunEvent]) -> None:
        found = times.epoch_ms_all([event.time for event in events])
        if len(records) == len(table.times):
            table.times = found
        else:
            for record, time_ms in zip(records, found, strict=True):
                table.times[record] = time_ms

    def _read_runs(self, table: Table, records: list[int], events: list[RunEvent]) -> None:
        slots, runs = table.slots(self._runs), table.runs
        runs.record = records
        runs.key = [
            slots[(event.pipeline, event.task, event.owner, *event.labels.items())]
            if event.labels
            else slots[(event.pipeline, event.task, event.owner)]
            for event in events
        ]
        runs.run = [
            run_hash(event.run_id) if isinstance(event.run_id, str) else _run(event.run_id)
            for event in events
        ]
        runs.state = [_STATES[event.state] for event in events]
        runs.duration_ms = [event.duration_ms for event in events]
        runs.rows = [event.rows for event in events]
        runs.bytes = [event.bytes for event in events]

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
        """Spell time and state as the decoder wants them and try once more.

        Raises:
            UnreadableError: what is wrong with the value.
        """
        if not isinstance(error, msgspec.ValidationError):
            raise explain(error, _EXPECTED)
        try:
            event: Any = msgspec.json.decode(value)
        except DECODE_ERRORS as unreadable:
            raise explain(unreadable, _EXPECTED) from None
        if not isinstance(event, dict):
            raise explain(error, _EXPECTED)
        if event.get("pipeline") in (None, ""):
            raise UnreadableError(DeadReason.NO_NAME, f"$.pipeline: expected {_EXPECTED['pipeline']}")
        event["time"] = times.read_time(event.get("time"), "$.time")
        if isinstance(event.get("state"), str):
            event["state"] = event["state"].lower()
        try:
            return self._decode(msgspec.json.encode(event))
        except DECODE_ERRORS as still:
            raise explain(still, _EXPECTED) from None

    def _run_key(self, pipeline: str, task: str | None, owner: str | None, *labels: tuple[str, str]) -> Key:
        named = self._caps.labels((("pipeline", pipeline), ("task", task)), labels)
        return Key(RUNS, named, owner=self._caps.label(owner or ""))

    def _declared_key(self, dataset: str | None, pipeline: str, task: str | None, owner: str | None) -> Key:
        about = (("dataset", dataset),) if dataset else (("pipeline", pipeline), ("task", task))
        return Key(Signal.SCHEMA, self._caps.labels(about), owner=self._caps.label(owner or ""))


def _run(run_id: str | int | None) -> int:
    return 0 if run_id is None else run_hash(str(run_id))
