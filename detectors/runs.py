"""Runs of one pipeline or task: pairs starts with ends, spots repeats, and feeds every signal that runs carry.

Signals: latency of successful runs (the reported duration, or end minus start), rows and bytes of successful runs, run
events in a window, freshness, failures and duplicates. A run whose end was already seen is a duplicate and feeds nothing
else. At most 256 runs are open at a time; the oldest gives way. Run 0 stands for events without a run id.
"""

import math

from detectors.compiled import inner, pasted
from detectors.core.layout import Record
from detectors.event_counts import count_event
from detectors.follower_layout import BYTES, DUPLICATES, FAILURES, LATENCY, ROWS, TIMERS, Arrays
from detectors.freshness import note_arrival
from detectors.numeric_series import NOWHERE, judge_part, report_too_long, upper_limit
from detectors.outcomes import judge_outcome
from detectors.run_memory import (
    NONE,
    add_unmeasured,
    close_run,
    drop_unmeasured,
    find_open,
    find_unmeasured,
    has_ended,
    know,
    open_run,
    remember_ended,
    touch_run,
)
from detectors.samples import RunState
from detectors.timers import push_timer

STARTED, SUCCEEDED = int(RunState.STARTED), int(RunState.SUCCEEDED)
FAILED, SKIPPED = int(RunState.FAILED), int(RunState.SKIPPED)
RUN_TOO_LONG = 0
"""The purpose of its timers; their token is the run."""


@pasted
def apply_run(a: Arrays, row: Record, window_ms: int) -> None:
    """Fold in one run event; a late one counts in no window, and its run is not waited for."""
    follower = row.follower
    f = a.followers[follower]
    late = row.order_ms > row.time_ms
    if not late:
        count_event(a, follower, row, window_ms)
    if row.state in (SUCCEEDED, FAILED, SKIPPED):
        _end(a, follower, row)
    elif has_ended(a, f, row.run):
        _start_after_end(a, follower, row)
    else:
        place = find_open(a, f, row.run)
        if place == NONE or (row.run == 0 and row.state == STARTED):
            note_arrival(a, follower, row)
            _start(a, follower, row, place, late)


@pasted
def _start(a: Arrays, follower: int, row: Record, place: int, late: bool) -> None:
    f = a.followers[follower]
    if place == NONE:
        place = open_run(a, f, row)
    else:
        know(a, place, row)
    run = a.runs[place]
    run.reported, run.due_ms = 0, -1
    if not late:
        limit_ms = upper_limit(a, f, LATENCY, row.time_ms)
        if limit_ms >= 0:
            run.due_ms = row.time_ms + int(limit_ms)
            set_run_timer(a, follower, place)


@pasted
def set_run_timer(a: Arrays, follower: int, place: int) -> None:
    """Ask to be told when an open run takes too long."""
    run = a.runs[place]
    if run.due_ms >= 0 and run.reported == 0:
        a.counters[TIMERS] = push_timer(
            a.timers, a.counters[TIMERS], run.due_ms, follower, RUN_TOO_LONG, run.run
        )


@pasted
def run_takes_too_long(a: Arrays, follower: int, run_id: int, due_ms: int) -> None:
    """Report a run when it is still open."""
    place = find_open(a, a.followers[follower], run_id)
    if place == NONE:
        return
    run = a.runs[place]
    if run.reported == 0 and run.due_ms == due_ms:
        run.reported = 1
        touch_run(a, place)
        report_too_long(a, follower, LATENCY, due_ms, run.time_ms, run.source, run.offset)


@inner
def _start_after_end(a: Arrays, follower: int, row: Record) -> None:
    """The start came behind the end, from another partition or late: now the run's duration is known."""
    f = a.followers[follower]
    place = find_unmeasured(a, f, row.run)
    if place == NONE or row.state != STARTED:
        return
    end = a.runs[place]
    end_ms, source, offset = end.time_ms, end.source, end.offset
    if row.time_ms <= end_ms:
        drop_unmeasured(a, f, place)
        duration_ms = float(end_ms - row.time_ms)
        sources, offsets = (row.source, source), (row.offset, offset)
        judge_part(a, follower, LATENCY, end_ms, duration_ms, row.time_ms, sources, offsets)


@pasted
def _end(a: Arrays, follower: int, row: Record) -> None:
    f = a.followers[follower]
    duplicate = has_ended(a, f, row.run)
    interval_ms = float(f.arrivals.cadence.typical_ms)
    judge_outcome(a, follower, DUPLICATES, f.duplicates, row, row.time_ms, duplicate, interval_ms)
    if duplicate:
        return
    start_source, start_offset, start_ms = NOWHERE, 0, row.time_ms
    place = find_open(a, f, row.run)
    started = place != NONE
    if started:
        start = a.runs[place]
        start_source, start_offset, start_ms = start.source, start.offset, start.time_ms
        close_run(a, f, place)
    if row.run != 0:
        remember_ended(a, f, row.run)
        if not started and row.state == SUCCEEDED and math.isnan(row.value):
            add_unmeasured(a, f, row)
    if not started:
        note_arrival(a, follower, row)
    if row.state == SKIPPED:
        return
    interval_ms = float(f.arrivals.cadence.typical_ms)
    judge_outcome(a, follower, FAILURES, f.failures, row, row.time_ms, row.state == FAILED, interval_ms)
    if row.state == SUCCEEDED:
        duration_ms = row.value
        if math.isnan(duration_ms) and started:
            duration_ms = float(row.time_ms - start_ms)
        _measure(a, follower, row, duration_ms, (start_source, row.source), (start_offset, row.offset))


@pasted
def _measure(
    a: Arrays,
    follower: int,
    row: Record,
    duration_ms: float,
    sources: tuple[int, int],
    offsets: tuple[int, int],
) -> None:
    """Judge what a successful run says of itself."""
    end_ms = row.time_ms
    start_ms = end_ms if math.isnan(duration_ms) else end_ms - int(duration_ms)
    for part in (LATENCY, ROWS, BYTES):
        value = duration_ms if part == LATENCY else row.rows if part == ROWS else row.bytes
        if value >= 0 or (part != LATENCY and not math.isnan(value)):
            judge_part(a, follower, part, end_ms, value, start_ms, sources, offsets)
