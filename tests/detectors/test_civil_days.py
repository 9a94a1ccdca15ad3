"""Calendar kernels against the standard library's calendar."""

import calendar
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import civil_days as days

EPOCH = date(1970, 1, 1)
LAST = (date(2100, 12, 31) - EPOCH).days
DAY_MS = 86_400_000

any_day = st.integers(0, LAST)


def date_of(day: int) -> date:
    return EPOCH + timedelta(days=day)


def test_every_day_from_1970_to_2100_has_its_date_and_weekday() -> None:
    for day in range(LAST + 1):
        expected = date_of(day)
        assert days.civil_from_days(day) == (expected.year, expected.month, expected.day)
        assert days.weekday(day) == expected.weekday()


@settings(deadline=None)
@given(st.integers(-700_000, 2_900_000))
def test_dates_before_1970_and_far_on_are_right_too(day: int) -> None:
    expected = EPOCH + timedelta(days=day)
    assert days.civil_from_days(day) == (expected.year, expected.month, expected.day)
    assert days.weekday(day) == expected.weekday()


@settings(deadline=None)
@given(st.integers(-10 * 365 * DAY_MS, LAST * DAY_MS))
def test_a_time_lies_in_the_day_of_its_date(local_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=local_ms)
    assert date_of(days.day_of(local_ms)) == moment.date()


@settings(deadline=None, max_examples=500)  # kernels may be compiled
@given(any_day)
def test_days_of_the_month_and_its_length(day: int) -> None:
    of = date_of(day)
    length = calendar.monthrange(of.year, of.month)[1]
    assert days.month_length(day) == days.days_in_month(of.year, of.month) == length
    assert days.day_of_month(day) == of.day
