"""How people write when something is expected: `weekdays 02:00-02:20`, or as cron does, `0 2 * * 1-5 within 20m`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from detectors.due_times import check_cron
from detectors.settings import NO_SCHEDULE, Schedule
from stream.config.units import UNITS_MS, format_duration, parse_positive_duration_ms, shown

WITHIN_MS: Final = 15 * UNITS_MS["m"]
"""How long after its time something is overdue, unless it is written."""
WITHIN_MS_MAX: Final = 7 * UNITS_MS["d"]
_DAY_MINUTES: Final = 1440
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPANS: Final = {"daily": "*", "weekdays": "mon-fri", "weekends": "sat,sun"}
_CLOCK: Final = r"([01]?[0-9]|2[0-3]):([0-5][0-9])"
_WINDOW: Final = re.compile(rf"(?:([a-z,-]+) )?{_CLOCK}(?:\s*-\s*{_CLOCK})?")
_WITHIN: Final = re.compile(r"(.+?)(?: within (.+))?")
_HOW: Final = "write it like weekdays 02:00-02:20, mon,thu 06:30 or 0 2 * * 1-5 within 20m, or learned"


def parse_schedule(written: Any) -> Schedule:
    """A schedule; ValueError says how one is written.

    >>> parse_schedule("weekdays 02:00-02:20")
    Schedule(written='weekdays 02:00-02:20', cron='0 2 * * mon-fri', within_ms=1200000)
    """
    if not isinstance(written, str):
        raise ValueError(f"{shown(written)} is no schedule: {_HOW}")  # noqa: TRY004  pydantic reports ValueError only
    text = " ".join(written.split())
    if text == NO_SCHEDULE.written:
        return NO_SCHEDULE
    try:
        return _window(text) if ":" in text else _cron(text)
    except ValueError as error:
        raise ValueError(f"{shown(written)} is no schedule: {error}; {_HOW}") from None


def _window(text: str) -> Schedule:
    found = _WINDOW.fullmatch(text.lower())
    if found is None:
        raise ValueError("days, and a time or two")
    days, hour, minute, end_hour, end_minute = found.groups()
    within_ms = WITHIN_MS
    if end_hour is not None:
        minutes = (60 * int(end_hour) + int(end_minute) - 60 * int(hour) - int(minute)) % _DAY_MINUTES
        if minutes == 0:
            raise ValueError("it ends when it begins")
        within_ms = minutes * UNITS_MS["m"]
    return Schedule(text, f"{int(minute)} {int(hour)} * * {_days(days or 'daily')}", within_ms)


def _days(written: str) -> str:
    days = _SPANS.get(written, written)
    for name in re.split("[,-]", days):
        if name not in (*_DAYS, "*"):
            raise ValueError(f"{name!r} is none of {', '.join((*_DAYS, *_SPANS))}")
    return days


def _cron(text: str) -> Schedule:
    found = _WITHIN.fullmatch(text)
    cron, within = found.groups() if found else (text, None)
    check_cron(cron)
    within_ms = parse_positive_duration_ms(within) if within else WITHIN_MS
    if within_ms > WITHIN_MS_MAX:
        raise ValueError(f"{within} is longer than {format_duration(WITHIN_MS_MAX)}")
    return Schedule(text, cron, within_ms)


def _written(schedule: Schedule) -> str:
    return schedule.written


ScheduleText = Annotated[
    Schedule,
    PlainValidator(parse_schedule),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "examples": ["weekdays 02:00-02:20", "0 2 * * 1-5 within 20m", NO_SCHEDULE.written],
        }
    ),
]
