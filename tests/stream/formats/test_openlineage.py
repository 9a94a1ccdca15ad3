"""OpenLineage: what recorded and published events become, and how much may be wrong with one."""

import json
from typing import Any

import pytest

from detectors.samples import RunState
from detectors.series import run_hash
from stream.formats.limits import Limits
from tests.stream.formats.reading import FIXTURES, feed, new_ingest, read, recorded

FILES = sorted((FIXTURES / "openlineage").glob("*.json"))
STREAMS = ["ol_airflow.jsonl", "ol_dagster.jsonl", "ol_dbt.jsonl"]
NO_TIME_OR_NAME: list[str] = []
"""Fixture files that lack an event time or any name: there are none."""

RUN = {"eventTime": "2026-01-01T00:00:00Z", "eventType": "COMPLETE", "run": {"runId": "r"}}
JOB = {"namespace": "ns", "name": "job"}


def output(**facets: Any) -> dict[str, Any]:
    """An output dataset with the given statistics."""
    return {"namespace": "db", "name": "t", "outputFacets": {"outputStatistics": facets}}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_published_example_is_read(file: Any) -> None:
    seen = read("openlineage", file.read_bytes())

    assert list(seen.dead.values()) == (["no_time"] if file.name in NO_TIME_OR_NAME else [])
    assert seen.home == [0]


def test_there_are_as_many_examples_as_the_manifest_names() -> None:
    manifest = (FIXTURES / "openlineage" / "MANIFEST.jsonl").read_text().splitlines()

    assert {json.loads(line)["file"] for line in manifest} == {file.name for file in FILES}


@pytest.mark.parametrize("stream", STREAMS)
def test_recorded_streams_are_read_whole(stream: str) -> None:
    values = recorded(stream)

    seen = feed(new_ingest("openlineage"), values)

    assert not seen.dead
    assert seen.home == list(range(len(values)))


def test_airflow_tasks_belong_to_their_dag_and_the_failure_says_why() -> None:
    seen = feed(new_ingest("openlineage"), recorded("ol_airflow.jsonl"))

    assert [(run["labels"].get("task"), run["state"].name) for run in seen.runs] == [
        ("extract", "STARTED"),
        ("extract", "SUCCEEDED"),
        ("load", "STARTED"),
        ("load", "FAILED"),
        (None, "FAILED"),
    ]
    assert {(run["labels"]["namespace"], run["labels"]["pipeline"]) for run in seen.runs} == {
        ("af", "etl_demo")
    }
    assert {run["owner"] for run in seen.runs} == {"airflow"}
    assert all("error" in run for run in seen.runs[3:])
    assert seen.runs[0]["run"] == seen.runs[1]["run"] != seen.runs[2]["run"]


def test_dagster_assets_pair_by_job_and_declare_their_schema() -> None:
    seen = feed(new_ingest("openlineage"), recorded("ol_dagster.jsonl"))

    assert [(run["labels"]["pipeline"], run["state"].name) for run in seen.runs] == [
        ("raw", "STARTED"), ("raw", "SUCCEEDED"), ("raw__checks", "SUCCEEDED"), ("bad", "STARTED"), ("bad", "FAILED"),
    ]  # fmt: skip
    assert [(row["labels"], row["schema"]) for row in seen.declared] == [
        ({"namespace": "dagster-test", "dataset": "raw"}, [("a", "int", None)])
    ]


def test_dbt_statements_are_folded_and_skipped_models_are_skipped() -> None:
    seen = feed(new_ingest("openlineage"), recorded("ol_dbt.jsonl"))

    names = {run["labels"]["pipeline"] for run in seen.runs}
    assert not [name for name in names if ".sql." in name]
    assert {"dbt-run-shop", "model.shop.orders", "seed.shop.raw_orders"} <= names
    of_bad = [run["state"] for run in seen.runs if run["labels"]["pipeline"] == "model.shop.bad"]
    assert of_bad == [RunState.STARTED, RunState.SKIPPED]
    failed = [
        run for run in seen.runs if "not_null_orders_amount" in run["labels"]["pipeline"] and "error" in run
    ]
    assert [run["error"] for run in failed] == ["Got 1 result, configured to fail if != 0"]
    schemas = [row for row in seen.declared if row["labels"]["dataset"] == "shop.main.orders"]
    assert schemas


def test_statistics_are_summed_for_the_run_and_kept_for_each_dataset() -> None:
    second = output(rowCount=5) | {"name": "u"}
    event = RUN | {"job": JOB, "outputs": [output(rowCount=10, size=2_000, fileCount=3), second]}

    seen = read("openlineage", event)

    assert (seen.runs[0]["rows"], seen.runs[0]["bytes"]) == (15, 2_000)
    assert {(row["labels"]["dataset"], row["labels"]["measure"], row["unit"], row["value"]) for row in seen.values} == {
        ("t", "rows", "rows", 10), ("t", "bytes", "bytes", 2_000), ("t", "files", "files", 3), ("u", "rows", "rows", 5),
    }  # fmt: skip
    assert {row["kind"] for row in seen.values} == {"volume"}


def test_only_a_completed_run_says_how_much_a_dataset_got() -> None:
    events = [
        RUN | {"job": JOB, "eventType": kind, "outputs": [output(rowCount=1)]}
        for kind in ("START", "RUNNING", "FAIL")
    ]

    assert not read("openlineage", *events).values


@pytest.mark.parametrize(
    "facet",
    [
        {"rowCount": "wrong", "size": 1},
        {"rowCount": -1},
        {},
        None,
        [],
        "x",
        {"rowCount": True},
        {"size": 1e300},
    ],
)
def test_an_ill_typed_or_empty_statistics_facet_is_as_if_not_sent(facet: Any) -> None:
    dataset = {"namespace": "db", "name": "t", "outputFacets": {"outputStatistics": facet}}

    seen = read("openlineage", RUN | {"job": JOB, "outputs": [dataset]})

    assert [(run["rows"], run["bytes"]) for run in seen.runs] == [(None, None)]
    assert not seen.values


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, [None], [{"name": 7}], {"facets": 1}, {"job": []}])
@pytest.mark.parametrize(
    "place", ["run", "inputs", "outputs", "dataset", "eventType", "producer", "facets", "job facets"]
)
def test_junk_anywhere_but_in_time_and_name_costs_no_event(place: str, junk: Any) -> None:
    event: dict[str, Any] = RUN | {"job": dict(JOB)}
    if place == "facets":
        event["run"] = {"runId": "r", "facets": {"parent": junk, "errorMessage": junk, "nominalTime": junk}}
    elif place == "job facets":
        event["job"]["facets"] = {"ownership": junk, "jobType": junk}
    else:
        event[place] = junk

    assert not read("openlineage", event).dead


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"job": JOB}, "no_time"),
        ({"eventTime": None, "job": JOB}, "no_time"),
        ({"eventTime": [], "job": JOB}, "wrong_type"),
        ({"eventTime": "soon", "job": JOB}, "bad_time"),
        (RUN, "no_name"),
        (RUN | {"job": {"name": ""}}, "no_name"),
        (RUN | {"job": {"name": 7}, "dataset": {"namespace": "x"}}, "no_name"),
        ([], "wrong_type"),
    ],
)
def test_an_event_without_time_or_name_is_refused_and_its_neighbours_are_read(
    event: Any, reason: str
) -> None:
    seen = read("openlineage", RUN | {"job": JOB}, event, RUN | {"job": JOB})

    assert seen.dead == {1: reason}
    assert [run["offset"] for run in seen.runs] == [0, 2]


@pytest.mark.parametrize("kind", ["OTHER", "PAUSED", "", None, 7])
def test_another_or_no_event_type_gives_no_run_but_its_schemas(kind: Any) -> None:
    dataset = {
        "namespace": "db",
        "name": "t",
        "facets": {"schema": {"fields": [{"name": "a", "type": "INT "}]}},
    }

    seen = read(
        "openlineage", RUN | {"job": JOB, "eventType": kind, "inputs": [dataset], "outputs": [dataset]}
    )

    assert not seen.runs
    assert [row["schema"] for row in seen.declared] == [[("a", "int", None)]] * 2


def test_a_run_without_id_counts_and_a_job_event_is_no_run() -> None:
    without_id, job_event = (
        RUN | {"job": JOB, "run": {}},
        {key: RUN[key] for key in ("eventTime", "eventType")} | {"job": JOB},
    )

    seen = read("openlineage", without_id, job_event, RUN | {"job": JOB})

    assert [(run["offset"], run["run"]) for run in seen.runs] == [(0, 0), (2, run_hash("r"))]


def test_a_dataset_event_declares_its_schema_and_names_its_owner() -> None:
    facets = {
        "schema": {"fields": [{"name": "a"}]},
        "ownership": {"owners": [{"name": "team:data"}, {"name": "b"}]},
    }

    seen = read(
        "openlineage", {"eventTime": 1, "dataset": {"namespace": "db", "name": "t", "facets": facets}}
    )

    assert [(row["labels"], row["owner"]) for row in seen.declared] == [
        ({"namespace": "db", "dataset": "t"}, "team:data")
    ]


@pytest.mark.parametrize(
    ("name", "parent", "labels"),
    [
        ("dag.task", {"namespace": "ns", "name": "dag"}, {"pipeline": "dag", "task": "task"}),
        ("dag.group.task", {"namespace": "ns", "name": "dag"}, {"pipeline": "dag", "task": "group.task"}),
        ("dag.task", {"namespace": "other", "name": "dag"}, {"pipeline": "dag.task"}),
        ("dagger", {"namespace": "ns", "name": "dag"}, {"pipeline": "dagger"}),
        ("dag.", {"namespace": "ns", "name": "dag"}, {"pipeline": "dag."}),
        ("job", {"namespace": "ns", "name": "job"}, {"pipeline": "job"}),
        ("model.sql.3", {"namespace": "ns", "name": "dbt-run"}, {"pipeline": "model"}),
        ("model.sql.3", {"namespace": "ns", "name": "model"}, None),
        ("job.12", {"namespace": "ns", "name": "job"}, None),
        ("job.12", None, {"pipeline": "job.12"}),
    ],
)
def test_jobs_are_named_by_pipeline_and_task_and_numbered_parts_are_folded(
    name: str, parent: dict[str, str] | None, labels: dict[str, str] | None
) -> None:
    facets = {"parent": {"job": parent, "run": {"runId": "p"}}} if parent else {}
    event = RUN | {"job": {"namespace": "ns", "name": name}, "run": {"runId": "r", "facets": facets}}

    runs = read("openlineage", event).runs

    assert [run["labels"] for run in runs] == ([labels | {"namespace": "ns"}] if labels else [])


def test_an_airflow_task_with_a_number_for_a_name_is_no_part_of_its_dag() -> None:
    job = {
        "namespace": "ns",
        "name": "dag.1",
        "facets": {"jobType": {"jobType": "TASK", "integration": "AIRFLOW"}},
    }
    parent = {"parent": {"job": {"namespace": "ns", "name": "dag"}}}

    runs = read("openlineage", RUN | {"job": job, "run": {"runId": "r", "facets": parent}}).runs

    assert runs[0]["labels"] == {"namespace": "ns", "pipeline": "dag", "task": "1"}


def test_more_datasets_than_allowed_are_left_out_and_counted() -> None:
    ingest = new_ingest("openlineage", Limits(datasets_max=2))

    seen = feed(
        ingest, [RUN | {"job": JOB, "outputs": [output(rowCount=1) | {"name": f"t{n}"} for n in range(5)]}]
    )

    assert len(seen.values) == 2
    assert ingest.take_counts()["limited", "datasets_max"] == 1
