"""The days of a series of runs begin where those of its users do, not at midnight on its clock."""

import numpy as np
import pytest

from detectors.numeric import Kind, NumericBank
from detectors.run_days import moved_days, note_hour, on_days
from detectors.run_layout import RUN_MODEL

HOUR_MS = 3_600_000
WEEK_HOURS = 7 * 24
MONDAY_MS = 1_767_571_200_000
"""5 January 2026."""


def alarms_by_week(shift: int, weekend: float, weeks: int, seed: int) -> tuple[int, list[int]]:
    """The hours by which days of an hourly series turned out to begin earlier, and how many runs of each week alarmed.

    Days begin `shift` hours before midnight, and weekends have another load.
    """
    hours = np.arange(weeks * WEEK_HOURS)
    loads = np.where((hours + shift) % WEEK_HOURS >= 5 * 24, weekend, 1.0)
    values = 300_000 * loads * np.exp(np.random.default_rng(seed).normal(0, 0.08, len(hours)))
    bank = NumericBank()
    said = bank.judge_many(
        np.full(len(hours), bank.add(Kind.RUNS)), MONDAY_MS + hours * HOUR_MS, np.floor(values) + 0.5
    )
    shifted = int(bank.arrays.models["day_shift"][bank.arrays.models["n"] > 0][0])
    return shifted, said["anomalous"].reshape(weeks, -1).sum(axis=1).tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_days_that_begin_nine_hours_before_midnight_are_found_and_their_edges_alarm_no_more(
    seed: int,
) -> None:
    shifted, alarms = alarms_by_week(9, 2 / 3, 8, seed)
    assert abs(shifted - 9) <= 1
    assert sum(alarms[4:]) <= 3


def test_days_that_begin_after_midnight_are_found() -> None:
    shifted, alarms = alarms_by_week(-5, 2 / 3, 8, 1)
    assert abs(shifted + 5) <= 1
    assert sum(alarms[4:]) <= 3


@pytest.mark.parametrize("weekend", [1 / 3, 1.0])
def test_days_that_begin_at_midnight_stay_where_they_are(weekend: float) -> None:
    shifted, _ = alarms_by_week(0, weekend, 6, 1)
    assert shifted == 0


def test_one_strange_run_moves_no_days_and_hours_that_tell_so_together_do() -> None:
    (model,) = np.zeros(1, RUN_MODEL).view(np.recarray)
    note_hour(model, 23, 1000.0, 0.0)
    assert not moved_days(model)
    for hour in (22, 23, 23):
        note_hour(model, hour, 3.0, 0.0)
    assert moved_days(model)
    assert on_days(model, MONDAY_MS) == MONDAY_MS + 2 * HOUR_MS
    assert not model.edge.any()


def test_hours_that_belong_to_their_own_day_move_nothing() -> None:
    (model,) = np.zeros(1, RUN_MODEL).view(np.recarray)
    for hour in range(24):
        note_hour(model, hour, 0.0, 3.0)
    assert not moved_days(model)
    assert model.day_shift == 0
