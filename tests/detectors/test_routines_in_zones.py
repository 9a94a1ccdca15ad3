"""Routines follow the clock of the series' time zone, over daylight saving too."""

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.local_time import local_ms, zone_record
from detectors.numeric import Direction, Kind, NumericBank

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
DAYS = 50
SWITCHES = [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
BEFORE_DAYS = 37
SEEDS = range(1, 6)

Nights = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def nightly_peak(switch: datetime, seed: int) -> Nights:
    """Times, values, days since the switch and hours of a series with a peak at two at night, in Berlin."""
    start_ms = int(switch.timestamp() * 1000) - BEFORE_DAYS * DAY_MS
    times = np.arange(start_ms, start_ms + DAYS * DAY_MS, HOUR_MS)
    zones = zone_record("Europe/Berlin")
    local = np.array([local_ms(zones, 0, int(time_ms)) for time_ms in times])
    hours, days = local % DAY_MS // HOUR_MS, local // DAY_MS - local[0] // DAY_MS - BEFORE_DAYS
    values = (
        100 + 20 * np.sin(2 * np.pi * local / DAY_MS) + np.random.default_rng(seed).normal(0, 3, len(times))
    )
    values[hours == 2] *= 5
    return times, values, days, hours


def alarms(zone: str, switch: datetime, seed: int) -> int:
    """Alarms from midnight to five o'clock in the week from the switch on."""
    times, values, days, hours = nightly_peak(switch, seed)
    bank = NumericBank()
    slot = bank.add(time_zone=zone)
    said = bank.judge_many(np.full(len(times), slot), times, values)
    return int(said["anomalous"][(days >= 0) & (days < 7) & (hours < 5)].sum())


@pytest.mark.parametrize("switch", SWITCHES, ids=["the hour is missing", "the hour comes twice"])
def test_a_nightly_peak_does_not_alarm_over_daylight_saving_in_its_zone_and_does_in_utc(
    switch: datetime,
) -> None:
    here, utc = ([alarms(zone, switch, seed) for seed in SEEDS] for zone in ("Europe/Berlin", "UTC"))
    assert sum(here) <= 5
    assert min(utc) >= 6


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("zone", ["Etc/GMT-2", "Etc/GMT+11", "Asia/Kathmandu"])
def test_a_zone_without_daylight_saving_judges_as_utc_does_when_the_clock_is_shifted(
    kind: Kind, zone: str
) -> None:
    rng = np.random.default_rng(3)
    times = 1_700_000_000_000 + np.arange(3000) * 13 * 60_000
    values = np.exp(rng.normal(5, 0.2, len(times)) + np.sin(2 * np.pi * times / DAY_MS))
    offset_ms = local_ms(zone_record(zone), 0, int(times[0])) - int(times[0])
    here, shifted = NumericBank(), NumericBank()
    said = here.judge_many(np.full(len(times), here.add(kind, time_zone=zone)), times, values)
    same = shifted.judge_many(np.full(len(times), shifted.add(kind)), times + offset_ms, values)
    assert offset_ms != 0
    assert (said["since_ms"] + offset_ms == same["since_ms"]).all()
    for name in set(said.dtype.names or ()) - {"since_ms"}:
        assert np.array_equal(said[name], same[name], equal_nan=name != "anomalous"), name
    now_ms = int(times[-1]) + 9 * HOUR_MS
    assert here.limits(0, now_ms) == shifted.limits(0, now_ms + offset_ms)


def test_a_series_whose_zone_is_changed_keeps_what_it_has_learned() -> None:
    times, values, days, hours = nightly_peak(SWITCHES[0], 1)
    bank = NumericBank()
    slot = bank.add()
    before = len(times) // 2
    bank.judge_many(np.full(before, slot), times[:before], values[:before])
    bank.configure(
        slot, direction=Direction.BOTH, false_alarms_per_day=1 / 30, min_effect=0.0, time_zone="Asia/Tokyo"
    )
    said = bank.judge_many(np.full(len(times) - before, slot), times[before:], values[before:])
    assert said["n"][0] == before
    assert not said["warming"].any()
    assert said["anomalous"][(days[before:] > 8) & (hours[before:] < 5)].sum() <= 2
