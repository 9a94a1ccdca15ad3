"""Which series could lose half unseen, and which setting shows it."""

import numpy as np
import pytest

from detectors.settings import SeriesSettings
from stream.trial.blindness import Sight, candidate, sight
from stream.trial.samples import Points

HOUR_MS = 3_600_000
START_MS = 1_760_000_000_000


def runs(spread: float, count: int = 400) -> Points:
    """Log-normal amounts, one an hour."""
    rng = np.random.default_rng(7)
    times = START_MS + HOUR_MS * np.arange(count)
    return Points(times, 1000 * np.exp(spread * rng.standard_normal(count)))


def test_a_calm_series_sees_a_loss_by_half_and_a_wild_one_does_not():
    assert sight("volume", runs(0.05), SeriesSettings()).share > 0.9
    wild = sight("volume", runs(0.6), SeriesSettings())
    assert wild == Sight(400, 0.0)
    assert wild.is_blind


def test_a_latency_has_to_see_a_doubling():
    up = SeriesSettings(direction="up")
    assert sight("latency", runs(0.05), up).share > 0.9
    assert sight("latency", runs(0.6), up).is_blind


def test_few_samples_are_not_called_blind():
    found = sight("volume", runs(0.6, 29), SeriesSettings())
    assert (found.samples, found.is_blind) == (29, False)


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        (SeriesSettings(direction="up"), "direction", "both"),
        (SeriesSettings(min_effect=0.8), "min_effect", "20%"),
        (SeriesSettings(min_volume=5000.0), "min_volume", 0),
    ],
)
def test_the_setting_that_hides_a_loss_is_named(settings: SeriesSettings, key: str, value: str | int):
    assert sight("volume", runs(0.05), settings).is_blind
    found = candidate("volume", runs(0.05), settings)
    assert found is not None
    assert (found[0].key, found[0].value) == (key, value)
    assert found[1].share > 0.9


def test_nothing_helps_what_is_too_wild():
    assert candidate("volume", runs(1.5), SeriesSettings()) is None
