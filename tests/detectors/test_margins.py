"""Margins: the share of delays beyond the limit is what the budget allows, whatever the tail."""

import numpy as np
import pytest

from detectors.margins import MARGIN_MS_MIN, limit_of, margins

ALPHA = 0.0027
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("name", "most"), [("exponential", 1.0), ("normal", 0.5), ("t3", 3.0), ("lognormal", 3.5)]
)
@pytest.mark.parametrize("n", [8, 16, 64])
def test_the_realised_share_stays_near_the_budget(name: str, most: float, n: int) -> None:
    rng = np.random.default_rng(n)
    draw = {
        "exponential": lambda size: rng.exponential(1.0, size),
        "normal": lambda size: np.abs(rng.normal(0.0, 1.0, size)),
        "t3": lambda size: np.abs(rng.standard_t(3, size)),
        "lognormal": lambda size: np.exp(rng.normal(0.0, 1.0, size)),
    }[name]
    population = np.sort(draw(400_000))
    limits = [limit_of(np.sort(draw(n)), 0.1, ALPHA) for _ in range(2000)]
    beyond = 1 - np.searchsorted(population, limits) / len(population)
    assert beyond.mean() < most * ALPHA


def test_one_incident_moves_a_limit_little() -> None:
    usual = np.sort(np.random.default_rng(1).exponential(1.0, 32))
    before = limit_of(usual, 0.1, ALPHA)
    with_incident = np.sort(np.append(usual[:-1], 1000.0))
    assert limit_of(with_incident, 0.1, ALPHA) < 2 * before


def test_a_margin_is_five_minutes_at_least_and_beyond_all_but_the_latest_run() -> None:
    punctual = np.zeros(20)
    assert margins(punctual, 24.0 * HOUR_MS, 1 / 30) == (0.0, MARGIN_MS_MIN)
    spread = np.sort(np.concatenate([np.zeros(18), np.array([HOUR_MS, 5.0 * HOUR_MS])]))
    assert margins(spread, 24.0 * HOUR_MS, 1 / 30)[1] >= 1.25 * HOUR_MS
