"""The fold: rows in their order, and between them the timers that are due, as one kernel over a shard's arrays."""

import numpy as np
import numpy.typing as npt

from detectors.ahead import look_ahead, look_ahead_of_timer
from detectors.compiled import entry, inner, pasted
from detectors.core.layout import Record, Records
from detectors.event_counts import WINDOW_END, set_window_timer, window_ended
from detectors.fleet import pass_time
from detectors.follower_layout import (
    DELAY,
    FOLLOWER_BLOCK_BITS,
    FREE,
    NOW_MS,
    RUN_EVENTS,
    TIMERS,
    VALUE,
    Arrays,
)
from detectors.freshness import SILENCE, note_arrival, set_silence_timer, silence_expired
from detectors.hour_means import average_value
from detectors.lateness import judge_lateness
from detectors.numeric_series import NOWHERE, judge_part
from detectors.room import has_room
from detectors.run_memory import NONE
from detectors.runs import RUN_TOO_LONG, apply_run, run_takes_too_long, set_run_timer
from detectors.timers import pop_timer


@entry
def fold(a: Arrays, rows: Records, start: int, timers_ms: int, window_ms: int) -> int:
    """Apply the rows from `start` on, and then run every timer that is due before `timers_ms`.

    Rows stand in the order in which they are applied. Returns where to go on once findings are taken and room is made,
    because there was none for more, or the number of rows plus one when all is done.
    """
    for i in range(start, len(rows)):
        look_ahead(a, rows, i)
        row = rows[i]
        if _timers_are_due(a, row.order_ms) and not _run_timers(a, row.order_ms, window_ms):
            return i
        if not has_room(a):
            return i
        pass_time(a, row.order_ms)
        _apply(a, row, window_ms)
    return len(rows) + 1 if _run_timers(a, timers_ms - 1, window_ms) else len(rows)


@pasted
def _apply(a: Arrays, row: Record, window_ms: int) -> None:
    f = a.followers[row.follower]
    f.seen_ms = max(f.seen_ms, row.order_ms)
    a.followers_dirty[row.follower >> FOLLOWER_BLOCK_BITS] = 1
    if f.kind == FREE:
        return
    if f.kind != DELAY:
        judge_lateness(a, row.follower, row)
    if f.kind == RUN_EVENTS:
        apply_run(a, row, window_ms)
    else:
        if f.kind != DELAY:
            note_arrival(a, row.follower, row)
        if f.kind == VALUE:
            average_value(a, row.follower, row)
        sources, offsets = (row.source, NOWHERE), (row.offset, 0)
        judge_part(a, row.follower, 0, row.time_ms, row.value, row.time_ms, sources, offsets)


@pasted
def _timers_are_due(a: Arrays, until_ms: int) -> bool:
    return a.counters[TIMERS] > 0 and a.timers[0].due_ms <= until_ms


@inner
def _run_timers(a: Arrays, until_ms: int, window_ms: int) -> bool:
    """Run every timer that is due at or before `until_ms`; False when there was no room for what they find."""
    while _timers_are_due(a, until_ms):
        if not has_room(a):
            return False
        timer = a.timers[0]
        due_ms, follower, purpose, token = timer.due_ms, timer.follower, timer.purpose, timer.token
        a.counters[TIMERS] = pop_timer(a.timers, a.counters[TIMERS])
        look_ahead_of_timer(a)
        a.counters[NOW_MS] = due_ms
        a.followers_dirty[follower >> FOLLOWER_BLOCK_BITS] = 1
        if purpose == RUN_TOO_LONG:
            run_takes_too_long(a, follower, token, due_ms)
        elif purpose == SILENCE:
            silence_expired(a, follower, due_ms)
        elif purpose == WINDOW_END:
            window_ended(a, follower, token, window_ms)
    return True


@entry
def set_timers(a: Arrays, followers: npt.NDArray[np.int64], window_ms: int) -> None:
    """Set the timers that these followers' state asks for; there is room for them."""
    for follower in followers:
        f = a.followers[follower]
        set_silence_timer(a, follower)
        if f.kind == RUN_EVENTS and f.window.count > 0:
            set_window_timer(a, follower, window_ms)
        place = f.open_first
        while place != NONE:
            set_run_timer(a, follower, place)
            place = a.runs[place].next
