"""Which runs a follower has seen start and end: lists of open runs, and the hashes of the last 64 that ended."""

from detectors.compiled import pasted
from detectors.core.layout import Record
from detectors.follower_layout import (
    ENDED_BLOCK_BITS,
    ENDED_CHUNK,
    ENDED_FREE,
    ENDED_MAX,
    ENDED_TOP,
    FORGOTTEN,
    OPEN_RUNS,
    RUN_BLOCK_BITS,
    RUNS_FREE,
    RUNS_TOP,
    Arrays,
)

OPEN_MAX = 256
NONE = 0


@pasted
def _take(a: Arrays, row: Record) -> int:
    """A new run record for a run known from a row."""
    place = int(a.counters[RUNS_FREE])
    if place != NONE:
        a.counters[RUNS_FREE] = a.runs[place].next
    else:
        place = int(a.counters[RUNS_TOP])
        a.counters[RUNS_TOP] += 1
    run = a.runs[place]
    run.run, run.next, run.reported, run.due_ms = row.run, NONE, 0, -1
    know(a, place, row)
    return place


@pasted
def know(a: Arrays, place: int, row: Record) -> None:
    """Have a run known from a row."""
    run = a.runs[place]
    run.time_ms, run.source, run.offset = row.time_ms, row.source, row.offset
    touch_run(a, place)


@pasted
def touch_run(a: Arrays, place: int) -> None:
    """Say that a run record changed."""
    a.runs_dirty[place >> RUN_BLOCK_BITS] = 1


@pasted
def _give(a: Arrays, place: int) -> None:
    a.runs[place].next = a.counters[RUNS_FREE]
    a.counters[RUNS_FREE] = place
    touch_run(a, place)


@pasted
def _find(a: Arrays, first: int, run: int) -> int:
    place = first
    while place != NONE and a.runs[place].run != run:
        place = a.runs[place].next
    return place


@pasted
def find_open(a: Arrays, f: Record, run: int) -> int:
    """The record of an open run, or NONE."""
    return _find(a, f.open_first, run)


@pasted
def find_unmeasured(a: Arrays, f: Record, run: int) -> int:
    """The record of a run that ended without a duration, or NONE."""
    return _find(a, f.unmeasured_first, run)


@pasted
def open_run(a: Arrays, f: Record, row: Record) -> int:
    """Remember that a run is open; the oldest gives way when there are 256."""
    if f.open_count >= OPEN_MAX:
        close_run(a, f, f.open_first)
        a.counters[FORGOTTEN] += 1
    place = _take(a, row)
    f.open_first, f.open_last = _lengthened(a, f.open_first, f.open_last, place)
    f.open_count += 1
    a.counters[OPEN_RUNS] += 1
    return place


@pasted
def _lengthened(a: Arrays, first: int, last: int, place: int) -> tuple[int, int]:
    """First and last of a list with one record more at its end."""
    if last == NONE:
        return place, place
    a.runs[last].next = place
    touch_run(a, last)
    return first, place


@pasted
def _unlinked(a: Arrays, first: int, last: int, place: int) -> tuple[int, int]:
    """First and last of a list without one of its records."""
    if place == first:
        following = a.runs[place].next
        return following, (NONE if place == last else last)
    before = first
    while a.runs[before].next != place:
        before = a.runs[before].next
    a.runs[before].next = a.runs[place].next
    touch_run(a, before)
    return first, (before if place == last else last)


@pasted
def close_run(a: Arrays, f: Record, place: int) -> None:
    """Forget an open run."""
    f.open_first, f.open_last = _unlinked(a, f.open_first, f.open_last, place)
    f.open_count -= 1
    a.counters[OPEN_RUNS] -= 1
    _give(a, place)


@pasted
def add_unmeasured(a: Arrays, f: Record, row: Record) -> None:
    """Remember a run that ended without a duration."""
    place = _take(a, row)
    f.unmeasured_first, f.unmeasured_last = _lengthened(a, f.unmeasured_first, f.unmeasured_last, place)


@pasted
def drop_unmeasured(a: Arrays, f: Record, place: int) -> None:
    """Forget it: its duration is known, or it is too long ago."""
    f.unmeasured_first, f.unmeasured_last = _unlinked(a, f.unmeasured_first, f.unmeasured_last, place)
    _give(a, place)


@pasted
def has_ended(a: Arrays, f: Record, run: int) -> bool:
    """Whether a run (not 0) is among the last that ended."""
    known = min(f.ended_count, ENDED_MAX)
    if run == 0:
        return False
    for start in range(0, known, ENDED_CHUNK):
        runs = a.ended[f.ended[start // ENDED_CHUNK]].runs
        found = False
        for i in range(min(ENDED_CHUNK, known - start)):
            found |= runs[i] == run
        if found:
            return True
    return False


@pasted
def remember_ended(a: Arrays, f: Record, run: int) -> None:
    """Remember that a run has ended, in place of the oldest of 64."""
    at = f.ended_count % ENDED_MAX
    chunk = at // ENDED_CHUNK
    if f.ended[chunk] == NONE:
        f.ended[chunk] = _take_chunk(a)
    runs = a.ended[f.ended[chunk]].runs
    if f.ended_count >= ENDED_MAX and f.unmeasured_first != NONE:
        gone = find_unmeasured(a, f, runs[at % ENDED_CHUNK])
        if gone != NONE:
            drop_unmeasured(a, f, gone)
    runs[at % ENDED_CHUNK] = run
    a.ended_dirty[f.ended[chunk] >> ENDED_BLOCK_BITS] = 1
    f.ended_count += 1


@pasted
def _take_chunk(a: Arrays) -> int:
    place = int(a.counters[ENDED_FREE])
    if place != NONE:
        a.counters[ENDED_FREE] = a.ended[place].next
        return place
    a.counters[ENDED_TOP] += 1
    return int(a.counters[ENDED_TOP] - 1)


@pasted
def forget_runs(a: Arrays, f: Record) -> None:
    """Give back everything that is remembered of a follower's runs."""
    while f.open_first != NONE:
        close_run(a, f, f.open_first)
    while f.unmeasured_first != NONE:
        drop_unmeasured(a, f, f.unmeasured_first)
    for chunk in range(ENDED_MAX // ENDED_CHUNK):
        if f.ended[chunk] != NONE:
            a.ended[f.ended[chunk]].next = a.counters[ENDED_FREE]
            a.counters[ENDED_FREE] = f.ended[chunk]
            a.ended_dirty[f.ended[chunk] >> ENDED_BLOCK_BITS] = 1
            f.ended[chunk] = NONE
    f.ended_count = 0
