"""Lineage: what ingest tells triage of it, and how seldom."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detectors.lineage import Link, Relation
from detectors.notes import LineageNote, read_note
from detectors.outputs import Destination, Output
from stream.formats.limits import Limits
from stream.ingest import LATENESS_MS, Ingest
from stream.lineage_notes import LINKS_OF_NOTE_MAX, LineageTeller

DAY_MS = 86_400_000
START_MS = 1_772_359_200_000
SKEW_MS = 300_000
READS, WRITES, AFTER = Relation.READS, Relation.WRITES, Relation.AFTER


class Reading:
    """One partition, read in batches."""

    def __init__(self, name: str = "events", limits: Limits | None = None) -> None:
        self._ingest = Ingest({"t": name}, 2, {"t": 1}, limits or Limits(), SKEW_MS)
        self._next = 0

    def outputs(self, *events: Any) -> list[Output]:
        offsets = range(self._next, self._next + len(events))
        self._next += len(events)
        values = [json.dumps(event).encode() for event in events]
        return self._ingest.batch(
            "t", 0, offsets, values, [0] * len(values), offsets[0] - 1, START_MS + 3 * DAY_MS, caught_up=True
        )

    def notes(self, *events: Any) -> list[LineageNote]:
        return notes_in(self.outputs(*events))

    def links(self, *events: Any) -> list[Link]:
        return [link for note in self.notes(*events) for link in note.links]


def notes_in(outputs: Sequence[Output]) -> list[LineageNote]:
    told = [output for output in outputs if output.destination is Destination.ANOMALIES]
    assert all(output.partition == 0 for output in told)
    notes = [read_note(output.value or b"") for output in told]
    assert all(isinstance(note, LineageNote) for note in notes)
    return notes  # type: ignore[return-value]


def event(pipeline: str = "orders", hours: float = 0, **more: Any) -> dict[str, Any]:
    return {"pipeline": pipeline, "state": "succeeded", "time": int(START_MS + hours * 3_600_000), **more}


def lineage_event(job: str, parent: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    facets = {"parent": parent} if parent else {}
    return {
        "eventTime": "2026-03-01T10:00:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "r", "facets": facets},
        "job": {"namespace": "n", "name": job},
        **more,
    }


def dataset(name: str, namespace: str = "s3://lake") -> dict[str, str]:
    return {"namespace": namespace, "name": name}


def test_a_run_event_tells_what_it_reads_writes_and_comes_after() -> None:
    links = Reading().links(event(inputs=["raw"], outputs=["a", "b"], after=["load"], dataset="c"))
    assert sorted(links) == [
        Link("orders", READS, "raw"),
        *(Link("orders", WRITES, name) for name in "abc"),
        Link("orders", AFTER, "load"),
    ]


def test_a_dataset_of_plain_events_is_told_once_a_day_for_each_pipeline() -> None:
    reading = Reading()
    first = reading.notes(*(event(f"p{n % 3}", n / 100, dataset="d", task=f"t{n % 2}") for n in range(60)))
    assert [sorted(note.links) for note in first] == [[Link(f"p{n}", WRITES, "d") for n in range(3)]]
    assert reading.notes(event("p1", 5, dataset="d")) == []
    assert reading.links(event("p1", 6, dataset="other")) == [Link("p1", WRITES, "other")]
    assert reading.notes(event("p1", 7, dataset="d")) == []
    again = reading.notes(event("p0", 25, dataset="d"), event("p2", 1, dataset="d"))
    now_ms = START_MS + 25 * 3_600_000
    assert [(note.links, note.times_ms) for note in again] == [
        ((Link("p0", WRITES, "d"), Link("p2", WRITES, "d")), (now_ms, now_ms - LATENESS_MS))
    ]


def test_a_link_that_counts_from_an_earlier_time_on_is_told_again() -> None:
    reading = Reading()
    (first,) = reading.notes(event("p", 5, dataset="d"))
    (again,) = Reading.notes(reading, event("p", 5 - LATENESS_MS / 7_200_000, dataset="d"))
    assert again.times_ms[0] == first.times_ms[0] - LATENESS_MS // 2
    assert reading.notes(event("p", 5, dataset="d")) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("pq"), st.sampled_from(["", "d", "e", "größe"]), st.integers(0, 60)),
        min_size=1,
        max_size=30,
    ),
    st.data(),
)
def test_however_batches_are_cut_no_link_is_missed(
    told: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    events = [event(name, hours, dataset=to or None) for name, to, hours in told]
    reading, links, rest = Reading(), set(), events
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        links |= set(reading.links(*rest[:size]))
        rest = rest[size:]
    assert links == {Link(name, WRITES, to) for name, to, _ in told if to}


def test_events_without_such_fields_tell_nothing() -> None:
    assert Reading().notes(event(), event(dataset=""), event(inputs=[], outputs=None, after=[""])) == []


def test_a_pipeline_does_not_come_after_itself() -> None:
    assert Reading().links(event(after=["orders", "load"])) == [Link("orders", AFTER, "load")]


def test_what_is_refused_tells_nothing() -> None:
    reading = Reading()
    assert reading.notes(event(inputs=["raw"], hours=24 * 9), event(inputs=[5])) == []
    assert reading.links(event(inputs=["raw"])) == [Link("orders", READS, "raw")]


def test_names_are_cut_as_labels_are() -> None:
    limits = Limits(label_chars_max=20)
    (link,) = Reading(limits=limits).links(event("x" * 99, dataset="y" * 99))
    assert (len(link.pipeline), len(link.other)) == (20, 20)


def test_a_batch_that_is_cut_in_halves_tells_its_links_all_the_same() -> None:
    reading = Reading(limits=Limits(sample_bytes_max=2_000))
    outputs = reading.outputs(*(event(f"p{n}", n / 100, dataset="d", run_id=f"r{n}") for n in range(200)))
    assert sum(output.destination is Destination.SAMPLES for output in outputs) > 2
    assert len({link for note in notes_in(outputs) for link in note.links}) == 200


def test_openlineage_tells_inputs_and_outputs_by_namespace_and_name() -> None:
    told = lineage_event("dag.load", inputs=[dataset("raw"), dataset("x", "")], outputs=[dataset("orders")])
    assert Reading("openlineage").links(told) == [
        Link("dag.load", READS, "s3://lake/raw"),
        Link("dag.load", READS, "x"),
        Link("dag.load", WRITES, "s3://lake/orders"),
    ]


def test_a_task_of_openlineage_tells_of_its_pipeline() -> None:
    parent = {"job": {"namespace": "n", "name": "dag"}}
    links = Reading("openlineage").links(lineage_event("dag.load", parent, outputs=[dataset("orders")]))
    assert links == [Link("dag", WRITES, "s3://lake/orders")]


def test_a_parent_comes_after_the_job_that_it_starts() -> None:
    parent = {
        "job": {"namespace": "airflow", "name": "dag.submit"},
        "root": {"job": dataset("dag", "airflow")},
    }
    assert Reading("openlineage").links(lineage_event("spark_app", parent)) == [
        Link("dag", AFTER, "spark_app")
    ]
    rootless = {"job": {"namespace": "airflow", "name": "submit"}, "root": 5}
    assert Reading("openlineage").links(lineage_event("app", rootless)) == [Link("submit", AFTER, "app")]


def test_a_statement_that_is_folded_into_its_job_tells_of_the_job() -> None:
    parent = {"job": {"namespace": "n", "name": "model"}}
    links = Reading("openlineage").links(lineage_event("model.sql.3", parent, inputs=[dataset("raw")]))
    assert links == [Link("model", READS, "s3://lake/raw")]


def test_a_job_event_tells_lineage_without_a_run() -> None:
    told = lineage_event("report", inputs=[dataset("orders")])
    del told["run"], told["eventType"]
    assert Reading("openlineage").links(told) == [Link("report", READS, "s3://lake/orders")]


def test_many_links_are_told_in_several_notes() -> None:
    links = [(Link(f"p{n}", READS, "d"), START_MS + n) for n in range(2 * LINKS_OF_NOTE_MAX + 1)]
    notes = notes_in(LineageTeller().notes(links))
    assert [len(note.links) for note in notes] == [LINKS_OF_NOTE_MAX, LINKS_OF_NOTE_MAX, 1]
    assert [ms for note in notes for ms in note.times_ms] == [ms for _, ms in links]


def test_what_is_remembered_is_bounded_and_what_was_told_longest_ago_gives_way() -> None:
    teller = LineageTeller(links_max=2)
    links = [(Link(name, READS, "d"), START_MS) for name in "abc"]
    assert len(notes_in(teller.notes(links))[0].links) == 3
    assert notes_in(teller.notes([links[2], links[1]])) == []
    assert notes_in(teller.notes([links[0]]))[0].links == (links[0][0],)
