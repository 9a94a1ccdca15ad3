"""Ingest: marks, highs, homes and impossible times, whatever way the batches are cut."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.samples import NEVER, SampleBatch
from detectors.series import shard_of
from stream.formats.limits import Limits
from stream.ingest import Ingest
from tests.stream.formats.reading import SHARDS, SKEW_MS, TOPIC, WALL_MS, feed, new_ingest, read, seen


def event(time_ms: int, pipeline: str = "p", **more: Any) -> dict[str, Any]:
    """A run event."""
    return {"pipeline": pipeline, "state": "succeeded", "time": time_ms, **more}


def highs(*times_ms: int, timestamps_ms: list[int] | None = None) -> list[int]:
    """`high_ms` of each row, in the order of offsets."""
    batch = feed(new_ingest("events"), [event(time_ms) for time_ms in times_ms], timestamps_ms=timestamps_ms)
    return [run["high_ms"] for run in batch.runs]


def test_every_samples_partition_gets_one_batch_with_the_same_mark() -> None:
    batch = feed(new_ingest("events"), [event(5), event(9), event(7)], first=10)

    assert len(batch.marks) == SHARDS
    mark = batch.marks[0]
    assert (mark.topic, mark.partition, mark.first_offset, mark.last_offset) == (TOPIC, 1, 10, 12)
    assert (mark.high_ms, mark.wall_ms, mark.caught_up, mark.idle) == (9, WALL_MS, True, False)
    assert mark.partitions == {TOPIC: 2}


def test_a_mark_covers_the_hole_after_the_record_fetched_before() -> None:
    assert feed(new_ingest("events"), [event(5)], first=10, previous=6).marks[0].first_offset == 7


def test_a_row_knows_the_greatest_event_time_before_it() -> None:
    assert highs(100, 300, 200, 400) == [NEVER, 100, 300, 300]


def test_a_fast_clock_moves_the_high_only_to_the_kafka_timestamp() -> None:
    assert highs(1_000, 60_000, 2_000, 3_000, timestamps_ms=[1_000, 1_500, 2_000, 3_000]) == [
        NEVER,
        1_000,
        1_500,
        2_000,
    ]


def test_the_high_goes_on_over_a_batch_that_is_cut_in_halves() -> None:
    ingest = Ingest({TOPIC: "events"}, 1, {TOPIC: 1}, Limits(sample_bytes_max=2_000), SKEW_MS)
    values = [json.dumps(event(n, f"p{n}")).encode() for n in (500, *range(100, 200))]
    ingest.batch(TOPIC, 0, [0], values[:1], [0], None, WALL_MS, caught_up=True)
    outputs = ingest.batch(TOPIC, 0, range(1, 101), values[1:], [0] * 100, 0, WALL_MS, caught_up=True)
    assert len(outputs) > 1
    assert {run["high_ms"] for output in outputs for run in seen([output]).runs} == {500}


def test_the_high_goes_on_over_batches_that_follow_each_other_and_restarts_at_a_jump() -> None:
    ingest = new_ingest("events")
    feed(ingest, [event(500), event(600)])

    assert feed(ingest, [event(550)], first=5, previous=1).runs[0]["high_ms"] == 600
    assert feed(ingest, [event(550)], first=0, previous=None).runs[0]["high_ms"] == NEVER
    assert feed(ingest, [event(550)], first=9, previous=7).runs[0]["high_ms"] == NEVER


def test_a_mark_without_rows_repeats_where_the_partition_stands() -> None:
    ingest = new_ingest("events")
    before = seen(ingest.mark(TOPIC, 1, 0, WALL_MS, caught_up=True, idle=True)).marks[0]
    feed(ingest, [event(500), event(600)])
    after = seen(ingest.mark(TOPIC, 1, 2, WALL_MS + 1, caught_up=False, idle=False)).marks
    rewound = seen(ingest.mark(TOPIC, 1, 1, WALL_MS, caught_up=True, idle=False)).marks[0]

    assert (before.first_offset, before.last_offset, before.high_ms, before.idle) == (0, -1, NEVER, True)
    assert [(mark.first_offset, mark.last_offset, mark.high_ms, mark.wall_ms) for mark in after] == [
        (2, 1, 600, WALL_MS + 1)
    ] * SHARDS
    assert rewound.high_ms == NEVER


@pytest.mark.parametrize("clock", ["wall", "kafka"])
def test_a_time_beyond_the_allowed_skew_is_dead_and_never_moves_the_high(clock: str) -> None:
    now_ms = WALL_MS if clock == "wall" else WALL_MS - 10_000_000
    stamps = [0 if clock == "wall" else now_ms] * 4
    times = [now_ms - 5_000, now_ms + SKEW_MS + 1, now_ms - 4_000, now_ms + SKEW_MS]

    batch = feed(new_ingest("events"), [event(time_ms) for time_ms in times], timestamps_ms=stamps)

    assert batch.dead == {1: "future_time"}
    assert (
        "300001 ms ahead of the wall clock or the Kafka timestamp; 300000 ms are allowed"
        in batch.headers[0]["detail"]
    )
    assert [run["high_ms"] for run in batch.runs] == [NEVER, times[0], times[2]]


def test_a_publisher_whose_whole_clock_is_ahead_is_caught_by_the_wall_clock() -> None:
    batch = feed(new_ingest("events"), [event(2 * WALL_MS), event(1)], timestamps_ms=[2 * WALL_MS, WALL_MS])

    assert batch.dead == {0: "future_time"}
    assert batch.marks[0].high_ms == 1


def test_a_dead_record_leaves_neither_rows_nor_keys_nor_errors() -> None:
    late = event(WALL_MS * 2, "never", error="boom", schema=[{"name": "a"}], dataset="d")

    batch = read("events", event(1, error="first"), late, event(2, error="second"))

    assert [run["labels"]["pipeline"] for run in batch.runs] == ["p", "p"]
    assert [run["error"] for run in batch.runs] == ["first", "second"]
    assert not batch.declared


def test_records_without_rows_spread_over_the_samples_partitions_by_offset() -> None:
    outputs = new_ingest("events").batch(
        TOPIC, 0, range(6), [None] * 6, [0] * 6, None, WALL_MS, caught_up=False
    )

    assert seen(outputs).home == list(range(6))
    assert len({len(output.value or b"") for output in outputs}) == 1, (
        "two homes for each of three partitions"
    )


def test_a_record_with_rows_in_many_places_is_home_with_the_first() -> None:
    names = [f"t{number}" for number in range(12)]
    datasets = [{"name": name, "facets": {"schema": {"fields": [{"name": "a"}]}}} for name in names]

    for first in range(len(names)):
        turned = datasets[first:] + datasets[:first]
        batch = read("openlineage", {"eventTime": 1, "job": {"name": "j"}, "inputs": turned})
        assert len({row["shard"] for row in batch.declared}) > 1
        assert batch.home_shard[0] == shard_of((("dataset", names[first]),), SHARDS)


def test_each_source_is_read_in_its_own_format() -> None:
    ingest = Ingest({"a": "events", "b": "metrics"}, 2, {"a": 1, "b": 1}, Limits(), SKEW_MS)
    metric = json.dumps({"name": "m", "value": 1, "time": 1}).encode()

    assert seen(ingest.batch("a", 0, [0], [metric], [0], None, WALL_MS, caught_up=True)).dead == {
        0: "no_name"
    }
    assert seen(ingest.batch("b", 0, [0], [metric], [0], None, WALL_MS, caught_up=True)).values


def test_an_unknown_format_or_uneven_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="xml"):
        new_ingest("xml")
    with pytest.raises(ValueError, match="at least one record"):
        new_ingest("events").batch(TOPIC, 0, [], [], [], None, WALL_MS, caught_up=True)
    with pytest.raises(ValueError, match="for each offset"):
        new_ingest("events").batch(TOPIC, 0, [1], [None, None], [0], None, WALL_MS, caught_up=True)


EVENTS = st.builds(
    event,
    st.integers(0, 100_000),
    st.sampled_from(["a", "b", "c", "d", "e"]),
    rows=st.none() | st.integers(0, 9),
    labels=st.none() | st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2),
    error=st.none() | st.just("no"),
    schema=st.none() | st.just([{"name": "id"}]) | st.just([{"name": "n"}]),
)
RECORDS = st.tuples(
    EVENTS | st.none() | st.sampled_from([b"{", event(WALL_MS * 2)]), st.integers(-1, 100_000)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=30), st.lists(st.integers(1, 9), min_size=30, max_size=30))
def test_how_batches_are_cut_changes_no_row(records: list[tuple[Any, int]], sizes: list[int]) -> None:
    values, stamps = [value for value, _ in records], [stamp for _, stamp in records]
    whole = feed(new_ingest("events"), values, timestamps_ms=stamps)
    ingest, at, parts = new_ingest("events"), 0, []
    for size in sizes:
        if at < len(values):
            cut = slice(at, at + size)
            previous = at - 1 if at else None
            parts.append(feed(ingest, values[cut], first=at, timestamps_ms=stamps[cut], previous=previous))
            at += size

    def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: item for name, item in row.items() if name != "index"} for row in rows]

    for table in ("runs", "values", "declared"):
        assert bare(getattr(whole, table)) == bare([row for part in parts for row in getattr(part, table)])
    assert whole.home == [offset for part in parts for offset in part.home]
    assert whole.dead == {offset: reason for part in parts for offset, reason in part.dead.items()}
    assert whole.marks[0].high_ms == parts[-1].marks[0].high_ms


def test_a_batch_whose_samples_would_be_too_large_is_cut_and_loses_nothing() -> None:
    limits = Limits(sample_bytes_max=8_000)
    schemas = [
        [{"name": f"{number}-{field}-{'x' * 60}", "type": "int"} for field in range(20)]
        for number in range(16)
    ]
    values = [json.dumps(event(number, schema=schema)).encode() for number, schema in enumerate(schemas)]
    outputs = new_ingest("events", limits, shards=1).batch(
        TOPIC, 0, range(16), values, [0] * 16, None, WALL_MS, True
    )
    payloads = [output.value or b"" for output in outputs]
    assert len(payloads) > 1
    assert max(map(len, payloads)) <= limits.sample_bytes_max
    batches = [SampleBatch.from_bytes(payload) for payload in payloads]
    assert [offset for batch in batches for offset in batch.home_offsets().tolist()] == list(range(16))
    marks = [batch.mark for batch in batches]
    assert [mark.first_offset for mark in marks[1:]] == [mark.last_offset + 1 for mark in marks[:-1]]
    assert [mark.caught_up for mark in marks] == [False] * (len(marks) - 1) + [True]
