"""What no single sample shows by lying far out: a stuck source, a wider spread, another unit."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import numeric_layout as codes
from detectors.budget import FALSE_ALARMS_PER_DAY
from detectors.core.layout import Records
from detectors.new_unit import FACTORS, factor_of, has_new_unit
from detectors.numeric import Direction, Kind, NumericBank

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_767_571_200_000


def judged(kind: Kind, values: Sequence[float], every_ms: int, **tuning: object) -> Records:
    bank = NumericBank()
    slot = bank.add(kind, **tuning)  # type: ignore[arg-type]
    times = START_MS + np.arange(len(values)) * every_ms
    return bank.judge_many(np.full(len(values), slot), times, np.array(values))


def said(judgements: Records, code: int) -> list[int]:
    """The samples of which it is said."""
    return np.flatnonzero(np.abs(judgements["change"]) == code).tolist()


def around(level: float, deviation: float, n: int, seed: int = 1) -> list[float]:
    return [float(it) for it in np.random.default_rng(seed).normal(level, deviation, n)]


def runs(spread: float, n: int, seed: int = 1) -> list[float]:
    return [float(it) for it in 3e5 * np.exp(np.random.default_rng(seed).normal(0, spread, n))]


def test_a_metric_that_freezes_at_an_ordinary_value_is_told_within_fifteen_samples_until_it_moves() -> None:
    values = [*around(100, 10, 1000), *([103.25] * 100), *around(100, 10, 50, 2)]
    stuck = said(judged(Kind.VALUES, values, MINUTE_MS), codes.STUCK)
    assert 1010 <= stuck[0] <= 1015
    assert stuck[-1] == 1099
    assert len(stuck) == stuck[-1] - stuck[0] + 1


def test_a_run_that_carries_the_same_rows_day_after_day_is_told_with_a_chance_below_its_budget() -> None:
    values = [*map(round, around(120_000, 9000, 60)), *([120_345] * 10)]
    out = judged(Kind.RUNS, values, DAY_MS, min_effect=0.2)
    stuck = said(out, codes.STUCK)
    assert 63 <= stuck[0] <= 68
    assert out["p_value"][stuck[0]] < 0.006
    assert out["lower"][stuck[0]] < 120_345 < out["upper"][stuck[0]]


@pytest.mark.parametrize(
    "values",
    [
        [5.0] * 1500,
        ([7.0] * 300 + [8.0] * 200) * 3,
        np.random.default_rng(1).integers(0, 3, 1500).tolist(),
        np.repeat(np.random.default_rng(2).normal(100, 10, 300), 5).tolist(),
        np.repeat(
            np.random.default_rng(3).normal(100, 10, 400), np.random.default_rng(4).integers(1, 4, 400)
        ).tolist(),
    ],
    ids=["constant", "steps", "small counts", "read five times", "read one to three times"],
)
def test_series_that_often_repeat_themselves_are_not_stuck(values: list[float]) -> None:
    assert said(judged(Kind.VALUES, values, MINUTE_MS), codes.STUCK) == []


def test_spells_that_a_series_is_used_to_are_no_news() -> None:
    values = [value for night in range(14) for value in (*around(100, 10, 200, night), *([42.0] * 30))]
    stuck = said(judged(Kind.VALUES, values, MINUTE_MS), codes.STUCK)
    assert {at // 230 for at in stuck} <= {0, 1, 2}


@pytest.mark.parametrize("seed", range(6))
def test_a_spread_that_doubles_is_told(seed: int) -> None:
    values = [*runs(0.05, 200, seed), *runs(0.12, 80, seed + 50)]
    out = judged(Kind.RUNS, values, HOUR_MS, min_effect=0.2)
    wider = said(out, codes.WIDER)
    assert wider
    assert 200 <= wider[0] < 240


def test_a_spread_that_doubles_within_the_least_effect_does_not_matter() -> None:
    values = [*runs(0.03, 200), *runs(0.06, 80, 50)]
    assert said(judged(Kind.RUNS, values, HOUR_MS, min_effect=0.5), codes.WIDER) == []


NOISES: dict[str, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "t3": lambda rng, n: rng.standard_t(3, size=n),
}


@pytest.mark.parametrize("noise", NOISES)
def test_a_spread_that_stays_is_told_within_its_share_of_the_budget(noise: str) -> None:
    told, series, hours = 0, 20, 2000
    for seed in range(series):
        z = NOISES[noise](np.random.default_rng(seed), hours)
        change = np.abs(judged(Kind.RUNS, (3e5 * np.exp(0.1 * z)).tolist(), HOUR_MS)["change"])
        told += int(np.sum((change[1:] == codes.WIDER) & (change[:-1] == 0)))
    assert told <= 0.2 * series * hours / 24 / 30 + 2


@pytest.mark.parametrize("factor", [60, 1000, 3600])
@pytest.mark.parametrize("direction", [Direction.UP, Direction.BOTH])
def test_durations_that_became_too_small_by_a_unit_are_told_once_as_such_whatever_side_is_watched(
    factor: int, direction: Direction
) -> None:
    values = [*runs(0.05, 60), *(value / factor for value in runs(0.04, 5, 2))]
    out = judged(Kind.RUNS, values, DAY_MS, min_effect=0.2, direction=direction)
    assert said(out, codes.NEW_UNIT) == [61]
    assert out["change"][61] == -codes.NEW_UNIT
    assert out["anomalous"][61:].all()
    assert out["p_value"][61] < 0.5 * FALSE_ALARMS_PER_DAY


def test_one_run_that_is_a_thousand_times_too_fast_is_no_change_of_unit() -> None:
    values = [*runs(0.05, 60), 300.0, *runs(0.05, 10, 2)]
    assert not judged(Kind.RUNS, values, DAY_MS, min_effect=0.2, direction=Direction.UP)["anomalous"].any()


def test_a_metric_in_another_unit_is_told_with_its_second_value() -> None:
    values = [*around(100, 5, 3000), *(value / 1000 for value in around(100, 5, 20, 2))]
    assert said(judged(Kind.VALUES, values, 10 * MINUTE_MS), codes.NEW_UNIT) == [3001]


@settings(deadline=None)
@given(st.sampled_from(FACTORS), st.floats(1e-3, 1e9), st.floats(0.0, 0.08), st.booleans())
def test_a_factor_is_recognised_in_both_directions(
    factor: float, amount: float, noise: float, less: bool
) -> None:
    observed = amount / factor if less else amount * factor
    number = factor_of(observed * math.exp(noise), amount, 0.05)
    assert number == (0 if noise > 0.125 else (FACTORS.index(factor) + 1) * (-1 if less else 1))


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0.0, 1.0))
def test_what_differs_by_less_than_thirty_times_is_in_the_same_unit(
    a: float, b: float, deviation: float
) -> None:
    if abs(a) < 30 * abs(b) and abs(b) < 30 * abs(a):
        assert not has_new_unit(a, a, b, deviation)
