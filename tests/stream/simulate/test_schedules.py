"""When simulated pipelines are due: local days, clocks that change, holidays."""

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream.simulate.calendars import (
    DAY_MS,
    HOUR_MS,
    SATURDAY,
    at_local,
    first_business_day,
    is_business_day,
    is_holiday,
    last_of_month,
    to_local,
)
from stream.simulate.ordinary import ordinary_runs
from stream.simulate.platform import ZONES, Archetype, OnHoliday, Pipeline, Season
from stream.simulate.schedules import DAY_MINUTES, Rhythm, Schedule, due_times

BERLIN = "Europe/Berlin"
FROM_MS = at_local(date(2025, 9, 11), 0, "UTC")
TO_MS = at_local(date(2025, 11, 10), 0, "UTC")


def due(schedule: Schedule, zone: str, from_ms: int = FROM_MS, to_ms: int = TO_MS) -> list[datetime]:
    times = due_times(schedule, zone, from_ms, to_ms, np.random.default_rng(0))
    return [datetime.fromtimestamp(time / 1000, UTC) for time in times.tolist()]


@pytest.mark.parametrize("zone", ZONES)
def test_weekday_jobs_never_run_on_a_local_weekend(zone: str) -> None:
    times = due(Schedule(Rhythm.WEEKDAYS, DAY_MINUTES, 90), zone)
    local = [time.astimezone(ZoneInfo(zone)) for time in times]
    assert len(times) == pytest.approx(60 * 5 / 7, abs=2)
    assert all(time.weekday() < SATURDAY and (time.hour, time.minute) == (1, 30) for time in local)


@pytest.mark.parametrize(
    ("zone", "changes"), [(BERLIN, 1), ("America/New_York", 1), ("Australia/Sydney", 1), ("Asia/Tokyo", 0)]
)
def test_a_local_schedule_moves_by_an_hour_in_utc_when_the_clocks_change(zone: str, changes: int) -> None:
    daily = due(Schedule(Rhythm.DAILY, DAY_MINUTES, 5 * 60), zone)
    few_hours = due(Schedule(Rhythm.EVERY, 360, 15), zone)
    for times in (daily, [time for time in few_hours if time.astimezone(ZoneInfo(zone)).hour == 6]):
        hours = [time.hour for time in times]
        assert sum(before != after for before, after in pairwise(hours)) == changes


def test_hourly_jobs_keep_their_distance_when_the_clocks_change() -> None:
    times = due_times(Schedule(Rhythm.EVERY, 60, 20), BERLIN, FROM_MS, TO_MS, np.random.default_rng(0))
    assert set(np.diff(times).tolist()) == {HOUR_MS}
    assert set((times % HOUR_MS).tolist()) == {20 * 60_000}
    assert len(times) == 60 * 24


def test_a_time_that_the_clocks_skip_comes_an_hour_later_and_one_they_repeat_comes_once() -> None:
    spring = due(
        Schedule(Rhythm.DAILY, DAY_MINUTES, 150), BERLIN, FROM_MS - 200 * DAY_MS, FROM_MS - 100 * DAY_MS
    )
    assert [time.hour for time in spring if time.date() == date(2025, 3, 30)] == [1]
    autumn = [time for time in due(Schedule(Rhythm.DAILY, DAY_MINUTES, 150), BERLIN) if time.month == 10]
    assert len(autumn) == 31


def test_months_end_and_begin_where_they_should() -> None:
    last = due(Schedule(Rhythm.LAST_OF_MONTH, 43_200, 600), "UTC")
    assert [time.date() for time in last] == [date(2025, 9, 30), date(2025, 10, 31)]
    first = due(Schedule(Rhythm.FIRST_BUSINESS_DAY, 43_200, 600), "UTC")
    assert [time.date() for time in first] == [date(2025, 10, 1), date(2025, 11, 3)]
    assert first_business_day(date(2026, 1, 20), "America/New_York") == date(2026, 1, 2)
    assert last_of_month(date(2024, 2, 3)) == date(2024, 2, 29)
    assert last_of_month(date(2025, 12, 31)) == date(2025, 12, 31)


def test_weekly_jobs_run_on_their_day() -> None:
    times = due(Schedule(Rhythm.WEEKLY, 7 * DAY_MINUTES, 60, weekday=2), "Asia/Tokyo")
    assert {time.astimezone(ZoneInfo("Asia/Tokyo")).weekday() for time in times} == {2}
    assert len(times) in (8, 9)


def test_irregular_jobs_come_as_often_as_they_should_without_a_beat() -> None:
    times = due_times(
        Schedule(Rhythm.IRREGULAR, 600), "UTC", 0, 1000 * 10 * HOUR_MS, np.random.default_rng(3)
    )
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(10 * HOUR_MS, rel=0.1)
    assert gaps.std() / gaps.mean() == pytest.approx(0.81, abs=0.1)


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        (
            BERLIN,
            [date(2025, 4, 18), date(2025, 4, 21), date(2025, 5, 29), date(2025, 6, 9), date(2025, 10, 3)],
        ),
        ("America/New_York", [date(2025, 1, 20), date(2025, 5, 26), date(2025, 10, 13), date(2025, 11, 27)]),
        ("Australia/Sydney", [date(2024, 3, 29), date(2024, 4, 1), date(2025, 10, 6)]),
        ("Asia/Tokyo", [date(2025, 9, 15), date(2025, 11, 3)]),
    ],
)
def test_holidays_are_those_of_the_country(zone: str, days: list[date]) -> None:
    assert all(is_holiday(day, zone) and not is_business_day(day, zone) for day in days)
    assert not is_holiday(date(2025, 10, 8), zone)


def test_local_time_follows_the_offset_in_force() -> None:
    times = np.array([at_local(date(2025, 10, day), 0, "UTC") for day in (25, 27)])
    assert ((to_local(times, BERLIN) - times) // HOUR_MS).tolist() == [2, 1]


@pytest.mark.parametrize("resting", [OnHoliday.SKIPPED, OnHoliday.SILENT])
def test_on_a_holiday_a_job_is_skipped_or_silent_as_it_always_is(resting: OnHoliday) -> None:
    pipeline = Pipeline(
        index=0,
        name="p",
        archetype=Archetype.WEEKDAYS,
        zone=BERLIN,
        schedule=Schedule(Rhythm.WEEKDAYS, DAY_MINUTES, 300),
        begins_ms=FROM_MS,
        season=Season(),
        duration_ms=60_000.0,
        on_holiday=resting,
    )
    runs = ordinary_runs(pipeline, 1, FROM_MS, TO_MS)
    holiday = [
        run.state
        for run in runs
        if at_local(date(2025, 10, 3), 0, BERLIN) <= run.start_ms < at_local(date(2025, 10, 4), 0, BERLIN)
    ]
    assert holiday == (["skipped"] if resting is OnHoliday.SKIPPED else [])
    assert {run.state for run in runs} <= {"succeeded", "skipped"}
