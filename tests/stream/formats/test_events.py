"""Run events: what becomes of each field, and which events are refused with which words."""

from typing import Any

import pytest

from detectors.samples import RunState
from detectors.series import run_hash
from stream.formats.limits import Limits
from tests.stream.formats.reading import feed, new_ingest, read

TIME_MS = 1_795_400_453_910
FIRST = {"pipeline": "orders", "state": "succeeded", "time": 1_795_400_453_910}


def test_every_field_of_a_run_event_reaches_its_column() -> None:
    event = FIRST | {
        "task": "load",
        "run_id": "r-1",
        "duration_ms": 5312,
        "rows": 120_345,
        "bytes": 99_120.5,
        "dataset": "warehouse.orders",
        "error": "line one\nline two\x00",
        "labels": {"region": "eu", "pipeline": "another"},
        "owner": "data-platform",
        "schema": [{"name": "id", "type": " LONG ", "nullable": False}],
    }

    seen = read("events", event)

    (run,) = seen.runs
    assert run["kind"] == "runs"
    assert run["labels"] == {"pipeline": "orders", "task": "load", "region": "eu"}
    assert (run["owner"], run["run"], run["state"]) == ("data-platform", run_hash("r-1"), RunState.SUCCEEDED)
    assert (run["time_ms"], run["duration_ms"], run["rows"], run["bytes"]) == (
        TIME_MS,
        5312,
        120_345,
        99_120.5,
    )
    assert run["error"] == "line one line two"
    (declared,) = seen.declared
    assert (declared["kind"], declared["labels"]) == ("schema", {"dataset": "warehouse.orders"})
    assert declared["schema"] == [("id", "long", False)]


def test_what_an_event_does_not_say_is_absent_and_never_zero() -> None:
    seen = read(
        "events",
        FIRST,
        FIRST | {"rows": None, "schema": None, "task": None, "labels": {}},
        FIRST | {"schema": []},
    )

    assert [(run["duration_ms"], run["rows"], run["bytes"], run["run"]) for run in seen.runs] == [
        (None, None, None, 0)
    ] * 3
    assert not seen.declared


def test_a_schema_without_dataset_belongs_to_the_pipeline_and_task() -> None:
    seen = read("events", FIRST | {"task": "load", "schema": [{"name": "id"}]})

    assert seen.declared[0]["labels"] == {"pipeline": "orders", "task": "load"}


def test_nested_fields_get_dotted_paths_in_one_order() -> None:
    schema = [
        {"name": "items", "type": "array<struct>", "fields": [{"name": "price", "type": "double"}]},
        {
            "name": "customer",
            "type": "struct",
            "fields": [{"name": "zip", "type": "string", "nullable": True}],
        },
        {
            "name": "users",
            "type": "map",
            "fields": [{"name": "_value", "type": "struct", "fields": [{"name": "name"}]}],
        },
        {"name": "tags", "type": "array", "fields": [{"name": "_element", "type": "string"}]},
    ]

    straight, reverse = read("events", FIRST | {"schema": schema}, FIRST | {"schema": schema[::-1]}).declared

    assert straight["schema"] == reverse["schema"]
    assert [path for path, _, _ in straight["schema"]] == [
        "customer", "customer.zip", "items", "items[].price", "tags", "tags[]", "users", "users{*}", "users{*}.name",
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["started", "running", "succeeded", "failed", "skipped"])
def test_a_state_is_read_in_any_case(state: str) -> None:
    seen = read(
        "events", FIRST | {"state": state}, FIRST | {"state": state.upper()}, FIRST | {"state": state.title()}
    )

    assert [run["state"].name.lower() for run in seen.runs] == [state] * 3


def test_label_order_does_not_matter_but_label_values_do() -> None:
    one, same, other = read(
        "events",
        FIRST | {"labels": {"a": "1", "b": "2"}},
        FIRST | {"labels": {"b": "2", "a": "1"}},
        FIRST | {"labels": {"a": "2", "b": "1"}},
    ).runs

    assert one["labels"] == same["labels"] != other["labels"]


def test_a_run_id_may_be_a_number_and_zero_is_one() -> None:
    seen = read("events", FIRST | {"run_id": 17}, FIRST | {"run_id": 0}, FIRST | {"run_id": ""})

    assert [run["run"] for run in seen.runs] == [run_hash("17"), run_hash("0"), 0]


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"pipeline": None}, "no_name", "$.pipeline: expected text that is not empty"),
        ({"pipeline": ""}, "no_name", "$.pipeline: expected text that is not empty"),
        ({"pipeline": 7}, "wrong_type", "$.pipeline: expected text that is not empty"),
        (
            {"state": "SECRET"},
            "wrong_type",
            "$.state: expected one of started, running, succeeded, failed, skipped",
        ),
        ({"state": 1}, "wrong_type", "$.state: expected one of started, running, succeeded, failed, skipped"),
        (
            {"time": None},
            "no_time",
            "$.time: is missing; expected a time: RFC 3339 text or epoch milliseconds",
        ),
        ({"time": True}, "wrong_type", "$.time: expected a time: RFC 3339 text or epoch milliseconds"),
        ({"time": -1}, "bad_time", "from 1970 to 9999"),
        ({"time": "yesterday"}, "bad_time", "$.time"),
        ({"time": "2026-02-30T00:00:00Z"}, "bad_time", "$.time"),
        ({"time": "1969-12-31T23:59:59Z"}, "bad_time", "1970"),
        ({"time": 10**19}, "bad_time", "$.time"),
        ({"time": "9999-12-31T00:00:00Z"}, "future_time", "ms ahead of"),
        ({"rows": -1}, "wrong_type", "$.rows: expected a number from 0 to 1e+18, or null"),
        ({"bytes": "12"}, "wrong_type", "$.bytes"),
        ({"duration_ms": 1e300}, "wrong_type", "$.duration_ms"),
        (
            {"labels": {"password": 1}},
            "wrong_type",
            "$.labels[...]: expected an object whose values are text, or null",
        ),
        ({"schema": [{"type": "int"}]}, "wrong_type", "$.schema[0].name: is missing; expected a list of"),
        ({"schema": {"id": "int"}}, "wrong_type", "$.schema: expected a list of"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_its_neighbours_are_read(
    change: dict[str, Any], reason: str, detail: str
) -> None:
    seen = read("events", FIRST, FIRST | change, FIRST)

    assert seen.dead == {1: reason}
    assert detail in seen.headers[0]["detail"]
    assert "SECRET" not in seen.headers[0]["detail"]
    assert [run["offset"] for run in seen.runs] == [0, 2]
    assert seen.home == [0, 1, 2]


def test_duplicate_keys_are_one_event_and_the_last_value_counts() -> None:
    seen = read("events", b'{"pipeline":"a","state":"failed","time":1,"pipeline":"b"}')

    assert [run["labels"] for run in seen.runs] == [{"pipeline": "b"}]


def test_long_names_are_cut_but_stay_apart() -> None:
    limits = Limits(label_chars_max=40)
    ingest = new_ingest("events", limits)

    seen = feed(ingest, [FIRST | {"pipeline": "x" * 1_000 + end} for end in "abb"])

    names = [run["labels"]["pipeline"] for run in seen.runs]
    assert [len(name) for name in names] == [40, 40, 40]
    assert names[0] != names[1] == names[2]
    assert ingest.take_counts()["limited", "label_chars_max"] == 2
    assert not ingest.take_counts()


def test_of_too_many_labels_the_same_ones_are_kept_whatever_their_order() -> None:
    labels = {f"l{number:02}": "v" for number in range(50)}

    one, other = read(
        "events",
        FIRST | {"labels": labels},
        FIRST | {"labels": dict(reversed(labels.items()))},
        limits=Limits(labels_max=5),
    ).runs

    assert (
        one["labels"]
        == other["labels"]
        == {"pipeline": "orders", "l00": "v", "l01": "v", "l02": "v", "l03": "v"}
    )


def test_long_errors_and_wide_schemas_are_cut_and_counted() -> None:
    ingest = new_ingest("events", Limits(schema_fields_max=3))

    seen = feed(ingest, [FIRST | {"error": "e" * 9_999, "schema": [{"name": f"f{n}"} for n in range(9)]}])

    assert seen.runs[0]["error"] == "e" * 500
    assert [path for path, _, _ in seen.declared[0]["schema"]] == ["f0", "f1", "f2"]
    assert ingest.take_counts() == {("limited", "error_chars_max"): 1, ("limited", "schema_fields_max"): 1}
