"""Schedules in words: `on weekdays`, `on the last day of the month`, `every 15 min`."""

from typing import Final

from detectors import day_rules as rules
from detectors.civil_days import BUSINESS_DAYS
from detectors.core.layout import DAY_MS

_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTH: Final = ("first", "second", "third", "fourth", "last")
_MONTHLY: Final = {
    rules.MONTH_END: "last day",
    rules.FIRST_BUSINESS: "first business day",
    rules.LAST_BUSINESS: "last business day",
}
_ALL, _WEEKDAYS, _WEEKEND = 0b1111111, 0b0011111, 0b1100000
_SPANS: Final = ((DAY_MS, "day"), (3_600_000, "hour"), (60_000, "minute"))


def rule_text(rule: int, days: int) -> str:
    """On which days a series runs, by a rule of `day_rules`."""
    if rule in _MONTHLY:
        return f"on the {_MONTHLY[rule]} of the month"
    if rule == rules.WEEKDAYS:
        return _weekdays(days)
    if rule == rules.EVERY:
        return f"every {days} days"
    if rule == rules.MONTH_DAYS:
        return f"on the {_listed([_ordinal(day + 1) for day in range(31) if days >> day & 1])} of the month"
    return f"on the {_NTH[days // 7]} {_NAMES[days % 7]} of the month"


def rhythm_text(period_ms: int) -> str:
    """How often a series runs."""
    size, name = next(span for span in _SPANS if period_ms >= span[0])
    count = period_ms // size
    return f"every {name}" if count == 1 else f"every {count} {name}s"


def _weekdays(mask: int) -> str:
    if mask == _ALL:
        return "every day"
    if mask == _WEEKDAYS:
        return "on weekdays"
    if mask == _WEEKEND:
        return "on weekends"
    named = [f"{name}s" for day, name in enumerate(_NAMES) if mask >> day & 1]
    missing = [f"{name}s" for day, name in enumerate(_NAMES) if not mask >> day & 1]
    if len(missing) < len(_NAMES) - BUSINESS_DAYS + 1:
        return f"every day but {_listed(missing)}"
    return f"on {_listed(named)}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _ordinal(number: int) -> str:
    if number in (11, 12, 13):
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"
