"""Schedules: the times at which a pipeline is due, in the local time of its zone.

Intervals up to an hour keep their distance through a change of the clocks, as cron jobs every few minutes do; everything
longer is written in local hours, so in UTC it moves by an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np

from stream.simulate.calendars import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SATURDAY,
    Ints,
    at_local,
    first_business_day,
    last_of_month,
    local_date,
)

DAY_MINUTES = 24 * 60


class Rhythm(StrEnum):
    """On which days, or how, a pipeline comes."""

    EVERY = "every"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"
    LAST_OF_MONTH = "last of month"
    FIRST_BUSINESS_DAY = "first business day"
    IRREGULAR = "irregular"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pipeline is due. `minute` is of the interval for `every`, else of the local day.

    `interval_min` is the distance of two runs, for the irregular their mean distance.
    """

    rhythm: Rhythm
    interval_min: int
    minute: int = 0
    weekday: int = 0

    def __str__(self) -> str:
        at = f"{self.minute // 60:02d}:{self.minute % 60:02d}"
        if self.rhythm is Rhythm.EVERY:
            return f"every {self.interval_min} min, {self.minute} min in"
        if self.rhythm is Rhythm.IRREGULAR:
            return f"irregular, every {self.interval_min / 60:.0f} h on average"
        if self.rhythm is Rhythm.WEEKLY:
            return f"weekly, {('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[self.weekday]} {at}"
        return f"{self.rhythm} {at}"

    @property
    def interval_ms(self) -> int:
        """The distance of two runs."""
        return self.interval_min * MINUTE_MS


def due_times(schedule: Schedule, zone: str, from_ms: int, to_ms: int, rng: np.random.Generator) -> Ints:
    """All times in [from, to) at which the pipeline is due; only the irregular ones take chance."""
    if schedule.rhythm is Rhythm.IRREGULAR:
        return _irregular(schedule, from_ms, to_ms, rng)
    if schedule.rhythm is Rhythm.EVERY and schedule.interval_ms <= HOUR_MS:
        interval_ms = schedule.interval_ms
        first = -(-(from_ms - schedule.minute * MINUTE_MS) // interval_ms)
        return np.arange(
            first * interval_ms + schedule.minute * MINUTE_MS, to_ms, interval_ms, dtype=np.int64
        )
    minutes = (
        range(schedule.minute, DAY_MINUTES, schedule.interval_min)
        if schedule.rhythm is Rhythm.EVERY
        else (schedule.minute,)
    )
    days = (day for day in _days(zone, from_ms, to_ms) if _runs_on(schedule, zone, day))
    times = np.array([at_local(day, minute, zone) for day in days for minute in minutes], np.int64)
    return times[(times >= from_ms) & (times < to_ms)]


def _runs_on(schedule: Schedule, zone: str, day: date) -> bool:
    match schedule.rhythm:
        case Rhythm.WEEKDAYS:
            return day.weekday() < SATURDAY
        case Rhythm.WEEKLY:
            return day.weekday() == schedule.weekday
        case Rhythm.LAST_OF_MONTH:
            return day == last_of_month(day)
        case Rhythm.FIRST_BUSINESS_DAY:
            return day == first_business_day(day, zone)
        case _:
            return True


def _days(zone: str, from_ms: int, to_ms: int) -> Iterator[date]:
    day, last = local_date(from_ms, zone), local_date(to_ms, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)


def _irregular(schedule: Schedule, from_ms: int, to_ms: int, rng: np.random.Generator) -> Ints:
    """Arrivals with gamma gaps of shape 1.5: bursts and long pauses, a coefficient of variation of 0.8."""
    expected = (to_ms - from_ms) / schedule.interval_ms
    gaps = rng.gamma(1.5, schedule.interval_ms / 1.5, int(expected * 2 + 50))
    times = from_ms + np.cumsum(gaps + 5 * MINUTE_MS).astype(np.int64)
    return times[times < min(to_ms, from_ms + 10_000 * DAY_MS)]
