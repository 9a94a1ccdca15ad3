"""Season: which routines a series may have."""

import random

import pytest

from detectors.numeric import Direction, Kind, NumericBank
from detectors.settings import SEASONS, Season

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
MONDAY_MS = 1_780_272_000_000
NOON_MS = 12 * HOUR_MS


def taught(kind: Kind, season: Season, samples: list[tuple[int, float]]) -> tuple[NumericBank, int]:
    bank = NumericBank()
    slot = bank.add(kind, season=season)
    times, values = zip(*samples, strict=True)
    bank.judge_many([slot] * len(times), times, values)
    return bank, slot


def hourly(days: int) -> list[tuple[int, float]]:
    """Values of 100, of 300 at noon, and on Sundays of 50; all give or take a little."""
    rng = random.Random(3)
    hours = range(days * 24)
    return [
        (MONDAY_MS + n * HOUR_MS, rng.gauss(300 if n % 24 == 12 else 50 if n // 24 % 7 == 6 else 100, 2))
        for n in hours
    ]


def nightly(days: int) -> list[tuple[int, float]]:
    """A run a day of 1,000 rows, on Sundays of 200."""
    rng = random.Random(4)
    return [(MONDAY_MS + n * DAY_MS, rng.gauss(200 if n % 7 == 6 else 1000, 10)) for n in range(days)]


@pytest.mark.parametrize(
    ("season", "noon", "sunday"),
    [("none", False, False), ("daily", True, False), ("weekly", True, True), ("auto", True, True)],
)
def test_a_value_has_the_routines_that_its_season_allows(season: Season, noon: bool, sunday: bool):
    days = 8 * 7
    bank, slot = taught(Kind.VALUES, season, hourly(days))
    at_noon = bank.limits(slot, MONDAY_MS + days * DAY_MS + NOON_MS)
    on_sunday = bank.limits(slot, MONDAY_MS + (days + 6) * DAY_MS + 4 * HOUR_MS)
    assert (at_noon.expected > 200) == noon
    assert (on_sunday.expected < 75) == sunday


@pytest.mark.parametrize("season", SEASONS)
def test_a_run_has_the_routines_that_its_season_allows(season: Season):
    days = 8 * 7
    bank, slot = taught(Kind.RUNS, season, nightly(days))
    on_sunday = bank.limits(slot, MONDAY_MS + (days + 6) * DAY_MS)
    assert (on_sunday.expected < 400) == (season in ("weekly", "auto"))


@pytest.mark.parametrize("kind", Kind)
def test_a_routine_that_is_no_longer_allowed_is_forgotten_at_once(kind: Kind):
    days = 8 * 7
    bank, slot = taught(kind, "auto", hourly(days) if kind is Kind.VALUES else nightly(days))
    sunday_ms = MONDAY_MS + (days + 6) * DAY_MS + (4 * HOUR_MS if kind is Kind.VALUES else 0)
    before = bank.limits(slot, sunday_ms)
    bank.configure(slot, direction=Direction.BOTH, false_alarms_per_day=1 / 30, min_effect=0.0, season="none")
    after = bank.limits(slot, sunday_ms)
    assert after.expected > 1.5 * before.expected
