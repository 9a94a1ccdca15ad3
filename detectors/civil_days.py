"""The calendar, for kernels: weekday and day of month of a local time (`local_time`), in the Gregorian calendar.

Dates by Howard Hinnant's `civil_from_days` ("chrono-compatible low-level date algorithms", 2013): exact integer arithmetic
on eras of 400 years that begin in March, so that the leap day comes last. A few nanoseconds each.
"""

from detectors.compiled import inner
from detectors.core.layout import DAY_MS

MONDAY, SATURDAY = 0, 5
WEEK_DAYS, BUSINESS_DAYS = 7, 5

_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
_ERA_DAYS, _ERA_YEARS, _YEAR_DAYS = 146_097, 400, 365
_EPOCH_ERA_DAY = 719_468
"""Days from 0000-03-01 to 1970-01-01."""

Date = tuple[int, int, int]
"""Year, month from 1, day from 1."""


@inner
def day_of(local_ms: int) -> int:
    """Days since 1970-01-01, negative before."""
    return local_ms // DAY_MS


@inner
def civil_from_days(day: int) -> Date:
    """The date of a day."""
    shifted = day + _EPOCH_ERA_DAY
    era = shifted // _ERA_DAYS
    day_of_era = shifted - era * _ERA_DAYS
    leaps = day_of_era // 1460 - day_of_era // 36_524 + day_of_era // (_ERA_DAYS - 1)
    year_of_era = (day_of_era - leaps) // _YEAR_DAYS
    day_of_year = day_of_era - (_YEAR_DAYS * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    month = from_march + 3 if from_march < 10 else from_march - 9
    year = year_of_era + era * _ERA_YEARS + (1 if month <= 2 else 0)
    return year, month, day_of_year - (153 * from_march + 2) // 5 + 1


@inner
def weekday(day: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (day + _EPOCH_WEEKDAY) % WEEK_DAYS


@inner
def day_of_month(day: int) -> int:
    """1 to 31."""
    return civil_from_days(day)[2]


@inner
def days_in_month(year: int, month: int) -> int:
    """28 to 31."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 + (month + month // 8) % 2


@inner
def month_length(day: int) -> int:
    """Days of the month that a day lies in, 28 to 31."""
    year, month, _ = civil_from_days(day)
    return days_in_month(year, month)
