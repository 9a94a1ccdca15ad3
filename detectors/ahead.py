"""Ahead: asks for the memory of later rows, a few rows before each is applied.

Where series are many, nearly everything that a row needs has to come from memory, and waiting for it one by one would take longer
than all that is computed. What a row needs is known in three steps: its follower; that one's slots and ended runs; and
what the scorer remembers of those series, of which a sample touches the head and what belongs to its hour.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np

from detectors.compiled import pasted
from detectors.core.layout import DEEP, HOUR_DAYS_KEPT, HOURS, WEEK_HOURS, Records
from detectors.core.scorer import hours_of
from detectors.follower_layout import (
    ARRIVALS,
    ENDED_CHUNK,
    ENDED_MAX,
    EVENTS,
    FOLLOWER,
    MEASURES,
    TIMERS,
    VALUE,
    Arrays,
)
from detectors.memory import fetch_head, fetch_line, fetch_record

STEP: Final = 6
"""Rows between two of the steps, and between the last one and the row."""
_CHUNKS: Final = ENDED_MAX // ENDED_CHUNK


def _offset_of(record: np.dtype[np.void], field: str) -> int:
    return cast("Mapping[str, tuple[Any, int]]", record.fields)[field][1]


_DAY_VISITS: Final = _offset_of(DEEP, "day_visits")
_WEEK_VISITS: Final = _offset_of(DEEP, "week_visits")
_DAY_PROFILE: Final = _offset_of(DEEP, "day_profile")
_WEEK_PROFILE: Final = _offset_of(DEEP, "week_profile")
_HOUR_PEAK: Final = _offset_of(DEEP, "hour_peak")
_DUE: Final = _offset_of(FOLLOWER, "arrivals") + _offset_of(ARRIVALS, "due_ms")


@pasted
def look_ahead(a: Arrays, rows: Records, i: int) -> None:
    """Ask for what the rows behind row `i` will need."""
    if i + 3 * STEP < len(rows):
        fetch_record(a.followers, rows[i + 3 * STEP].follower)
    if i + 2 * STEP < len(rows):
        _fetch_parts(a, rows[i + 2 * STEP].follower)
    if i + STEP < len(rows):
        _fetch_scorers(a, rows[i + STEP].follower, rows[i + STEP].time_ms)


@pasted
def look_ahead_of_timer(a: Arrays) -> None:
    """Ask for what the timer that is due next looks at, which is a matter of some rows."""
    if a.counters[TIMERS] > 0:
        fetch_line(a.followers, a.timers[0].follower, _DUE)


@pasted
def _fetch_parts(a: Arrays, follower: int) -> None:
    f = a.followers[follower]
    for part in range(MEASURES):
        if f.slots[part] > 0:
            fetch_record(a.bank.light, f.slots[part] - 1)
    for chunk in range(_CHUNKS):
        if f.ended[chunk] > 0:
            fetch_record(a.ended, f.ended[chunk])


@pasted
def _fetch_scorers(a: Arrays, follower: int, time_ms: int) -> None:
    f = a.followers[follower]
    if f.kind != VALUE:
        for part in range(EVENTS):
            model = a.bank.light[f.slots[part] - 1].deep if f.slots[part] > 0 else 0
            if model > 0:
                fetch_record(a.bank.models, model)
        return
    deep = a.bank.light[f.slots[0] - 1].deep if f.slots[0] > 0 else 0
    if deep > 0:
        hour, week_hour = hours_of(time_ms)
        fetch_head(a.bank.deep, deep)
        fetch_line(a.bank.deep, deep, _DAY_VISITS + 2 * hour)
        fetch_line(a.bank.deep, deep, _WEEK_VISITS + 2 * week_hour)
        fetch_line(a.bank.deep, deep, _HOUR_PEAK + 4 * HOUR_DAYS_KEPT * hour)
        for k in range(2):
            fetch_line(a.bank.deep, deep, _DAY_PROFILE + 4 * (HOURS * k + hour))
            fetch_line(a.bank.deep, deep, _WEEK_PROFILE + 4 * (WEEK_HOURS * k + week_hour))
