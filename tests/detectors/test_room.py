"""Kernels write within their arrays, whatever comes at once."""

from detectors import follower_layout as layout
from detectors.numeric_layout import DEEP_TOP, LIGHT_TOP
from detectors.samples import RunState
from detectors.settings import Settings
from tests.detectors.scripted_log import Event, Pipeline, batch, ending

WINDOW_MS = 300_000
START_MS = 1_780_000_200_000 // WINDOW_MS * WINDOW_MS
PIPELINES, EVENTS = 700, 12


def window(number: int) -> list[Event]:
    """One window of many busy pipelines."""
    return [
        Event(
            START_MS + number * WINDOW_MS + event * WINDOW_MS // EVENTS + pipeline,
            f"pipeline-{pipeline}",
            RunState.SUCCEEDED,
            f"{pipeline}-{number}-{event}",
        )
        for event in range(EVENTS)
        for pipeline in range(PIPELINES)
    ]


def assert_within_arrays(pipeline: Pipeline) -> None:
    a = pipeline.detect._followers.arrays
    assert a.bank.counters[LIGHT_TOP] <= len(a.bank.light)
    assert a.bank.counters[DEEP_TOP] <= len(a.bank.deep)
    assert a.counters[layout.RUNS_TOP] <= len(a.runs)
    assert a.counters[layout.ENDED_TOP] <= len(a.ended)
    assert a.counters[layout.TIMERS] <= len(a.timers)


def test_many_series_that_begin_when_a_window_ends_have_room() -> None:
    """Their first windows are judged by timers, in a step that brings no row."""
    log = [[*window(0), *window(1)]]
    pipeline = Pipeline(Settings(allowed_lateness_ms=0))
    for first in range(0, len(log[0]), 50):
        pipeline.feed(batch(log, 0, first, first + 49))
    pipeline.run(ending(log, after_ms=1000))
    pipeline.run(ending(log, after_ms=2 * WINDOW_MS))
    assert_within_arrays(pipeline)
    counts = [
        series.n for series in pipeline.detect.followed() if dict(series.labels).get("measure") == "events"
    ]
    assert counts == [1] * PIPELINES


def test_many_starts_and_ends_at_once_have_room() -> None:
    pipeline = Pipeline()
    events = [
        Event(START_MS + number, f"pipeline-{number % PIPELINES}", state, f"run-{number}", rows=1.0)
        for state in (RunState.STARTED, RunState.SUCCEEDED)
        for number in range(3 * PIPELINES)
    ]
    pipeline.run(iter([batch([events], 0, 0, len(events) - 1), *ending([events])]))
    assert_within_arrays(pipeline)
    assert pipeline.detect.gauges()["open_runs"] == 0
