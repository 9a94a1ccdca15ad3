"""Format `openlineage`: OpenLineage run, job and dataset events, read leniently.

A facet that is ill-typed is as if it had not been sent; only an event without time or name is refused. Labels
are `namespace`, `pipeline`, `task` for runs and `namespace`, `dataset` for datasets.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec import Raw

from detectors.samples import RUNS, Key, RunState
from detectors.series import Signal, run_hash
from stream.formats import times
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.declared import DeclaredField, Schemas
from stream.formats.decoding import DECODE_ERRORS, decode_all
from stream.formats.limits import Guard, Limits
from stream.formats.links import Datasets, RunLinks
from stream.formats.openlineage_parts import (
    ABSENT,
    DatasetFacets,
    ErrorMessage,
    Event,
    JobFacets,
    JobType,
    Named,
    OutputFacets,
    Ownership,
    Parent,
    Part,
    Root,
    Run,
    RunFacets,
    SchemaFacet,
    Statistics,
    read_part,
    text,
)
from stream.formats.table import Memo, Slots, Table
from stream.formats.times import Time

_STATES = {
    "START": RunState.STARTED,
    "RUNNING": RunState.RUNNING,
    "COMPLETE": RunState.SUCCEEDED,
    "FAIL": RunState.FAILED,
    "ABORT": RunState.SKIPPED,
}
_STATEMENT = re.compile(r"\.sql\.\d+$", re.ASCII)
_NUMBERED = re.compile(r"\.\d+$", re.ASCII)
_decode_event = msgspec.json.Decoder(Event).decode


class Step(NamedTuple):
    """Whose run an event tells of; `counts` is False for a part of a job that reports itself."""

    pipeline: str
    task: str
    counts: bool = True


class _JobRun(NamedTuple):
    """What an event says of a job and its run; `caller` is the pipeline that started it, if that is another one."""

    namespace: str
    run_id: str
    step: Step
    caller: str
    facets: RunFacets
    job_facets: JobFacets

    @classmethod
    def of(cls, event: Event, job: Named) -> "_JobRun":
        run = read_part(Run, event.run) or Run()
        facets = read_part(RunFacets, run.facets) or RunFacets()
        job_facets = read_part(JobFacets, job.facets) or JobFacets()
        parent = _parent(facets)
        step = _step(job, parent, job_facets)
        return cls(text(job.namespace), text(run.run_id), step, _caller(parent), facets, job_facets)


class OpenLineage:
    """Reads OpenLineage events.

    A run event gives a row in `runs` when its type is a state; each output with statistics of a completed run gives
    rows in `values`; each dataset with a schema facet gives one in `declared`.
    """

    def __init__(self, limits: Limits, caps: Caps, shards: int) -> None:
        self._guard = Guard(limits)
        self._caps = caps
        self._datasets_max = limits.datasets_max
        self._links = RunLinks(caps)
        self._keys = Memo(self._key, shards)
        self._schemas = Schemas(_declared, caps)

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch."""
        table = Table(len(values))
        batch = decode_all(values, self._guard, _decode_event, _refuse)
        table.dead = batch.dead
        slots = table.slots(self._keys)
        for record, event in zip(batch.records, batch.items, strict=True):
            try:
                self._read_event(table, slots, record, event)
            except UnreadableError as why:
                table.dead[record] = why
        return table

    def _read_event(self, table: Table, slots: Slots, record: int, event: Event) -> None:
        job = read_part(Named, event.job)
        dataset = read_part(Named, event.dataset)
        if not (job and text(job.name)) and not (dataset and text(dataset.name)):
            raise UnreadableError(
                DeadReason.NO_NAME, "$.job.name, $.dataset.name: expected text that is not empty"
            )
        table.times[record] = _event_time(event.event_time)
        state = _state(event)
        inputs, outputs = list(self._datasets(event.inputs)), list(self._datasets(event.outputs))
        if job and text(job.name):
            run = _JobRun.of(event, job)
            self._read_links(table, record, run, inputs, outputs)
            if state is not None:
                self._read_run(table, slots, record, run, state, outputs)
        if state is RunState.SUCCEEDED:
            for output in outputs:
                self._read_volume(table, slots, record, output)
        for found in (*inputs, *outputs, *([dataset] if dataset else ())):
            self._read_schema(table, slots, record, found)

    def _read_links(
        self, table: Table, record: int, run: "_JobRun", inputs: list[Named], outputs: list[Named]
    ) -> None:
        """A pipeline reads its inputs and writes its outputs; one that starts others comes after them."""
        pipeline = run.step.pipeline
        if inputs or outputs:
            table.links.append((record, self._links.of(pipeline, _names(inputs), _names(outputs))))
        if run.caller not in ("", pipeline):
            table.links.append((record, self._links.of(run.caller, after=(pipeline,))))

    def _read_run(
        self, table: Table, slots: Slots, record: int, run: "_JobRun", state: RunState, outputs: list[Named]
    ) -> None:
        step, facets, job_facets = run.step, run.facets, run.job_facets
        if not step.counts:
            return
        statistics = [found for output in outputs if (found := _statistics(output))]
        pairs = (("namespace", run.namespace), ("pipeline", step.pipeline), ("task", step.task))
        runs = table.runs
        error = read_part(ErrorMessage, facets.error_message)
        if error and error.message:
            table.errors[record] = self._caps.error(error.message)
        runs.record.append(record)
        runs.key.append(slots[(RUNS, "", _owner(job_facets.ownership), *pairs)])
        runs.run.append(run_hash(run.run_id))
        runs.state.append(int(state))
        runs.duration_ms.append(None)
        runs.rows.append(_sum([found.row_count for found in statistics]))
        runs.bytes.append(_sum([found.size for found in statistics]))

    def _read_volume(self, table: Table, slots: Slots, record: int, output: Named) -> None:
        statistics = _statistics(output)
        if not statistics or not text(output.name):
            return
        facets = read_part(DatasetFacets, output.facets) or DatasetFacets()
        measures = {"rows": statistics.row_count, "bytes": statistics.size, "files": statistics.file_count}
        for measure, amount in measures.items():
            if amount is not None:
                pairs = (*_dataset_labels(output), ("measure", measure))
                ident = (Signal.VOLUME, measure, _owner(facets.ownership), *pairs)
                table.values.append(record, slots[ident], amount)

    def _read_schema(self, table: Table, slots: Slots, record: int, dataset: Named) -> None:
        facets = read_part(DatasetFacets, dataset.facets)
        if not facets or facets.schema is ABSENT or not text(dataset.name):
            return
        try:
            fields = self._schemas.fields(bytes(facets.schema))
        except DECODE_ERRORS:
            return
        if fields:
            ident = (Signal.SCHEMA, "", _owner(facets.ownership), *_dataset_labels(dataset))
            table.declared.append(record, slots[ident], table.schema(fields))

    def _datasets(self, raw: Part) -> Iterator[Named]:
        parts = read_part(list[Raw], raw) or []
        if len(parts) > self._datasets_max:
            self._caps.counts["limited", "datasets_max"] += 1
        for part in islice(parts, self._datasets_max):
            found = read_part(Named, part)
            if found:
                yield found

    def _key(self, kind: str, unit: str, owner: str, *labels: tuple[str, str]) -> Key:
        return Key(kind, self._caps.labels(labels), unit, self._caps.label(owner))


def _refuse(_value: bytes, error: Exception) -> Event:
    raise explain(error, {})


def _declared(raw: bytes) -> list[DeclaredField] | None:
    facet: SchemaFacet = _schema_decoder.decode(raw)
    return facet.fields


_schema_decoder = msgspec.json.Decoder(SchemaFacet)


def _event_time(raw: Part) -> int:
    """The event time.

    Raises:
        UnreadableError: `no_time`, `wrong_type` or `bad_time`.
    """
    time = read_part(Time, raw)  # type: ignore[arg-type]
    if time is None:
        time = times.read_time(read_part(object, raw), "$.eventTime")
    return times.epoch_ms(time)


def _state(event: Event) -> RunState | None:
    """The state that an event reports; None for job and dataset events, and for other or unknown types."""
    if read_part(Run, event.run) is None:
        return None
    return _STATES.get((read_part(str, event.event_type) or "").upper())


def _parent(facets: RunFacets) -> Parent | None:
    return read_part(Parent, facets.parent) or read_part(Parent, facets.parent_run)


def _caller(parent: Parent | None) -> str:
    """The pipeline that a parent is, or is a task of: `dag.task` of root `dag` is a task."""
    name = text(parent.job.name) if parent else ""
    root = read_part(Root, parent.root) if parent else None
    root_name = text(root.job.name) if root else ""
    return root_name if root_name and name.startswith(f"{root_name}.") else name


def _step(job: Named, found: Parent | None, job_facets: JobFacets) -> Step:
    """The pipeline and task of a job: `dag.task` of parent `dag` is its task (Airflow, Spark).

    Numbered parts of a job (`job.sql.3` of parent `job`) are folded into it: the job reports itself.
    """
    name = job.name
    parent = text(found.job.name) if found and found.job.namespace == job.namespace else ""
    statement = _STATEMENT.sub("", name)
    if parent and parent in (statement, _NUMBERED.sub("", name)) and parent != name:
        job_type = read_part(JobType, job_facets.job_type)
        if statement == parent or not job_type or job_type.job_type.upper() != "TASK":
            return Step(parent, "", counts=False)
    name = statement or name
    if parent and name.startswith(f"{parent}.") and len(name) > len(parent) + 1:
        return Step(parent, name[len(parent) + 1 :])
    return Step(name, "")


def _statistics(output: Named) -> Statistics | None:
    facets = read_part(OutputFacets, output.output_facets)
    return read_part(Statistics, facets.output_statistics) if facets else None


def _owner(raw: Part) -> str:
    ownership = read_part(Ownership, raw)
    return ownership.owners[0].name if ownership and ownership.owners else ""


def _names(datasets: list[Named]) -> Datasets:
    return tuple((text(dataset.namespace), text(dataset.name)) for dataset in datasets)


def _dataset_labels(dataset: Named) -> tuple[tuple[str, str], ...]:
    return (("namespace", text(dataset.namespace)), ("dataset", dataset.name))


def _sum(amounts: list[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
