"""The kernels of the model of runs say what its formulas say in plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.numeric import Kind, NumericBank
from tests.detectors.plain_runs import PlainRuns

HOUR_MS = 3_600_000
MONDAY_MS = 1_767_571_200_000
TOLERANCE = 1e-5
"""Products of two numbers in single precision are rounded to single precision in kernels."""


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Runs with a routine, spikes, a lasting change and gaps, none of them a whole number."""
    count = draw(st.integers(1, 160))
    hours = draw(st.sampled_from([0.25, 1.0, 5.0, 24.0, 24.0 * 6]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = MONDAY_MS + np.cumsum(rng.integers(int(0.9 * hours * HOUR_MS), int(1.1 * hours * HOUR_MS), count))
    noise = rng.standard_t(draw(st.sampled_from([3, 30])), count) * draw(st.sampled_from([0.02, 0.1, 0.3]))
    noise[rng.random(count) < draw(st.sampled_from([0.0, 0.03]))] += draw(st.floats(-2, 2))
    noise[draw(st.integers(0, count)) :] += draw(st.sampled_from([0.0, -1.0, 0.5]))
    noise += draw(st.sampled_from([0.0, 0.5])) * np.sin(2 * np.pi * times / (24 * HOUR_MS))
    noise += draw(st.sampled_from([0.0, 1.0])) * ((times // (24 * HOUR_MS) + 3) % 7 >= 5)
    values = np.floor(300_000 * np.exp(np.clip(noise, -5, 5))) + 0.5
    return times.tolist(), values.tolist()


def assert_they_agree(times: list[int], values: list[float]) -> None:
    bank, plain = NumericBank(), PlainRuns()
    said = bank.judge_many(np.full(len(times), bank.add(Kind.RUNS)), times, values)
    for run, (time_ms, value) in enumerate(zip(times, values, strict=True)):
        expected = plain.judge(time_ms, value)
        got = {name: float(said[name][run]) for name in expected._fields}
        for name, wanted in expected._asdict().items():
            assert got[name] == pytest.approx(float(wanted), rel=TOLERANCE, abs=TOLERANCE, nan_ok=True), (
                run,
                name,
            )


@settings(deadline=None, max_examples=80, derandomize=True)
@given(runs=runs())
def test_kernels_and_plain_formulas_agree(runs: tuple[list[int], list[float]]) -> None:
    assert_they_agree(*runs)


@pytest.mark.parametrize("weekend", [1 / 3, 1.0, 4.0])
@pytest.mark.parametrize(("hours", "days"), [(24, 280), (12, 80), (6, 60), (3, 45)])
def test_kernels_and_plain_formulas_agree_on_weeks_that_begin_in_the_afternoon(
    hours: int, days: int, weekend: float
) -> None:
    rng, runs = np.random.default_rng(hours), days * 24 // hours
    times = MONDAY_MS + np.arange(runs) * hours * HOUR_MS + rng.integers(0, HOUR_MS // 3, runs)
    noise = rng.normal(0, 0.08, runs) + rng.choice([0.0, -1.0], runs, p=[0.98, 0.02])
    noise += np.log(weekend) * (((times + 9 * HOUR_MS) // (24 * HOUR_MS) + 3) % 7 >= 5)
    noise[2 * runs // 3 :] += 0.7
    known = rng.random(runs) > 0.03
    values = np.floor(300_000 * np.exp(noise)) + 0.5
    assert_they_agree(times[known].tolist(), values[known].tolist())
