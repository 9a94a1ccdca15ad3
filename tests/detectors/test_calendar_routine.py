"""What comes once a week or at the end of each month is a routine from the third time on; what breaks it is not."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from detectors.numeric import NumericBank

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MONDAY_MS = 1_736_121_600_000
SEEDS = range(3)

Mask = npt.NDArray[np.bool_]
On = Callable[[np.ndarray], Mask]
"""Which of some times (ms since Monday, 6 January 2025) carry a load."""


def on_sunday_night(times: np.ndarray) -> Mask:
    hours = times / DAY_MS * 24 % 24
    return np.asarray((times // DAY_MS % 7 == 6) & (hours >= 3) & (hours < 5))


def at_month_end(times: np.ndarray) -> Mask:
    days = (times + MONDAY_MS).astype("datetime64[ms]").astype("datetime64[D]")
    return np.asarray((days + 1).astype("datetime64[M]") != days.astype("datetime64[M]"))


def alarming_days(days: int, on: On, seed: int, changed: dict[int, float]) -> list[int]:
    """Days with an alarm of a series of five-minute values whose load is five-fold at times; `changed` are days with another."""
    times = np.arange(0, days * DAY_MS, 5 * MINUTE_MS)
    loads = np.where(on(times), 5.0, 1.0)
    for day, load in changed.items():
        usual = on(times) if on(times)[times // DAY_MS == day].any() else times % DAY_MS < DAY_MS // 12
        loads[usual & (times // DAY_MS == day)] = load
    values = 100 * loads * (1 + 0.1 * np.random.default_rng(seed).standard_normal(len(times)))
    bank = NumericBank()
    said = bank.judge_many(np.full(len(times), bank.add()), times + MONDAY_MS, values)
    return sorted(set((times[said["anomalous"]] // DAY_MS).tolist()))


def test_a_weekly_load_alarms_until_it_has_come_twice_and_seldom_after() -> None:
    sundays = np.arange(6, 84, 7)
    found = [alarming_days(84, on_sunday_night, seed, {}) for seed in SEEDS]
    assert all(sundays[1] in days for days in found)
    later = [day for days in found for day in days if day > sundays[3]]
    assert len(later) <= 0.25 * len(SEEDS) * len(sundays[4:])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("day", "load"), [(58, 5.0), (62, 10.0), (62, 1.0)], ids=["on another day", "twice the size", "left out"]
)
def test_what_breaks_a_weekly_load_alarms(seed: int, day: int, load: float) -> None:
    assert day in alarming_days(70, on_sunday_night, seed, {day: load})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_load_at_the_end_of_each_month_hardly_alarms_from_the_third_time_on(seed: int) -> None:
    found = [day for day in alarming_days(300, at_month_end, seed, {}) if day > 100]
    assert len(found) <= 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("day", "load"), [(220, 3.0), (267, 10.0)], ids=["mid-month", "twice the size"])
def test_what_breaks_a_load_at_the_end_of_each_month_alarms(seed: int, day: int, load: float) -> None:
    assert day in alarming_days(280, at_month_end, seed, {day: load})
