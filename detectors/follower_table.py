"""The table of followers: who follows a key, by the key's ident; new ones are added, idle ones given up.

An open-addressing hash table (linear probing) of 1 + the follower's place, of a size that is a power of two. Idents are
hashes already, so their lower half is their place in the table.
"""

import numpy as np
import numpy.typing as npt

from detectors.compiled import entry, inner, pasted
from detectors.core.layout import Record
from detectors.follower_layout import (
    FOLLOWER_BLOCK_BITS,
    FOLLOWERS_FREE,
    FOLLOWERS_TOP,
    FREE,
    LIVE,
    MEASURES,
    PARTS,
    RUN_EVENTS,
    SCHEMA,
    SERIES,
    Arrays,
)
from detectors.freshness import NO_TIMER
from detectors.memory import fetch_line
from detectors.numeric_slots import give_slot, tune
from detectors.run_memory import forget_runs

OUTCOME_SERIES, VALUE_SERIES = 4, 2
"""Series of a follower of runs that need no slot in the bank: failures, duplicates, freshness, lateness. The last two of one of a value."""
UNKNOWN = -1
_AHEAD = 8
"""Keys between asking for the memory of one and looking there."""

Table = npt.NDArray[np.int32]
Idents = npt.NDArray[np.int64]
"""One row of two words a key."""


@pasted
def _place_of(a: Arrays, table: Table, low: int, high: int) -> int:
    """Where an ident stands in the table, or the empty place where it would."""
    mask = len(table) - 1
    at = low & mask
    while table[at] != 0:
        f = a.followers[table[at] - 1]
        if f.id_low == low and f.id_high == high:
            break
        at = (at + 1) & mask
    return at


@entry
def find(a: Arrays, table: Table, idents: Idents, found: npt.NDArray[np.int32]) -> None:
    """Enter into `found` the followers of these idents, UNKNOWN where there is none."""
    mask = len(table) - 1
    for i in range(len(idents)):
        if i + 2 * _AHEAD < len(idents):
            fetch_line(table, idents[i + 2 * _AHEAD, 0] & mask, 0)
        if i + _AHEAD < len(idents):
            fetch_line(a.followers, table[idents[i + _AHEAD, 0] & mask] - 1, 0)
        found[i] = table[_place_of(a, table, idents[i, 0], idents[i, 1])] - 1


@entry
def add(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    table: Table,
    idents: Idents,
    kinds: npt.NDArray[np.uint8],
    tuned: npt.NDArray[np.int32],
    free: int,
    now_ms: int,
    found: npt.NDArray[np.int32],
    new: npt.NDArray[np.int64],
) -> int:
    """Add followers for the UNKNOWN ones in `found`, as long as there are `free` ones; enters into `new` which keys they are for.

    `tuned` holds the settings' numbers of each part by kind; they count as seen `now_ms`. Arrays and table have room. Returns how many.
    """
    count = 0
    for i in range(len(idents)):
        if found[i] != UNKNOWN:
            continue
        at = _place_of(a, table, idents[i, 0], idents[i, 1])
        if table[at] == 0:
            if count >= free:
                continue
            place = _take(a, idents[i, 0], idents[i, 1], kinds[i], tuned[kinds[i]])
            a.followers[place].seen_ms = max(0, now_ms)
            table[at] = 1 + place
            new[count] = i
            count += 1
        found[i] = table[at] - 1
    return count


@pasted
def _take(a: Arrays, low: int, high: int, kind: int, tuned: npt.NDArray[np.int32]) -> int:
    free = a.counters[FOLLOWERS_FREE]
    if free > 0:
        place = free - 1
        a.counters[FOLLOWERS_FREE] = a.followers[place].seen_ms
    else:
        place = a.counters[FOLLOWERS_TOP]
        a.counters[FOLLOWERS_TOP] += 1
    f = a.followers[place]
    f.id_low, f.id_high, f.kind = low, high, kind
    for part in range(PARTS):
        f.tuned[part] = tuned[part]
    f.arrivals.cadence.anchor_ms = f.arrivals.cadence.last_ms = -1
    f.arrivals.due_ms = f.window.window = -1
    a.counters[SERIES] += _own_series(f)
    a.counters[LIVE] += 1
    a.followers_dirty[place >> FOLLOWER_BLOCK_BITS] = 1
    return place


@inner
def _own_series(f: Record) -> int:
    if f.kind == RUN_EVENTS:
        return OUTCOME_SERIES
    return 1 if f.kind == SCHEMA else VALUE_SERIES


@entry
def fill(a: Arrays, table: Table) -> None:
    """Enter all followers into an empty table."""
    for place in range(a.counters[FOLLOWERS_TOP]):
        f = a.followers[place]
        if f.kind != FREE:
            table[_place_of(a, table, f.id_low, f.id_high)] = place + 1


@entry
def give_up(
    a: Arrays,
    idle_since_ms: int,
    young_since_ms: int,
    young_n: int,
    kept: npt.NDArray[np.bool_],
    given: npt.NDArray[np.int64],
) -> int:
    """Forget every follower that had no row since `idle_since_ms`, those with fewer than `young_n` samples earlier.

    Those that are `kept` stay. Enters the places of those given up into `given`, and returns how many; the table has to be filled anew.
    """
    count = 0
    for place in range(a.counters[FOLLOWERS_TOP]):
        f = a.followers[place]
        if f.kind == FREE or kept[place]:
            continue
        since_ms = young_since_ms if _samples(a, f) < young_n else idle_since_ms
        if f.seen_ms < since_ms:
            _give(a, place)
            given[count] = place
            count += 1
    return count


@pasted
def _samples(a: Arrays, f: Record) -> int:
    most = f.arrivals.arrivals
    for part in range(MEASURES):
        if f.slots[part] > 0:
            most = max(most, a.bank.light[f.slots[part] - 1].n)
    return most


@pasted
def _give(a: Arrays, place: int) -> None:
    f = a.followers[place]
    forget_runs(a, f)
    for part in range(MEASURES):
        if f.slots[part] > 0:
            give_slot(a.bank, f.slots[part] - 1)
            a.counters[SERIES] -= 1
    a.counters[SERIES] -= _own_series(f)
    a.counters[LIVE] -= 1
    a.followers[place : place + 1].view(np.uint8)[:] = 0
    a.silence_ms[place] = NO_TIMER
    a.followers[place].seen_ms = a.counters[FOLLOWERS_FREE]
    a.counters[FOLLOWERS_FREE] = place + 1
    a.followers_dirty[place >> FOLLOWER_BLOCK_BITS] = 1


@entry
def retune(a: Arrays, followers: npt.NDArray[np.int64]) -> None:
    """Give the numeric series of these followers the settings that they name now."""
    for place in followers:
        f = a.followers[place]
        for part in range(MEASURES):
            if f.slots[part] > 0:
                tune(a.bank, f.slots[part] - 1, a.tuned[f.tuned[part]])
