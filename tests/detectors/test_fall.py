"""A fall that lasts is told within some samples, in the first days of a series too, and noise makes none."""

import numpy as np
import numpy.typing as npt
import pytest

from detectors.numeric import Direction, NumericBank

Floats = npt.NDArray[np.float64]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SERIES = 20
OUTAGES = {"total": 0.0, "by four fifths": 0.2}


def noise(name: str, size: tuple[int, int], seed: int) -> Floats:
    """Of standard deviation 1."""
    random = np.random.default_rng(seed)
    if name == "normal":
        return random.standard_normal(size)
    return np.asarray(random.standard_t(3, size) / np.sqrt(3))


def judged(times_ms: np.ndarray, values: Floats, direction: Direction = Direction.BOTH) -> np.ndarray:
    """Judgements of several series (columns), each with the same times."""
    bank = NumericBank()
    slots = np.array([bank.add(direction=direction) for _ in range(values.shape[1])])
    said = bank.judge_many(np.tile(slots, len(times_ms)), np.repeat(times_ms, len(slots)), values.ravel())
    return said.reshape(values.shape)


def broken(
    every_ms: int, start_ms: int, left: float, name: str, samples: int, season: float = 0.0
) -> tuple[np.ndarray, Floats]:
    """Times and values, of which the last `samples` are what an outage leaves."""
    at = start_ms // every_ms
    times = np.arange(at + samples) * every_ms
    wave = season * np.sin(2 * np.pi * times / DAY_MS)[:, None]
    values = 100 + wave + 10 * noise(name, (len(times), SERIES), at)
    values[at:] *= left
    return times, values


def told(times_ms: np.ndarray, values: Floats, samples: int) -> float:
    """Share of the series with an alarm in the last samples."""
    return float(judged(times_ms, values)["anomalous"][-samples:].any(axis=0).mean())


@pytest.mark.parametrize("name", ["normal", "t3"])
@pytest.mark.parametrize("left", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize("every_ms", [MINUTE_MS, 5 * MINUTE_MS], ids=["1m", "5m"])
def test_an_outage_is_told_within_eight_samples_from_the_first_day_on(
    every_ms: int, day: int, left: float, name: str
) -> None:
    for hour in (10.5, 20.0):
        start_ms = int((day - 1) * DAY_MS + hour * HOUR_MS)
        assert told(*broken(every_ms, start_ms, left, name, 8), 8) >= 0.95


@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize("every_ms", [MINUTE_MS, 5 * MINUTE_MS], ids=["1m", "5m"])
def test_a_total_outage_of_a_series_with_a_season_that_is_not_known_yet_is_told(
    every_ms: int, day: int
) -> None:
    for hour in (10.0, 14.5, 22.0):
        start_ms = int((day - 1) * DAY_MS + hour * HOUR_MS)
        assert told(*broken(every_ms, start_ms, 0.0, "normal", 8, season=30.0), 8) >= 0.9


@pytest.mark.parametrize("left", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("hours", [10, 30, 55])
def test_an_outage_of_hourly_values_is_told_within_four(hours: int, left: float) -> None:
    assert told(*broken(HOUR_MS, hours * HOUR_MS, left, "normal", 4), 4) >= 0.9


@pytest.mark.parametrize("left", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("days", [8, 12, 20])
def test_an_outage_of_daily_values_is_told_within_three(days: int, left: float) -> None:
    assert told(*broken(DAY_MS, days * DAY_MS, left, "normal", 3), 3) >= 0.9


@pytest.mark.parametrize(
    ("every_ms", "days"), [(5 * MINUTE_MS, 7), (5 * MINUTE_MS, 20)], ids=["days", "weeks"]
)
@pytest.mark.parametrize("left", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_of_a_series_with_heavy_tails_is_told_within_twelve_samples_later_too(
    every_ms: int, days: int, left: float
) -> None:
    assert told(*broken(every_ms, days * DAY_MS + 9 * HOUR_MS, left, "t3", 12), 12) >= 0.9


def test_what_alarms_lies_below_the_limits_with_a_score_at_the_threshold_and_is_rare() -> None:
    times, values = broken(MINUTE_MS, 20 * HOUR_MS, 0.0, "t3", 12)
    said = judged(times, values)[-12:]
    alarming = said[said["anomalous"]]
    assert len(alarming) >= SERIES
    assert (alarming["lower"] > 0.0).all()
    assert (alarming["lower"] <= alarming["expected"]).all()
    assert (alarming["expected"] <= alarming["upper"]).all()
    assert (alarming["score"] >= 4.4).all()
    assert (alarming["p_value"] < 1e-4).all()


def test_the_limits_before_a_sample_say_where_a_fall_goes_on() -> None:
    times, values = broken(MINUTE_MS, 20 * HOUR_MS, 0.0, "normal", 6)
    bank = NumericBank()
    slot = bank.add()
    bank.judge_many(np.full(len(times), slot), times, values[:, 0])
    now_ms, state = int(times[-1]) + MINUTE_MS, bank.dump_blocks()
    lower = bank.limits(slot, now_ms).lower

    def verdict(value: float) -> bool:
        other = NumericBank()
        other.load_blocks(state)
        return other.judge(slot, now_ms, value).anomalous

    assert 0.0 < lower < 100.0
    assert verdict(lower - 1e-6)
    assert not verdict(100.0)


def test_falls_are_left_alone_where_only_rises_count() -> None:
    times, values = broken(5 * MINUTE_MS, 20 * HOUR_MS, 0.0, "normal", 8)
    assert not judged(times, values, Direction.UP)["anomalous"][-8:].any()


def test_a_load_that_is_left_out_on_one_working_day_is_told() -> None:
    times = np.arange(0, 60 * DAY_MS, 5 * MINUTE_MS)
    day, hour = times // DAY_MS, times % DAY_MS / HOUR_MS
    busy = (day % 7 < 5) & (hour >= 8) & (hour < 17)
    values = 100 * np.where(busy, 4, 1) * (1 + 0.1 * np.random.default_rng(1).standard_normal(len(times)))
    said = judged(times, values[:, None])["anomalous"][:, 0]
    left_out = values.copy()
    left_out[busy & (day == 56)] /= 4
    found = judged(times, left_out[:, None])["anomalous"][:, 0]
    assert not said[day == 56].any()
    assert found[(day == 56) & busy].any()
