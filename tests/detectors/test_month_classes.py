"""Where months begin and end."""

import calendar
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.month_classes import (
    BOTH_DAYS,
    BUSINESS_ONLY,
    NONE,
    WEEKEND_ONLY,
    month_end_class,
    month_start_class,
)


def at_noon(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1000


def classes(days: list[date], extreme: date) -> dict[date, int]:
    """What the days of a month are, `days` in the order from its near end."""
    business = next(day for day in days if day.weekday() < 5)
    if business == extreme:
        return {extreme: BOTH_DAYS}
    return {extreme: WEEKEND_ONLY, business: BUSINESS_ONLY}


@settings(deadline=None)  # the first example compiles
@given(day=st.dates(date(1970, 1, 2), date(2170, 1, 1)))
def test_each_day_has_its_class(day: date) -> None:
    length = calendar.monthrange(day.year, day.month)[1]
    month = [day.replace(day=1) + timedelta(days=number) for number in range(length)]
    assert month_start_class(at_noon(day)) == classes(month, month[0]).get(day, NONE)
    assert month_end_class(at_noon(day)) == classes(month[::-1], month[-1]).get(day, NONE)
