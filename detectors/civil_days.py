"""The calendar, for kernels: weekday, day of month and business days of a local time (`local_time`), in the Gregorian calendar.

Dates by Howard Hinnant's `civil_from_days` and `days_from_civil` ("chrono-compatible low-level date algorithms", 2013): exact
integer arithmetic on eras of 400 years that begin in March, so that the leap day comes last. A business day is one from Monday
to Friday; holidays are not known. A few nanoseconds each.
"""

from detectors.compiled import inner
from detectors.core.layout import DAY_MS

MONDAY, SATURDAY = 0, 5
WEEK_DAYS, BUSINESS_DAYS = 7, 5

WEEKEND, BUSINESS, FIRST_BUSINESS, LAST_BUSINESS = 0, 1, 2, 3
"""Classes of days: the first and the last business day of a month have routines of their own."""

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
def days_from_civil(year: int, month: int, day: int) -> int:
    """The day of a date."""
    if month <= 2:
        year -= 1
    era = year // _ERA_YEARS
    year_of_era = year - era * _ERA_YEARS
    from_march = month - 3 if month > 2 else month + 9
    day_of_year = (153 * from_march + 2) // 5 + day - 1
    day_of_era = year_of_era * _YEAR_DAYS + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _ERA_DAYS + day_of_era - _EPOCH_ERA_DAY


@inner
def weekday(day: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (day + _EPOCH_WEEKDAY) % WEEK_DAYS


@inner
def is_business_day(day: int) -> bool:
    """Whether it is a day from Monday to Friday."""
    return weekday(day) < SATURDAY


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


@inner
def days_to_month_end(day: int) -> int:
    """0 on the last day of a month, 1 on the day before, up to 30."""
    return month_length(day) - day_of_month(day)


@inner
def _business_days_from(first: int, days: int) -> int:
    """Business days among so many days from a first one on."""
    weeks, rest = days // WEEK_DAYS, days % WEEK_DAYS
    count = weeks * BUSINESS_DAYS
    for step in range(rest):
        if is_business_day(first + step):
            count += 1
    return count


@inner
def business_day_of_month(day: int) -> int:
    """How many business days of its month there have been, this day included: 1 on the first one."""
    before = day_of_month(day) - 1
    return _business_days_from(day - before, before + 1)


@inner
def business_days_to_month_end(day: int) -> int:
    """How many business days are left of its month after this day: 0 from the last one on."""
    return _business_days_from(day + 1, days_to_month_end(day))


@inner
def day_class(day: int) -> int:
    """WEEKEND, FIRST_BUSINESS or LAST_BUSINESS of a month, or else BUSINESS."""
    if not is_business_day(day):
        return WEEKEND
    if business_day_of_month(day) == 1:
        return FIRST_BUSINESS
    return LAST_BUSINESS if business_days_to_month_end(day) == 0 else BUSINESS
