"""Local time, for kernels: what the clock on the wall shows where a series lives.

local = time + offset, both in milliseconds, so local // DAY_MS is a local day and local % DAY_MS the time of day. The offset
is that of the last change of the zone's clock (`zones`) at or before the time, found by bisection; the span to the next change
is kept, so that times near the last one asked for cost two comparisons. An hour that the clock shows twice is one hour
of 120 minutes, and one that it skips is not there.
"""

from typing import Final

import numpy as np

from detectors.compiled import inner, pasted
from detectors.core.layout import Record, Records
from detectors.zones import changes_of

UTC: Final = 0
"""The zone that every table begins with."""
CHANGES_MAX = 512
"""Room for the changes of one zone's clock; the busiest has 303."""
_ALWAYS_MS = 2**62

ZONE = np.dtype(
    [
        ("from_ms", "<i8"),
        ("until_ms", "<i8"),
        ("offset_ms", "<i8"),
        ("changes", "<i8"),
        ("starts_ms", "<i8", (CHANGES_MAX,)),
        ("offsets_ms", "<i4", (CHANGES_MAX,)),
    ]
)
"""One zone: its changes, and the span that was asked for last with its offset; at first an empty one."""


def zone_record(name: str) -> Records:
    """The ZONE record of a zone, in an array of its own.

    Raises:
        ValueError: no zone has this name.
    """
    changes = changes_of(name)
    record: Records = np.zeros(1, ZONE)
    record["changes"] = len(changes)
    record["starts_ms"][0, : len(changes)] = [change.start_ms for change in changes]
    record["offsets_ms"][0, : len(changes)] = [change.offset_ms for change in changes]
    record["starts_ms"][0, 0] = -_ALWAYS_MS
    return record


@inner
def _turn(zone: Record, time_ms: int) -> None:
    """Take the span that a time lies in as the last one asked for."""
    low, high = 0, zone.changes
    while high - low > 1:
        middle = (low + high) // 2
        if zone.starts_ms[middle] <= time_ms:
            low = middle
        else:
            high = middle
    zone.from_ms, zone.offset_ms = zone.starts_ms[low], zone.offsets_ms[low]
    zone.until_ms = zone.starts_ms[low + 1] if low + 1 < zone.changes else _ALWAYS_MS


@inner
def offset_ms(zone: Record, time_ms: int) -> int:
    """How far the clock of a zone is ahead of UTC at a time."""
    if time_ms < zone.from_ms or time_ms >= zone.until_ms:
        _turn(zone, time_ms)
    return zone.offset_ms


@pasted
def local_ms(zones: Records, zone: int, time_ms: int) -> int:
    """The local time of a time in one of the zones of a table, by number."""
    return time_ms + offset_ms(zones[zone], time_ms)
