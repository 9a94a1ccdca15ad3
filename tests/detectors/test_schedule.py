"""Schedules, rhythms and active hours, by what they say of the next run."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors import day_rules as rules
from detectors.compiled import entry
from detectors.schedule import within
from detectors.silence import Cadence

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PER_DAY = 1 / 30
MONDAY = date(2026, 1, 5)
BERLIN = ZoneInfo("Europe/Berlin")


def runs_on(
    named: Callable[[date], bool], days: int = 120, hour: float = 2.2, jitter_ms: int = 2 * MINUTE_MS
) -> list[int]:
    """A run on each day that is named, up to `jitter_ms` after the hour."""
    rng = random.Random(days)
    dates = (MONDAY + timedelta(days=n) for n in range(days))
    return [at(day, hour) + rng.randint(0, jitter_ms) for day in dates if named(day)]


def at(day: date, hour: float) -> int:
    """An hour of a day in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000 + hour * HOUR_MS)


def overdue(times: Iterable[int]) -> list[tuple[int, int]]:
    """When something was overdue, and when it came after all."""
    cadence = Cadence()
    told: list[tuple[int, int]] = []
    due_ms: int | None = None
    for time_ms in times:
        if due_ms is not None and time_ms > due_ms:
            told.append((due_ms, time_ms))
        due_ms = cadence.arrive(time_ms, PER_DAY)
    return told


def daily(_day: date) -> bool:
    return True


def last_day_of_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def first_business_day(day: date) -> bool:
    return day.weekday() < 5 and (day.day == 1 or (day.weekday() == 0 and day.day <= 3))


def last_business_day(day: date) -> bool:
    days_left = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1) - day
    return day.weekday() < 5 and (days_left.days == 0 or (day.weekday() == 4 and days_left.days <= 2))


RULES = [
    (rules.WEEKDAYS, daily, 60),
    (rules.WEEKDAYS, lambda day: day.weekday() < 5, 60),
    (rules.WEEKDAYS, lambda day: day.weekday() == 6, 90),
    (rules.WEEKDAYS, lambda day: day.weekday() in (1, 3), 60),
    (rules.EVERY, lambda day: day.toordinal() % 14 == 3, 120),
    (rules.EVERY, lambda day: day.toordinal() % 3 == 0, 60),
    (rules.MONTH_DAYS, lambda day: day.day == 5, 400),
    (rules.MONTH_DAYS, lambda day: day.day in (1, 15), 400),
    (rules.MONTH_END, last_day_of_month, 400),
    (rules.FIRST_BUSINESS, first_business_day, 400),
    (rules.LAST_BUSINESS, last_business_day, 400),
    (rules.NTH_WEEKDAY, lambda day: day.weekday() == 1 and 8 <= day.day <= 14, 400),
    (rules.NTH_WEEKDAY, lambda day: day.weekday() == 4 and (day + timedelta(days=7)).month != day.month, 400),
]


@pytest.mark.parametrize(("rule", "named", "days"), RULES)
def test_each_kind_of_schedule_is_found_and_the_next_run_is_due_shortly_after_its_time(
    rule: int, named: Callable[[date], bool], days: int
) -> None:
    *known, following = runs_on(named, days)
    cadence = Cadence()
    for time_ms in known:
        due_ms = cadence.arrive(time_ms, PER_DAY)
    assert cadence.rule == rule
    assert due_ms is not None
    assert 0 < due_ms - following < 20 * MINUTE_MS
    assert overdue([*known, following]) == []


def test_a_missed_tuesday_of_a_weekday_job_is_told_on_tuesday() -> None:
    times = runs_on(lambda day: day.weekday() < 5 and day != date(2026, 3, 10))
    ((told_ms, came_ms),) = overdue(times)
    assert at(date(2026, 3, 10), 2.2) < told_ms < at(date(2026, 3, 10), 2.6)
    assert came_ms > at(date(2026, 3, 11), 2.2)


@pytest.mark.parametrize("first", range(7))
def test_no_first_weekend_is_an_incident(first: int) -> None:
    every_day = runs_on(lambda day: (day - MONDAY).days >= first, 60)
    weekday = runs_on(lambda day: (day - MONDAY).days >= first and day.weekday() < 5, 60)
    assert overdue(every_day) == []
    assert overdue(weekday) == []


def test_one_missed_run_is_told_once_and_teaches_nothing() -> None:
    missed = {date(2026, 2, 3), date(2026, 2, 10), date(2026, 2, 17)}
    told = overdue(runs_on(lambda day: day not in missed))
    assert [datetime.fromtimestamp(due_ms / 1000, UTC).date() for due_ms, _ in told] == sorted(missed)


def test_a_daily_job_that_stops_at_weekends_is_told_for_weeks_and_then_taken_for_a_weekday_job() -> None:
    told = overdue(runs_on(lambda day: day < date(2026, 3, 2) or day.weekday() < 5, 120))
    assert 2 <= len(told) <= 5
    assert all(due_ms < at(date(2026, 4, 6), 0) for due_ms, _ in told)


def test_a_long_outage_is_told_once_and_the_schedule_holds_after_it() -> None:
    out = range(60, 105)
    told = overdue(runs_on(lambda day: (day - MONDAY).days not in out, 120))
    assert len(told) == 1
    again = runs_on(lambda day: (day - MONDAY).days not in (*out, 110), 120)
    assert len(overdue(again)) == 2


def test_a_schedule_that_moves_is_followed_within_three_runs() -> None:
    early, late = runs_on(daily, 60), runs_on(daily, 120, hour=9)[60:]
    assert 1 <= len(overdue(early + late)) <= 3


@pytest.mark.parametrize("named", [daily, lambda day: day.weekday() < 5, lambda day: day.weekday() == 6])
@pytest.mark.parametrize("hours", [(2.2,), (2.2, 9.5)])
def test_a_local_schedule_without_a_zone_costs_one_alarm_a_change_of_the_clocks(
    named: Callable[[date], bool], hours: tuple[float, ...]
) -> None:
    times = sorted(time_ms for hour in hours for time_ms in runs_on(named, 400, hour))
    local = [time_ms - berlin_offset_ms(time_ms) for time_ms in times]
    assert len(overdue(local)) == 1


@pytest.mark.parametrize("hour", [2.2, 9.0])
def test_a_local_schedule_of_a_known_zone_costs_none_and_is_due_by_its_clock(hour: float) -> None:
    cadence, due_ms = Cadence("Europe/Berlin"), None
    for time_ms in runs_on(lambda day: day.weekday() < 5, 400, hour):
        now_ms = time_ms - berlin_offset_ms(time_ms)
        margin_ms = 3 * HOUR_MS if now_ms < at(MONDAY, 30 * 24) else 30 * MINUTE_MS
        assert due_ms is None or now_ms < due_ms < now_ms + margin_ms
        due_ms = cadence.arrive(now_ms, PER_DAY)


def berlin_offset_ms(time_ms: int) -> int:
    """What a clock in Berlin is ahead of UTC."""
    offset = datetime.fromtimestamp(time_ms / 1000, BERLIN).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * 1000


def test_a_run_that_is_an_hour_late_once_costs_that_alarm_alone() -> None:
    times = runs_on(daily)
    times[70] += HOUR_MS
    assert len(overdue(times)) == 1


def test_two_slots_a_day_are_told_apart() -> None:
    times = sorted(runs_on(daily, 60, 2) + runs_on(lambda day: day.weekday() < 5, 60, 9.5))
    assert overdue(times) == []
    at_nine = at(date(2026, 2, 24), 9.5)
    without = [time_ms for time_ms in times if not at_nine <= time_ms < at_nine + HOUR_MS]
    ((told_ms, _),) = overdue(without)
    assert at_nine < told_ms < at_nine + 20 * MINUTE_MS


@pytest.mark.parametrize("minutes", [15, 20, 30, 60, 120, 180, 240])
def test_a_rhythm_is_due_at_its_minutes(minutes: int) -> None:
    rng, period_ms = random.Random(minutes), minutes * MINUTE_MS
    times = [at(MONDAY, 0) + n * period_ms + 5 * MINUTE_MS + rng.randint(0, MINUTE_MS) for n in range(600)]
    assert overdue(times) == []
    ((told_ms, _),) = overdue(times[:400] + times[401:])
    assert times[400] < told_ms < times[400] + max(7 * MINUTE_MS, period_ms // 8)


@pytest.mark.parametrize("minutes", [15, 60])
def test_nights_and_weekends_of_business_hours_are_no_silence_from_the_second_on(minutes: int) -> None:
    rng, step_ms = random.Random(1), minutes * MINUTE_MS
    times = [
        at(MONDAY + timedelta(days=day), 8) + n * step_ms + rng.randint(0, MINUTE_MS)
        for day in range(28)
        if day % 7 < 5
        for n in range(10 * HOUR_MS // step_ms)
    ]
    told = overdue(times)
    assert len(told) <= 1
    assert all(due_ms < at(MONDAY + timedelta(days=1), 8) for due_ms, _ in told)
    noon = [index for index, time_ms in enumerate(times) if at(date(2026, 1, 27), 12) <= time_ms]
    gone = [time_ms for time_ms in times if not times[noon[0]] <= time_ms < times[noon[0]] + 3 * HOUR_MS]
    told_ms, _ = overdue(gone)[-1]
    assert 0 < told_ms - times[noon[0]] < max(10 * MINUTE_MS, step_ms // 2)


def test_a_series_that_slows_down_is_told_a_few_times() -> None:
    hourly = [at(MONDAY, 0) + n * HOUR_MS for n in range(500)]
    assert 1 <= len(overdue(hourly + [hourly[-1] + n * 2 * HOUR_MS for n in range(1, 200)])) <= 8


def test_runs_once_a_day_at_any_time_have_no_schedule() -> None:
    rng, now_ms, cadence, told, due_ms = random.Random(4), at(MONDAY, 0), Cadence(), 0, None
    for _ in range(1000):
        now_ms += int(rng.expovariate(1 / DAY_MS)) + 1
        told += due_ms is not None and now_ms > due_ms
        due_ms = cadence.arrive(now_ms, PER_DAY)
    assert told <= 12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.2, 1.0, 6.0, 24.0]), st.integers(0, 90))
def test_a_punctual_run_is_never_overdue_before_its_usual_latest_time(
    seed: int, hours: float, jitter_minutes: int
) -> None:
    """Seven in eight of the runs seen may come as late as they did without being called overdue."""
    rng, period_ms = random.Random(seed), int(hours * HOUR_MS)
    jitter_ms = min(jitter_minutes * MINUTE_MS, period_ms // 8)
    times = [at(MONDAY, 0) + n * period_ms + rng.randint(0, jitter_ms) for n in range(100)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(overdue(times)) <= 3
    cadence = Cadence()
    for time_ms in times:
        due_ms = cadence.arrive(time_ms, PER_DAY)
    assert due_ms is not None
    assert due_ms >= times[-1] + min(gaps)


@entry
def _within(time_ms: float, period_ms: int) -> float:
    return within(time_ms, period_ms)


@given(time_ms=st.integers(-(2**43), 2**43), period_ms=st.integers(1, 86_400_000), half=st.booleans())
@example(time_ms=4 * 3_600_000, period_ms=3_600_000, half=False)
@example(time_ms=-1, period_ms=86_400_000, half=True)
def test_a_time_within_its_period_is_what_modulo_says(time_ms: int, period_ms: int, half: bool) -> None:
    time = time_ms + 0.5 * half
    assert _within(time, period_ms) == time % period_ms
