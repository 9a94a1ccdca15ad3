"""Schedules in words."""

import pytest

from detectors import day_rules as rules
from detectors.schedule_text import rhythm_text, rule_text


@pytest.mark.parametrize(
    ("rule", "days", "text"),
    [
        (rules.WEEKDAYS, 0b1111111, "every day"),
        (rules.WEEKDAYS, 0b0011111, "on weekdays"),
        (rules.WEEKDAYS, 0b1100000, "on weekends"),
        (rules.WEEKDAYS, 0b0000001, "on Mondays"),
        (rules.WEEKDAYS, 0b0010101, "on Mondays, Wednesdays and Fridays"),
        (rules.WEEKDAYS, 0b0111111, "every day but Sundays"),
        (rules.EVERY, 14, "every 14 days"),
        (rules.MONTH_DAYS, 1 | 1 << 14, "on the 1st and 15th of the month"),
        (rules.MONTH_DAYS, 1 << 11, "on the 12th of the month"),
        (rules.MONTH_END, 0, "on the last day of the month"),
        (rules.FIRST_BUSINESS, 0, "on the first business day of the month"),
        (rules.LAST_BUSINESS, 0, "on the last business day of the month"),
        (rules.NTH_WEEKDAY, 7 + 1, "on the second Tuesday of the month"),
        (rules.NTH_WEEKDAY, 7 * rules.LAST + 4, "on the last Friday of the month"),
    ],
)
def test_rules_read_as_people_say_them(rule: int, days: int, text: str) -> None:
    assert rule_text(rule, days) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(15, "every 15 minutes"), (60, "every hour"), (240, "every 4 hours")]
)
def test_rhythms_read_as_people_say_them(minutes: int, text: str) -> None:
    assert rhythm_text(minutes * 60_000) == text
