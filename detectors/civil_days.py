"""Days as people count them: weekday, day of month and length of month of a day number, which counts from 1970-01-01.

Proleptic Gregorian calendar, after Howard Hinnant's `civil_from_days` (chrono-compatible low-level date algorithms, 2013).
A few integer operations each.
"""

from detectors.compiled import inner

DAY_MS = 86_400_000
BUSINESS_DAYS = 5
"""Monday, which is weekday 0, to Friday."""
_EPOCH_WEEKDAY = 3
_ERA_DAYS = 146_097
_ERA_SHIFT = 719_468


@inner
def weekday(day: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (day + _EPOCH_WEEKDAY) % 7


@inner
def civil(day: int) -> tuple[int, int, int]:
    """Year, month (1..12) and day of month (1..31)."""
    era = (day + _ERA_SHIFT) // _ERA_DAYS
    of_era = day + _ERA_SHIFT - era * _ERA_DAYS
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    from_march = (5 * of_year + 2) // 153
    month = from_march + 3 if from_march < 10 else from_march - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * from_march + 2) // 5 + 1


@inner
def month_length(year: int, month: int) -> int:
    """Days in a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 + (month + month // 8) % 2
