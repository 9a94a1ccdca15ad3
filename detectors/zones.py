"""Time zones: which names there are, and when the clocks of one change, from the tz database of the package `tzdata`.

Not from the machine's own database: all who judge a series have to read the same clock, and `tzdata` is pinned with the other
dependencies. A rule of a zone is taken from 1970 to 2100; before and after, its clock stays as it is at either end.
Changes are found by asking `zoneinfo` (RFC 8536) for the offset every three days and halving where it differs: no zone has
two changes within six days. A zone costs some 40 ms, once a process.
"""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END_S: Final = int((datetime(2101, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
_STEP_S: Final = 3 * 86_400
_NEAREST: Final = 3


class Change(NamedTuple):
    """From `start_ms` on (epoch milliseconds) a zone's clock is `offset_ms` ahead of UTC."""

    start_ms: int
    offset_ms: int


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name of a zone, links and old names included."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


def nearest_names(written: str) -> list[str]:
    """At most three names that somebody who wrote an unknown one may have meant, the likeliest first.

    >>> nearest_names("europe/berlin"), nearest_names("berln")[0], nearest_names("Europe/Munich")[0]
    (['Europe/Berlin'], 'Europe/Berlin', 'Europe/Zurich')
    """
    wanted = written.strip().casefold().replace(" ", "_")
    by_folded: dict[str, list[str]] = {}
    for name in sorted(zone_names()):
        folded = name.casefold()
        for key in {folded, folded.rpartition("/")[2]}:
            by_folded.setdefault(key, []).append(name)
    if wanted in by_folded:
        return by_folded[wanted][:_NEAREST]
    close = get_close_matches(wanted, by_folded, _NEAREST, cutoff=0.6)
    return list(dict.fromkeys(name for key in close for name in by_folded[key]))[:_NEAREST]


@cache
def changes_of(name: str) -> tuple[Change, ...]:
    """The changes of a zone's clock in order; the first one stands for all time before the second.

    Raises:
        ValueError: no zone has this name.
    """
    zone = zone_of(name)
    found = [Change(0, _offset_ms(zone, 0))]
    for after in range(_STEP_S, _END_S, _STEP_S):
        if _offset_ms(zone, after) != found[-1].offset_ms:
            start = _first_other(zone, after - _STEP_S, after)
            found.append(Change(1000 * start, _offset_ms(zone, after)))
    return tuple(found)


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone by its name.

    Raises:
        ValueError: no zone has this name.
    """
    if name not in zone_names():
        raise ValueError(f"no time zone is named {name!r}")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, name)


def _offset_ms(zone: ZoneInfo, time_s: int) -> int:
    offset = (_EPOCH + timedelta(seconds=time_s)).astimezone(zone).utcoffset()
    return 0 if offset is None else 1000 * int(offset.total_seconds())


def _first_other(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second with the offset of `after`, where `before` has another."""
    offset_ms = _offset_ms(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_ms(zone, middle) == offset_ms:
            after = middle
        else:
            before = middle
    return after
