"""Days as people count them, against the standard library."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.civil_days import civil, month_length, weekday

EPOCH = date(1970, 1, 1)


@settings(deadline=None)
@given(st.integers(-100_000, 100_000))
def test_days_are_those_of_the_calendar(day: int) -> None:
    expected = EPOCH + timedelta(days=day)
    assert civil(day) == (expected.year, expected.month, expected.day)
    assert weekday(day) == expected.weekday()


@settings(deadline=None)
@given(st.integers(1800, 2300), st.integers(1, 12))
def test_months_are_as_long_as_in_the_calendar(year: int, month: int) -> None:
    following = date(year + month // 12, month % 12 + 1, 1)
    assert month_length(year, month) == (following - timedelta(days=1)).day
