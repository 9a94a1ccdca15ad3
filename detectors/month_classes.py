"""Classes of days of a month that have routines of their own: where it begins, and where it ends.

A routine may follow the calendar (the 1st, the last day) or business days; a day can be both, so each end has three classes.
Holidays are not known.
"""

from detectors.civil_days import SATURDAY, day_of, day_of_month, month_length, weekday
from detectors.compiled import inner

END_CLASSES = 3
BOTH_DAYS, BUSINESS_ONLY, WEEKEND_ONLY = range(END_CLASSES)
"""First (or last) day and business day in one; the business day alone; the first (or last) day at a weekend."""
NONE = -1


@inner
def month_start_class(local_ms: int) -> int:
    """The class of a day at the beginning of a month; NONE for any other."""
    day = day_of(local_ms)
    of_month, of_week = day_of_month(day), weekday(day)
    if of_month == 1:
        return WEEKEND_ONLY if of_week >= SATURDAY else BOTH_DAYS
    return BUSINESS_ONLY if of_month <= 3 and of_week == 0 else NONE


@inner
def month_end_class(local_ms: int) -> int:
    """The same at its end."""
    day = day_of(local_ms)
    left, of_week = month_length(day) - day_of_month(day), weekday(day)
    if left == 0:
        return WEEKEND_ONLY if of_week >= SATURDAY else BOTH_DAYS
    return BUSINESS_ONLY if left <= 2 and of_week == SATURDAY - 1 else NONE
