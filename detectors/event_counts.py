"""Events per window: the volume of run events themselves, for pipelines that send many.

Events are counted in fixed windows of event time, and each window's count is judged when it ends, but only while windows
hold ten events or more on average: below that, and for windows without any event, freshness says more than a count can.
"""

from detectors.compiled import inner, pasted
from detectors.core.layout import Record
from detectors.follower_layout import EVENTS, TIMERS, Arrays
from detectors.numeric_series import judge_part
from detectors.timers import push_timer

EVENTS_PER_WINDOW_MIN = 10.0
MEAN_WEIGHT = 0.1
WINDOW_END = 2
"""The purpose of its timers; their token is the window."""


@pasted
def count_event(a: Arrays, follower: int, row: Record, window_ms: int) -> None:
    """Count one event."""
    w = a.followers[follower].window
    window = row.time_ms // window_ms
    if window > w.window:
        if w.window >= 0:
            _close(a, follower, window, window_ms)
        w.window, w.count = window, 0
        w.first_source, w.first_offset = row.source, row.offset
        set_window_timer(a, follower, window_ms)
    w.count += 1
    w.last_source, w.last_offset = row.source, row.offset


@pasted
def window_ended(a: Arrays, follower: int, window: int, window_ms: int) -> None:
    """Judge the window, unless a later one has been begun."""
    w = a.followers[follower].window
    if w.window == window and w.count > 0:
        _close(a, follower, window + 1, window_ms)


@pasted
def set_window_timer(a: Arrays, follower: int, window_ms: int) -> None:
    """Ask to be told when the open window ends, if its count is to be judged."""
    w = a.followers[follower].window
    if w.window >= 0 and w.mean >= EVENTS_PER_WINDOW_MIN:
        end_ms = (w.window + 1) * window_ms
        a.counters[TIMERS] = push_timer(a.timers, a.counters[TIMERS], end_ms, follower, WINDOW_END, w.window)


@inner
def _close(a: Arrays, follower: int, next_window: int, window_ms: int) -> None:
    """Judge the open window's count; `next_window` is the next one that may hold events."""
    w = a.followers[follower].window
    if w.count > 0:
        if w.mean >= EVENTS_PER_WINDOW_MIN:
            start_ms = w.window * window_ms
            sources, offsets = (w.first_source, w.last_source), (w.first_offset, w.last_offset)
            judge_part(a, follower, EVENTS, start_ms + window_ms, float(w.count), start_ms, sources, offsets)
        w.mean += (MEAN_WEIGHT if w.mean > 0 else 1.0) * (w.count - w.mean)
        w.count = 0
    w.mean *= (1 - MEAN_WEIGHT) ** (next_window - w.window - 1)
    w.window = next_window - 1
