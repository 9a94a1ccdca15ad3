"""Metrics: our JSON, prometheus-kafka-adapter's, and what is no number."""

from typing import Any

import pytest

from stream.formats import guess_format
from tests.stream.formats.reading import read

OURS = {"name": "queue_length", "value": 12.5, "time": 1_795_400_453_910, "labels": {"queue": "orders"}}
ADAPTER = {
    "timestamp": "2026-11-23T02:20:53Z",
    "value": "123.4",
    "name": "up",
    "labels": {"__name__": "up", "instance": "a:9090", "job": "node"},
}


def test_both_forms_become_values() -> None:
    seen = read("metrics", OURS, ADAPTER)

    assert [(row["kind"], row["labels"], row["value"], row["time_ms"]) for row in seen.values] == [
        ("value", {"name": "queue_length", "queue": "orders"}, 12.5, 1_795_400_453_910),
        ("value", {"name": "up", "instance": "a:9090", "job": "node"}, 123.4, 1_795_400_453_000),
    ]


def test_a_label_called_name_does_not_replace_the_metrics_name() -> None:
    assert read("metrics", OURS | {"labels": {"name": "other"}}).values[0]["labels"] == {
        "name": "queue_length"
    }


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "nan"])
def test_what_prometheus_writes_for_no_value_is_counted_without_a_row(value: str) -> None:
    seen = read("metrics", ADAPTER | {"value": value}, ADAPTER)

    assert (seen.home, seen.dead) == ([0, 1], {})
    assert [row["offset"] for row in seen.values] == [1]


@pytest.mark.parametrize(
    ("change", "reason", "path"),
    [
        ({"name": None}, "no_name", "$.name"),
        ({"name": ""}, "no_name", "$.name"),
        ({"name": []}, "wrong_type", "$.name"),
        ({"value": None}, "wrong_type", "$.value"),
        ({"value": True}, "wrong_type", "$.value"),
        ({"value": "many"}, "wrong_type", "$.value"),
        ({"value": "1_000"}, "wrong_type", "$.value"),
        ({"time": None}, "no_time", "$.time"),
        ({"time": "soon"}, "bad_time", "$.time"),
        ({"labels": []}, "wrong_type", "$.labels"),
    ],
)
def test_a_wrong_field_is_named_and_its_neighbours_are_read(
    change: dict[str, Any], reason: str, path: str
) -> None:
    seen = read("metrics", OURS, OURS | change, OURS)

    assert seen.dead == {1: reason}
    assert seen.headers[0]["detail"].startswith(path)
    assert [row["offset"] for row in seen.values] == [0, 2]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'{"eventTime":"x","job":{}}', "openlineage"),
        (b'{"pipeline":"a","state":"failed","time":1}', "events"),
        (b'{"name":"a","value":"1"}', "metrics"),
        (b'{"pipeline":"a"}', None),
        (b'["eventTime"]', None),
        (b"{", None),
        (b"\xff", None),
        (b'{"a":' + b"[" * 200_000, None),
    ],
)
def test_the_format_of_a_value_is_guessed_by_its_fields(value: bytes, name: str | None) -> None:
    assert guess_format(value) == name
