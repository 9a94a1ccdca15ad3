import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contracts import RUN_EVENT, shipped
from stream.formats.caps import Caps
from stream.formats.events import Events
from stream.formats.limits import Limits
from stream.formats.metrics import Metrics
from stream.publications import RECORD_BYTES_MAX, STATES, Publication, metric, run_event

FIELDS = [
    "task", "run_id", "duration_ms", "rows", "bytes", "dataset", "inputs", "outputs", "after", "scheduled_at", "error", "schema", "labels", "owner",
    "unheard_of",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(),
    st.datetimes(),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner), max_leaves=8
)
RUN_EVENTS = jsonschema.Draft202012Validator(shipped(RUN_EVENT))


def dead_letters(publication: Publication, reader: type[Events | Metrics] = Events) -> dict[int, Any]:
    limits = Limits()
    return dict(reader(limits, Caps(limits), 1).read([publication.value]).dead)


def event(publication: Publication) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(publication.value)
    return decoded


@given(st.text(min_size=1), st.sampled_from(STATES), st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_whatever_the_optional_fields_hold_the_record_is_one_that_ingest_reads(
    pipeline: str, state: str, fields: dict[str, Any]
):
    publication = run_event(pipeline, state, fields)
    assert dead_letters(publication) == {}
    RUN_EVENTS.validate(event(publication))


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_a_field_is_either_in_the_record_or_named_as_left_out(fields: dict[str, Any]):
    publication = run_event("orders", "succeeded", fields)
    left_out = {what.partition(":")[0].partition(".")[0] for what in publication.left_out}
    for name, value in fields.items():
        assert (name in event(publication)) or value is None or name in left_out


def test_good_fields_arrive_as_they_were_given():
    schema = [
        {"name": "customer", "type": "struct", "fields": [{"name": "zip", "type": "text", "nullable": True}]}
    ]
    publication = run_event(
        "orders",
        "succeeded",
        {
            "time": datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
            "task": "load",
            "run_id": UUID(int=7),
            "duration_ms": 5312.5,
            "rows": 120_345,
            "bytes": 0,
            "labels": {"region": "eu"},
            "schema": schema,
        },
    )
    assert (publication.key, publication.left_out) == (b"orders", [])
    assert event(publication) == {
        "pipeline": "orders",
        "state": "succeeded",
        "time": "2026-03-01T10:00:00.000Z",
        "task": "load",
        "run_id": "00000000-0000-0000-0000-000000000007",
        "duration_ms": 5312.5,
        "rows": 120_345,
        "bytes": 0,
        "labels": {"region": "eu"},
        "schema": schema,
    }


@pytest.mark.parametrize("rows", [np.int64(5), np.float64(5), Decimal(5), 5.0, 5])
def test_numbers_of_other_libraries_are_numbers(rows: Any):
    assert event(run_event("orders", "succeeded", {"rows": rows}))["rows"] == 5


@pytest.mark.parametrize("rows", [-1, float("nan"), float("inf"), 1e19, "5", True, [5]])
def test_a_row_count_that_is_none_is_left_out_and_the_rest_stays(rows: Any):
    publication = run_event("orders", "succeeded", {"rows": rows, "task": "load"})
    assert event(publication).keys() == {"pipeline", "state", "time", "task"}
    assert [what.partition(":")[0] for what in publication.left_out] == ["rows"]


def test_of_the_labels_only_the_wrong_ones_are_left_out():
    publication = run_event("orders", "started", {"labels": {"region": "eu", "shard": 3, "": "x"}})
    assert event(publication)["labels"] == {"region": "eu"}
    assert publication.left_out == ["labels.shard: 3 is no text", "labels: '' is no name"]


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (1_772_359_200_123, "2026-03-01T10:00:00.123Z"),
        ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00.000Z"),
        (datetime(2026, 3, 1, 10), "2026-03-01T10:00:00.000Z"),  # noqa: DTZ001  what this test is about
    ],
)
def test_times_are_written_in_utc_with_milliseconds(time: Any, written: str):
    assert event(run_event("orders", "started", {"time": time}))["time"] == written


def test_without_a_time_it_is_now():
    before = datetime.now(UTC).replace(microsecond=0)
    time = datetime.fromisoformat(event(run_event("orders", "started", {}))["time"])
    assert before <= time <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("pipeline", "state", "fields"),
    [
        ("", "started", {}),
        (None, "started", {}),
        ("orders", "begun", {}),
        ("orders", "started", {"time": "yesterday"}),
        ("orders", "started", {"time": -1}),
        ("o" * 2_000_000, "started", {}),
    ],
)
def test_an_event_without_usable_pipeline_state_or_time_is_refused(
    pipeline: Any, state: str, fields: dict[str, Any]
):
    with pytest.raises(ValueError, match=r"pipeline|state|yesterday|no time|bytes"):
        run_event(pipeline, state, fields)


def test_a_record_too_large_for_the_broker_goes_without_its_schema():
    schema = [{"name": f"column_{number}", "type": "text"} for number in range(40_000)]
    publication = run_event("orders", "succeeded", {"schema": schema, "rows": 3})
    assert len(publication.value) <= RECORD_BYTES_MAX
    assert event(publication)["rows"] == 3
    assert publication.left_out[0].startswith("schema: the record would be")


def test_a_schema_nested_deeper_than_ingest_reads_is_left_out():
    field: dict[str, Any] = {"name": "leaf"}
    for _ in range(100):
        field = {"name": "node", "fields": [field]}
    publication = run_event("orders", "succeeded", {"schema": [field]})
    assert "schema" not in event(publication)
    assert publication.left_out == ["schema: fields are nested deeper than 16"]


@given(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False) | st.integers(), ANYTHING)
def test_a_metric_is_one_that_ingest_reads(name: str, value: float, labels: Any):
    publication = metric(name, value, labels)
    assert dead_letters(publication, Metrics) == {}
    assert publication.key == name.encode()


@pytest.mark.parametrize("value", [float("nan"), "5", None, True])
def test_a_metric_without_a_number_is_refused(value: Any):
    with pytest.raises((ValueError, TypeError)):
        metric("queue_depth", value)
