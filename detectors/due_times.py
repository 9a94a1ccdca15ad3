"""Due times: when something with a declared schedule is expected next, and from when on it is overdue.

A schedule is a cron expression of five fields by the clock of a time zone. An hour that the clock skips is taken to be the one after it, and of an hour
that it shows twice the first counts. What comes from `within_ms` before the expected time on, but after the time before was overdue, is what was expected.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from croniter import croniter

from detectors.settings import Schedule
from detectors.zones import zone_of

_FIELDS: Final = 5
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES: Final = frozenset([*_MONTHS, *_DAYS, "l"])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRIED: Final = datetime(2000, 1, 1)  # noqa: DTZ001  a clock on the wall


class Due(NamedTuple):
    """One time at which something is expected: it may come `from_ms` on, and is overdue at `due_ms`. Epoch milliseconds."""

    from_ms: int
    expected_ms: int
    due_ms: int


def check_cron(cron: str) -> None:
    """Raise ValueError, with the reason, unless an expression has five fields and a time that comes."""
    if len(cron.split()) != _FIELDS:
        raise ValueError("a cron expression has five fields: minute, hour, day, month, day of the week")
    if unknown := sorted(set(re.findall(r"[a-z]+", cron.lower())) - _NAMES):
        raise ValueError(f"{unknown[0]!r} is no month or day of the week")
    try:
        croniter(cron, _TRIED).get_next(datetime)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no time is meant by it: {error}") from None


def due_after(schedule: Schedule, time_zone: str, time_ms: int, before_ms: int = 0) -> Due:
    """The first time that is expected after `time_ms`; the one before it was overdue at `before_ms`.

    >>> due_after(Schedule("", "0 2 * * 1-5", 1_200_000), "Europe/Berlin", 1_772_000_000_000)
    Due(from_ms=1772066400000, expected_ms=1772067600000, due_ms=1772068800000)
    """
    expected_ms = _expected_after(schedule.cron, time_zone, time_ms)
    from_ms = max(expected_ms - schedule.within_ms, before_ms)
    return Due(from_ms, expected_ms, expected_ms + schedule.within_ms)


def _expected_after(cron: str, time_zone: str, time_ms: int) -> int:
    zone = zone_of(time_zone)
    local = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone).replace(tzinfo=None)
    times = croniter(cron, local)
    while True:
        at = times.get_next(datetime).replace(tzinfo=zone)
        at_ms = (at - _EPOCH) // timedelta(milliseconds=1)
        if at_ms > time_ms:
            return at_ms
