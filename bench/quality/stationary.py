"""Stationary simulated series: independent noise of a known tail around a level, with or without a daily season.

Nothing ever happens in them, so that every alarm is a false one. Noise is scaled to a standard deviation of 1, whatever
its tail. A value is 100 + 10 noise, with a season 100 + 30 sin(2 pi hour / 24) + 10 noise; a run (a duration in ms) is
300,000 exp(0.15 noise), in season 300,000 exp(0.3 sin(2 pi hour / 24) + 0.15 noise), so that it is never negative.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

DAY_MS: Final = 86_400_000
START_MS: Final = 1_735_689_600_000
"""2025-01-01T00:00Z."""
TAILS: Final = ("normal", "laplace", "lognormal", "t5", "t3")
LOGNORMAL_SIGMA: Final = 0.5


class Cadence(NamedTuple):
    """How often a sample comes, and whether it measures runs."""

    name: str
    interval_ms: int
    runs: bool = False


CADENCES: Final = (
    Cadence("1m", 60_000),
    Cadence("5m", 300_000),
    Cadence("1h", 3_600_000),
    Cadence("hourly-runs", 3_600_000, runs=True),
    Cadence("daily-runs", DAY_MS, runs=True),
)


def noise(tail: str, size: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Independent noise of mean 0 and standard deviation 1."""
    if tail == "normal":
        return random.standard_normal(size)
    if tail == "laplace":
        return random.laplace(scale=math.sqrt(0.5), size=size)
    if tail == "lognormal":
        sigma = LOGNORMAL_SIGMA
        mean, variance = math.exp(sigma**2 / 2), math.expm1(sigma**2) * math.exp(sigma**2)
        return (random.lognormal(sigma=sigma, size=size) - mean) / math.sqrt(variance)
    freedom = float(tail.removeprefix("t"))
    return random.standard_t(freedom, size) / math.sqrt(freedom / (freedom - 2))


def values(cadence: Cadence, times_ms: Times, draws: Floats, *, season: bool) -> Floats:
    """The samples at some times (rows) of several series (columns) with the given noise."""
    wave = (
        np.sin(2 * np.pi * (times_ms % DAY_MS) / DAY_MS)[:, None] if season else np.zeros((len(times_ms), 1))
    )
    if cadence.runs:
        return np.asarray(300_000 * np.exp(0.3 * wave + 0.15 * draws))
    return np.asarray(100 + 30 * wave + 10 * draws)
