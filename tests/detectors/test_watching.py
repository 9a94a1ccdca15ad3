"""Watching a series: its samples with what was expected of them, and not a byte of detect's that is another."""

import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.detect import Detect
from detectors.series import Signal, canonical_labels
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch, Reason, Verdict
from detectors.watching import Watch
from tests.detectors.scripted_log import cut, whole
from tests.detectors.test_determinism import START_MS, platform

HOUR_MS = 3_600_000
SERIES = [
    (Signal.LATENCY, {"pipeline": "orders"}),
    (Signal.VOLUME, {"pipeline": "payments", "measure": "rows"}),
    (Signal.VOLUME, {"pipeline": "payments", "measure": "events"}),
    (Signal.FAILURES, {"pipeline": "payments"}),
    (Signal.LATENESS, {"pipeline": "orders"}),
    (Signal.FRESHNESS, {"pipeline": "users"}),
    (Signal.VALUE, {"name": "queue_depth"}),
    (Signal.FRESHNESS, {"name": "queue_depth"}),
    (Signal.SCHEMA, {"dataset": "warehouse.orders"}),
    (Signal.VALUE, {"name": "nobody"}),
]
WINDOWS = Settings(window_ms=12 * HOUR_MS)
"""Windows that hold so many events that their number is judged."""


def watch_of(number: int) -> Watch:
    signal, labels = SERIES[number]
    return Watch(signal, canonical_labels(labels))


def outputs(cuts: int | None, watch: Watch | None = None) -> list[bytes]:
    log = platform(0)
    detect = Detect(WINDOWS, 0, watch)
    payloads = whole(log) if cuts is None else cut(log, cuts)
    steps = [detect.step(offset, payload) for offset, payload in enumerate(payloads)]
    return [output.value or b"" for step in steps for output in step]


@cache
def unwatched(cuts: int | None) -> list[bytes]:
    return outputs(cuts)


@settings(max_examples=15, deadline=None)
@given(cuts=st.integers(0, 1), series=st.integers(0, len(SERIES) - 1))
def test_what_detect_says_is_the_same_to_the_byte_when_a_series_is_watched(cuts: int, series: int):
    assert outputs(cuts, watch_of(series)) == unwatched(cuts)


@pytest.mark.parametrize("series", range(len(SERIES)))
def test_what_is_seen_does_not_depend_on_batches(series: int):
    at_once, in_pieces = watch_of(series), watch_of(series)
    outputs(None, at_once)
    outputs(1, in_pieces)
    assert str(in_pieces.seen) == str(at_once.seen)  # as text: NaN equals NaN


def verdicts(signal: Signal, labels: dict[str, str]) -> dict[int, Verdict]:
    """The anomalous verdicts on samples of a series by their time; of a run that is still going there is no sample."""
    said = [verdict for value in unwatched(1) for verdict in AnomalyBatch.from_bytes(value).verdicts]
    wanted = (signal, canonical_labels(labels))
    mine = [it for it in said if it.anomalous and (it.signal, it.labels) == wanted]
    return {it.time_ms: it for it in mine if it.reason is not Reason.RUNNING_TOO_LONG}


@pytest.mark.parametrize(("series", "samples"), [(0, 120), (1, 116), (6, 1200)])
def test_every_sample_of_a_number_is_seen_with_the_limits_that_were_told_of_it(series: int, samples: int):
    watch = watch_of(series)
    outputs(1, watch)
    assert len(watch.seen) == samples
    seen = {it.time_ms: it for it in watch.seen}
    told = verdicts(*SERIES[series])
    assert told
    for time_ms, verdict in told.items():
        it = seen[time_ms]
        assert it.value == verdict.observed
        assert (it.expected, it.upper) == (verdict.expected, verdict.upper)
    known = [it for it in watch.seen if not math.isnan(it.upper)]
    assert len(known) > 0.9 * samples
    inside = sum(not it.lower > it.value and not it.value > it.upper for it in known)
    assert inside > 0.97 * len(known)


def test_counts_of_windows_are_seen_when_they_end():
    watch = watch_of(2)
    outputs(1, watch)
    assert len(watch.seen) >= 5
    assert all(it.time_ms % WINDOWS.window_ms == 0 for it in watch.seen)
    assert all(20 <= it.value <= 26 for it in watch.seen[1:])


def test_failures_are_seen_as_their_share_of_the_latest_runs():
    watch = watch_of(3)
    outputs(1, watch)
    assert len(watch.seen) == 120
    worst = max(watch.seen, key=lambda it: it.value)
    assert worst.value == 4 / 32
    assert worst.expected < 0.05


def test_freshness_is_seen_as_the_time_since_the_last_run_and_when_one_was_due():
    watch = watch_of(5)
    outputs(1, watch)
    gone = [it for it in watch.seen if it.value > 2 * HOUR_MS]
    assert [round((it.time_ms - START_MS) / HOUR_MS) for it in gone] == [66]
    (it,) = gone
    assert it.value == pytest.approx(7 * HOUR_MS, rel=0.02)
    assert 0.9 * HOUR_MS < it.upper < 2 * HOUR_MS


@pytest.mark.parametrize("series", [8, 9])
def test_a_series_without_numbers_and_one_that_is_not_there_show_nothing(series: int):
    watch = watch_of(series)
    outputs(None, watch)
    assert watch.seen == []
