from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from bench.run_events import BLOCK_EVENTS, HOT_SERIES, WILD_FACTOR, Shape, block, blocks, events, pipeline
from stream.contracts import RUN_EVENT, shipped

END_MS = 1_767_225_600_000


def decoded(shape: Shape) -> list[Any]:
    return [msgspec.json.decode(value) for values in blocks(shape, END_MS) for value in values]


def test_every_event_is_a_valid_run_event_of_about_200_bytes():
    validator = Draft202012Validator(shipped(RUN_EVENT))
    values = next(blocks(Shape(100), END_MS))
    assert all(180 <= len(value) <= 220 for value in values)
    for value in values:
        validator.validate(msgspec.json.decode(value))


def test_events_are_evenly_spaced_and_end_at_the_given_time():
    times_ms = [it["time"] for it in decoded(Shape(BLOCK_EVENTS + 5, spacing_ms=10))]
    assert times_ms[-1] == END_MS
    assert set(np.diff(times_ms)) == {10}


def test_the_same_shape_gives_the_same_bytes():
    assert list(blocks(Shape(500), END_MS)) == list(blocks(Shape(500), END_MS))


def test_run_ids_are_unique():
    run_ids = {it["run_id"] for it in decoded(Shape(BLOCK_EVENTS + 1000))}
    assert len(run_ids) == BLOCK_EVENTS + 1000


@pytest.mark.parametrize("series", [1, 7, 1000])
def test_there_are_as_many_pipelines_as_asked_for(series: int):
    assert len({it["pipeline"] for it in decoded(Shape(20_000, series))}) == series


def test_with_turns_every_series_has_one_before_any_has_another():
    series = [it["pipeline"] for it in decoded(Shape(400, 100, turns=True))]
    assert all(len(set(series[first : first + 100])) == 100 for first in (0, 100, 200, 300))
    # A series is not always in the same partition.
    assert len({number % 4 for number, name in enumerate(series) if name == series[0]}) > 1


def test_a_hot_series_has_half_of_the_records():
    seen = Counter(it["pipeline"] for it in decoded(Shape(20_000, 100, hot=True)))
    assert seen[pipeline(HOT_SERIES)] / 20_000 == pytest.approx(0.5, abs=0.03)
    assert len(seen) == 100


def test_every_so_many_th_run_is_wild():
    durations_ms = [it["duration_ms"] for it in decoded(Shape(1000, wild_every=250))]
    wild = [
        number for number, duration_ms in enumerate(durations_ms) if duration_ms > 5 * np.median(durations_ms)
    ]
    assert wild == [249, 499, 749, 999]
    assert durations_ms[249] % WILD_FACTOR == 0


def test_a_single_event_reads_as_one_of_a_block():
    (value,) = block(Shape(1, 1), np.array([3]), np.array([END_MS]))
    run = msgspec.json.decode(value)
    columns = (0, END_MS, 3, run["duration_ms"], run["rows"])
    assert [value] == events(*(np.array([it]) for it in columns))


def test_numbers_are_written_as_they_are():
    columns = ([12, 0], [END_MS, END_MS + 1], [7, 123_456_789_012], [4_900, 0], [98_715, 1_234_567])
    first, second = map(msgspec.json.decode, events(*map(np.array, columns)))
    assert first["pipeline"] == pipeline(12)
    assert (first["time"], first["duration_ms"], first["rows"]) == (END_MS, 4_900, 98_715)
    assert (second["duration_ms"], second["rows"]) == (0, 1_234_567)
    assert second["run_id"].endswith("__123456789012")
