"""Calendar kernels against the standard library's calendar."""

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import civil_days as days

EPOCH = date(1970, 1, 1)
LAST = (date(2100, 12, 31) - EPOCH).days
DAY_MS = 86_400_000

any_day = st.integers(0, LAST)


def date_of(day: int) -> date:
    return EPOCH + timedelta(days=day)


def business_days_of_month(of: date) -> list[int]:
    length = calendar.monthrange(of.year, of.month)[1]
    return [day for day in range(1, length + 1) if date(of.year, of.month, day).weekday() < 5]


def test_every_day_from_1970_to_2100_has_its_date_and_weekday() -> None:
    for day in range(LAST + 1):
        expected = date_of(day)
        assert days.civil_from_days(day) == (expected.year, expected.month, expected.day)
        assert days.weekday(day) == expected.weekday()
        assert days.days_from_civil(expected.year, expected.month, expected.day) == day


@settings(deadline=None)
@given(st.integers(-700_000, 2_900_000))
def test_dates_before_1970_and_far_on_are_right_too(day: int) -> None:
    expected = EPOCH + timedelta(days=day)
    assert days.civil_from_days(day) == (expected.year, expected.month, expected.day)
    assert days.days_from_civil(*days.civil_from_days(day)) == day
    assert days.weekday(day) == expected.weekday()


@settings(deadline=None)
@given(st.integers(-10 * 365 * DAY_MS, LAST * DAY_MS))
def test_a_time_lies_in_the_day_of_its_date(local_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=local_ms)
    assert date_of(days.day_of(local_ms)) == moment.date()


@settings(deadline=None, max_examples=500)  # kernels may be compiled
@given(any_day)
def test_days_of_the_month_count_from_both_ends(day: int) -> None:
    of = date_of(day)
    length = calendar.monthrange(of.year, of.month)[1]
    assert days.month_length(day) == days.days_in_month(of.year, of.month) == length
    assert days.day_of_month(day) == of.day
    assert days.days_to_month_end(day) == length - of.day


@settings(deadline=None, max_examples=500)  # kernels may be compiled
@given(any_day)
def test_business_days_are_counted_from_both_ends(day: int) -> None:
    of = date_of(day)
    business = business_days_of_month(of)
    assert days.is_business_day(day) is (of.weekday() < 5)
    assert days.business_day_of_month(day) == sum(each <= of.day for each in business)
    assert days.business_days_to_month_end(day) == sum(each > of.day for each in business)


@settings(deadline=None, max_examples=500)  # kernels may be compiled
@given(any_day)
def test_a_day_is_of_the_class_that_its_place_among_the_business_days_says(day: int) -> None:
    of = date_of(day)
    business = business_days_of_month(of)
    expected = days.BUSINESS
    if of.day not in business:
        expected = days.WEEKEND
    elif of.day == business[0]:
        expected = days.FIRST_BUSINESS
    elif of.day == business[-1]:
        expected = days.LAST_BUSINESS
    assert days.day_class(day) == expected


@pytest.mark.parametrize(
    ("year", "month", "day", "expected"),
    [
        (2026, 2, 27, days.LAST_BUSINESS),  # a Friday before a weekend that ends the month
        (2026, 2, 28, days.WEEKEND),
        (2026, 3, 2, days.FIRST_BUSINESS),  # a Monday after a weekend that begins it
        (2024, 2, 29, days.LAST_BUSINESS),
        (2026, 4, 15, days.BUSINESS),
    ],
)
def test_month_ends_that_fall_on_weekends(year: int, month: int, day: int, expected: int) -> None:
    assert days.day_class(days.days_from_civil(year, month, day)) == expected
