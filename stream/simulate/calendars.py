"""Local time and holidays: what a day is where a pipeline's business is.

Zones are IANA's. Holidays are the nationwide ones of the zone's country; zones of other countries keep New Year alone.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EPOCH = date(1970, 1, 1)
EPOCH_WEEKDAY = EPOCH.weekday()
SATURDAY = 5
DECEMBER = 12


def at_local(day: date, minute: int, zone: str) -> int:
    """UTC milliseconds of a minute of a local day.

    Where the clock is put back the first of the two is meant; a time that is skipped comes an hour later.
    """
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=ZoneInfo(zone))
    return int(local.timestamp()) * 1000


def local_date(time_ms: int, zone: str) -> date:
    """The local day in which a time lies."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(ZoneInfo(zone)).date()


def to_local(times_ms: Ints, zone: str) -> Ints:
    """Milliseconds since 1970 on the local clock."""
    hours, index = np.unique(times_ms // HOUR_MS, return_inverse=True)
    there = ZoneInfo(zone)
    offsets = [
        datetime.fromtimestamp(hour * 3600, UTC).astimezone(there).utcoffset() for hour in hours.tolist()
    ]
    shifts = np.array([int((offset or timedelta()).total_seconds()) * 1000 for offset in offsets], np.int64)
    return times_ms + shifts[index] if len(times_ms) else times_ms


def weekdays(local_ms: Ints) -> Ints:
    """Monday is 0."""
    return (local_ms // DAY_MS + EPOCH_WEEKDAY) % 7


def on_holiday(local_ms: Ints, zone: str) -> NDArray[np.bool_]:
    """Whether local times lie on a holiday."""
    days = local_ms // DAY_MS
    known = [day for day in np.unique(days).tolist() if is_holiday(EPOCH + timedelta(days=day), zone)]
    return np.isin(days, known)


def is_holiday(day: date, zone: str) -> bool:
    """Whether the country of a zone rests on that day."""
    return day in _holidays(zone, day.year)


def is_business_day(day: date, zone: str) -> bool:
    """Monday to Friday, and no holiday."""
    return day.weekday() < SATURDAY and not is_holiday(day, zone)


def last_of_month(day: date) -> date:
    """The last day of a day's month."""
    following = date(day.year + day.month // DECEMBER, day.month % DECEMBER + 1, 1)
    return following - timedelta(days=1)


def first_business_day(day: date, zone: str) -> date:
    """The first business day of a day's month."""
    first = day.replace(day=1)
    while not is_business_day(first, zone):
        first += timedelta(days=1)
    return first


@cache
def _holidays(zone: str, year: int) -> frozenset[date]:
    rule = _COUNTRIES.get(zone)
    return frozenset(rule(year)) if rule else frozenset({date(year, 1, 1)})


def _easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8)."""
    golden, century, of_century = year % 19, year // 100, year % 100
    shift = (8 * century + 13) // 25
    epact = (19 * golden + century - century // 4 - shift + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    month_at = epact + sunday - 7 * ((golden + 11 * epact + 22 * sunday) // 451) + 114
    return date(year, month_at // 31, month_at % 31 + 1)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _germany(year: int) -> list[date]:
    easter = _easter(year)
    fixed = [date(year, 1, 1), date(year, 5, 1), date(year, 10, 3), date(year, 12, 25), date(year, 12, 26)]
    return fixed + [easter + timedelta(days=days) for days in (-2, 1, 39, 50)]


def _united_states(year: int) -> list[date]:
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    last_monday_of_may = last_of_month(date(year, 5, 1))
    last_monday_of_may -= timedelta(days=last_monday_of_may.weekday())
    mondays = [_nth(year, 1, 0, 3), _nth(year, 2, 0, 3), last_monday_of_may, _nth(year, 9, 0, 1)]
    return [*fixed, *mondays, _nth(year, 10, 0, 2), _nth(year, 11, 3, 4)]


def _japan(year: int) -> list[date]:
    days = ((1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (9, 23), (11, 3), (11, 23))
    mondays = [_nth(year, 1, 0, 2), _nth(year, 7, 0, 3), _nth(year, 9, 0, 3), _nth(year, 10, 0, 2)]
    return [date(year, month, day) for month, day in days] + mondays


def _australia(year: int) -> list[date]:
    easter = _easter(year)
    fixed = [date(year, 1, 1), date(year, 1, 26), date(year, 4, 25), date(year, 12, 25), date(year, 12, 26)]
    return [*fixed, easter - timedelta(days=2), easter + timedelta(days=1), _nth(year, 10, 0, 1)]


_COUNTRIES: dict[str, Callable[[int], list[date]]] = {
    "Europe/Berlin": _germany,
    "America/New_York": _united_states,
    "America/Los_Angeles": _united_states,
    "Asia/Tokyo": _japan,
    "Australia/Sydney": _australia,
}
