"""The core scorer agrees with the plain version it was designed with, and keeps its promises on awkward series."""

import csv
import importlib.util
import itertools
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import DEEP, LOOSE_SCORE, WARM_UP, Records
from detectors.numeric import Kind, NumericBank
from detectors.numeric_kernels import judge_many
from detectors.numeric_layout import YOUNG_SAMPLES

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SEEN_MS = 14 * DAY_MS
"""From then on routines of the week may lower a score, which the plain version does not know."""
TOLERANCE = 2e-5
"""The plain version keeps its profiles and peaks in double precision: on the NAB series the most is 4e-6."""
ROOT = Path(__file__).parents[2]
RECORDED = sorted((ROOT / "tests" / "fixtures" / "nab").glob("*.csv"))
SHARED = ROOT.parent / "shared"
NAB = sorted((SHARED / "fixtures" / "nab").glob("*/*.csv"))
REFERENCE = SHARED / "reference" / "detector_core.py"


def columns(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    times = [datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp() for row in rows]
    scores = [float(row.get("score", "nan")) for row in rows]
    return np.array(times) * 1000, np.array([float(row["value"]) for row in rows]), np.array(scores)


def judge_all(times_ms: np.ndarray, values: np.ndarray) -> Records:
    bank = NumericBank()
    slot = bank.add()
    return bank.judge_many(np.full(len(values), slot), times_ms, values)


def noisy_day(days: int, every_ms: int = 5 * MINUTE_MS, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(0, days * DAY_MS, every_ms)
    noise = np.random.default_rng(seed).normal(0, 3, len(times))
    return times, 100 + 20 * np.sin(2 * np.pi * times / DAY_MS) + noise


def agree(said: Records, expected: np.ndarray, times_ms: np.ndarray) -> None:
    """Scores are the same, but for those that the weekly routine lowers, and those of falls, which are alarms."""
    got = said["score"]
    fallen = said["anomalous"] & (said["change"] < 0) & (got > expected)
    judged = (np.arange(len(got)) >= WARM_UP) & ~fallen
    young = judged & (times_ms < times_ms[0] + SEEN_MS)
    assert got[young] == pytest.approx(expected[young], rel=TOLERANCE, abs=TOLERANCE)
    same = np.isclose(got, expected, rtol=5e-3, atol=5e-3)
    assert (same | (got < expected))[judged].all()
    assert same[judged].mean() > 0.9


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_scores_are_those_recorded_from_the_plain_version(path: Path) -> None:
    times_ms, values, expected = columns(path)
    agree(judge_all(times_ms, values), expected, times_ms)


def test_there_are_recorded_scores() -> None:
    assert len(RECORDED) == 2


@pytest.mark.skipif(
    not (NAB and REFERENCE.exists()), reason="the shared fixtures are not beside this repository"
)
@pytest.mark.parametrize("path", NAB[::4], ids=lambda path: path.stem)
def test_scores_are_those_of_the_plain_version_itself(path: Path) -> None:
    spec = importlib.util.spec_from_file_location("plain_core", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    times_ms, values, _ = columns(path)
    scorer = plain.Scorer()
    expected = [scorer.update(int(t) // 1000, float(x)) for t, x in zip(times_ms, values, strict=True)]
    agree(judge_all(times_ms, values), np.array(expected), times_ms)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_for_two_weeks_a_sample_is_anomalous_when_its_score_reaches_the_threshold_and_is_upheld_and_always_lies_outside_the_band_then(
    path: Path,
) -> None:
    times_ms, values, _ = columns(path)
    grown = (times_ms >= times_ms[0] + 2 * DAY_MS) & (np.arange(len(times_ms)) >= WARM_UP)
    said, values = judge_all(times_ms, values)[grown], values[grown]
    outside = (values < said["lower"]) | (values > said["upper"])
    assert said["anomalous"].any()
    young = said[times_ms[grown] < times_ms[0] + 14 * DAY_MS]
    assert (young["score"][young["anomalous"]] >= 4.4).all()
    if (
        np.median(np.diff(times_ms)) < HOUR_MS / 4
    ):  # hourly values have to be rare by their own spread as well
        near = (young["score"] >= 2.2).astype(int)
        upheld = np.array([near[max(0, i - 4) : i].sum() >= 2 for i in range(len(young))])
        assert young["anomalous"][upheld & (young["score"] >= 4.4)].all()
    assert (said["score"][said["anomalous"]] >= LOOSE_SCORE).all()
    assert outside[said["anomalous"]].all()
    assert (said["lower"] <= said["expected"]).all()
    assert (said["expected"] <= said["upper"]).all()


def test_at_the_edges_of_the_limits_a_seen_value_is_just_not_or_just_anomalous() -> None:
    times, values = noisy_day(days=20)
    times, values = times[:-6], values[:-6]  # within a block of the routine
    values[:2000] = np.linspace(0, 300, 2000)
    bank = NumericBank()
    slot = bank.add()
    bank.judge_many(np.full(len(values), slot), times, values)
    now_ms = int(times[-1]) + 5 * MINUTE_MS
    expected, lower, upper = bank.limits(slot, now_ms)
    state = bank.dump_blocks()

    def verdict(value: float) -> bool:
        other = NumericBank()
        other.load_blocks(state)
        return other.judge(slot, now_ms, value).anomalous

    assert 0 < lower < expected < upper < 300
    width = upper - lower
    assert not verdict(upper - 1e-6 * width)
    assert verdict(upper + 1e-6 * width)
    assert not verdict(lower + 1e-6 * width)
    assert verdict(lower - 1e-6 * width)


def test_in_its_first_two_days_a_series_has_to_exceed_the_threshold_by_more() -> None:
    times_ms, values, _ = columns(RECORDED[1])
    said = judge_all(times_ms, values)
    age_days = (times_ms - times_ms[0]) / DAY_MS
    first_day, second_day = age_days < 1, (age_days > 1) & (age_days < 2)
    assert (said["anomalous"] <= (said["score"] >= 5.4))[first_day].all()
    assert (said["score"][first_day] >= 4.4).any()
    assert (said["anomalous"] <= (said["score"] >= 4.4))[second_day].all()


def test_limits_change_nothing() -> None:
    times, values = noisy_day(days=3)
    bank = NumericBank()
    slot = bank.add()
    bank.judge_many(np.full(len(values), slot), times, values)
    before = bank.dump_blocks()
    bank.limits(slot, int(times[-1]) + 7 * HOUR_MS)
    assert bank.dump_blocks() == before


def test_a_spike_is_anomalous_and_its_daily_routine_is_not() -> None:
    times, values = noisy_day(days=14)
    said = judge_all(times, values)
    assert said["anomalous"][WARM_UP:].sum() <= 6
    values[-10] += 100
    spiked = judge_all(times, values)
    assert spiked["anomalous"][-10]
    assert spiked["upper"][-10] < values[-10]


def test_a_peak_that_comes_every_night_stops_alarming_and_alarms_at_another_hour() -> None:
    times, values = noisy_day(days=16)
    night = (times % DAY_MS) // (20 * MINUTE_MS) == 3 * 3
    values[night] *= 5
    said = judge_all(times, values)
    by_day = [said["anomalous"][night & (times // DAY_MS == day)].any() for day in range(16)]
    assert not any(by_day[8:])
    noon = len(times) - 12 * 12
    values[noon : noon + 4] *= 5
    assert judge_all(times, values)["anomalous"][noon : noon + 4].any()


def test_one_incident_does_not_move_what_is_expected() -> None:
    times, values = noisy_day(days=10)
    flat = 100 + (values - values.mean()) / 10
    burst = flat.copy()
    burst[-51:-1] *= 10
    quiet, moved = judge_all(times, flat)[-1], judge_all(times, burst)
    assert moved["anomalous"][-51]
    burst_height = 900
    assert moved["expected"][-1] == pytest.approx(quiet["expected"], abs=0.01 * burst_height)


def test_a_lasting_new_level_is_accepted_in_the_end() -> None:
    times = np.arange(0, 30 * DAY_MS, 5 * MINUTE_MS)
    values = 100 + np.random.default_rng(4).normal(0, 3, len(times))
    half = len(times) // 2
    values[half:] += 900
    said = judge_all(times, values)
    last_day = said[-288:]
    assert said["anomalous"][half]
    assert last_day["anomalous"].mean() < 0.01
    assert (last_day["expected"] > 900).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -5.0, 1e12])
def test_a_constant_series_is_quiet_and_its_first_change_is_anomalous(level: float) -> None:
    times = np.arange(0, 3 * DAY_MS, 5 * MINUTE_MS)
    values = np.full(len(times), level)
    values[-1] = level + max(1.0, abs(level))
    said = judge_all(times, values)
    assert not said["anomalous"][:-1].any()
    assert said["anomalous"][-1]


def test_a_series_of_mostly_zeros_does_not_alarm_at_each_one_that_is_not() -> None:
    times = np.arange(0, 14 * DAY_MS, 5 * MINUTE_MS)
    rng = np.random.default_rng(5)
    values = np.where(rng.random(len(times)) < 0.1, rng.poisson(3, len(times)), 0).astype(float)
    said = judge_all(times, values)
    assert said["anomalous"].sum() < 0.02 * (values > 0).sum()


@pytest.mark.parametrize("absurd", [1e300, -1e300, 1.7e308, 5e-324])
def test_an_absurd_value_leaves_finite_state_and_a_working_detector(absurd: float) -> None:
    times, values = noisy_day(days=20)
    values[4500] = absurd
    bank = NumericBank()
    slot = bank.add()
    said = bank.judge_many(np.full(len(values), slot), times, values)
    assert said["anomalous"][4500]
    assert np.isfinite(said["score"]).all()
    for name in DEEP.names or ():
        assert np.isfinite(bank.arrays.deep[bank.arrays.light[slot]["deep"]][name]).all(), name
    assert np.isfinite(said["expected"][1:]).all()


@settings(deadline=None)  # the first example may compile
@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=300),
    steps=st.lists(st.integers(-10 * DAY_MS, 10 * DAY_MS), min_size=1, max_size=20),
)
def test_whatever_comes_in_whatever_order_the_state_stays_finite(
    values: list[float], steps: list[int]
) -> None:
    times = list(itertools.accumulate(itertools.islice(itertools.cycle(steps), len(values))))
    bank = NumericBank()
    slot = bank.add()
    said = bank.judge_many(np.full(len(values), slot), times, values)
    assert np.isfinite(said["score"]).all()
    for name in DEEP.names or ():
        assert np.isfinite(bank.arrays.deep[bank.arrays.light[slot]["deep"]][name]).all(), name


def test_the_compiled_kernels_are_those_of_the_present_sources() -> None:
    assert "judge_many_" in judge_many.__qualname__


def test_beyond_the_range_seen_so_far_a_value_at_the_limits_is_anomalous() -> None:
    durations = 3000 * np.exp(0.12 * np.random.default_rng(1).standard_normal(400))
    times = np.arange(400) * HOUR_MS
    bank = NumericBank()
    slot = bank.add(Kind.RUNS)
    bank.judge_many(np.full(400, slot), times, durations)
    upper = bank.limits(slot, 400 * HOUR_MS).upper
    assert durations.max() < upper < 2 * durations.max()
    assert bank.judge(slot, 400 * HOUR_MS, upper * 1.001).anomalous


def test_the_state_of_a_series_is_at_most_four_kibibytes() -> None:
    assert NumericBank.bytes_light + NumericBank.bytes_deep <= 4096
    assert NumericBank.bytes_light + NumericBank.bytes_young <= 1024


def test_a_series_of_few_samples_takes_at_most_a_kibibyte_and_gives_it_back_for_the_scorers_state() -> None:
    bank = NumericBank()
    slots = [bank.add() for _ in range(1000)]
    for minute in range(YOUNG_SAMPLES):
        bank.judge_many(slots, np.full(1000, minute * MINUTE_MS), np.arange(1000.0))
    assert bank.size_bytes <= 1001 * 1024 + NumericBank.bytes_deep
    for minute in range(YOUNG_SAMPLES, WARM_UP + 1):
        bank.judge_many(slots, np.full(1000, minute * MINUTE_MS), np.arange(1000.0))
    young = bank.size_bytes
    more = [bank.add() for _ in range(1000)]
    bank.judge_many(more, np.zeros(1000), np.arange(1000.0))
    assert bank.size_bytes == young + 1000 * NumericBank.bytes_light


def test_the_ring_of_peaks_is_kept_in_order() -> None:
    times, values = noisy_day(days=20)
    bank = NumericBank()
    slot = bank.add()
    bank.judge_many(np.full(len(values), slot), times, values)
    core = bank.arrays.deep[bank.arrays.light[slot]["deep"]]
    assert sorted(core["ring_order"].tolist()) == list(range(len(core["ring"])))
    assert (np.diff(core["ring"][core["ring_order"]]) >= 0).all()
    assert core["routine"] == pytest.approx(
        (42 * np.quantile(core["ring"].astype(float), 0.66) + 4 * 3) / 46, rel=1e-6
    )
