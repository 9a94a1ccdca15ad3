"""Hour means of metrics: a fall that is in every value within what the noise may do is told by the mean of the hour."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import Alert
from detectors.detect import Detect
from detectors.series import Signal, canonical_labels
from detectors.settings import Settings, Tuning
from detectors.watching import Watch
from tests.detectors.scripted_log import Event, Pipeline, cut, whole

HOUR_MS = 3_600_000
START_MS = 1_780_272_000_000 // HOUR_MS * HOUR_MS
PER_HOUR = 12
SERIES = {"measure": "hourly_mean", "name": "throughput"}


def stream(hours: int, seed: int = 1, per_hour: int = PER_HOUR) -> np.ndarray:
    """A day that ranges over a factor of three, with noise of a tenth."""
    rng = np.random.default_rng(seed)
    at = np.arange(hours * per_hour) / per_hour
    return 1000.0 * np.exp(0.55 * np.cos(2 * np.pi * (at - 14) / 24) + 0.1 * rng.standard_normal(len(at)))


def events(values: np.ndarray, per_hour: int = PER_HOUR) -> list[Event]:
    step_ms = HOUR_MS // per_hour
    return [
        Event(START_MS + number * step_ms, "throughput", value=float(value))
        for number, value in enumerate(values)
        if not math.isnan(value)
    ]


def fallen(first_hour: int, hours: int, share: float, length: int = 24 * 24 + 12) -> np.ndarray:
    values = stream(length)
    values[first_hour * PER_HOUR : (first_hour + hours) * PER_HOUR] *= share
    return values


def alerts_of(values: np.ndarray, tuning: Tuning | None = None) -> list[Alert]:
    pipeline = Pipeline(Settings(defaults=tuning)) if tuning else Pipeline()
    return [it for it in pipeline.run(whole([events(values)])) if it.series.labels == SERIES]


def test_a_third_that_is_missing_for_two_hours_is_told_of_the_hours_alone() -> None:
    values = fallen(20 * 24 + 2, 2, 0.66)
    opened, *_ = alerts_of(values)
    first = values[(20 * 24 + 2) * PER_HOUR : (20 * 24 + 3) * PER_HOUR]
    assert opened.observed == pytest.approx(float(first.mean()))
    assert (opened.kind, opened.direction) == ("value", "down")
    assert opened.transition_reason == "opened: below_range"
    assert opened.window.start == "2026-06-21T02:00:00.000Z"
    assert opened.window.end == "2026-06-21T03:00:00.000Z"
    assert "averaged" in opened.summary
    assert "from 2026-06-21 02:00:00 UTC to 03:00:00 UTC; expected about" in opened.summary


def test_an_ordinary_metric_is_not_told_of_and_neither_is_a_rise() -> None:
    assert alerts_of(stream(24 * 28, seed=2)) == []
    assert [it for it in alerts_of(fallen(20 * 24 + 2, 3, 1.5)) if it.direction == "up"] == []


def test_where_only_rises_count_hours_are_not_followed() -> None:
    assert alerts_of(fallen(20 * 24 + 2, 2, 0.5), Tuning(direction="up")) == []


def followed(values: np.ndarray, per_hour: int = PER_HOUR) -> int:
    """How many hours were judged."""
    detect = Detect(Settings(), 0)
    for offset, payload in enumerate(whole([events(values, per_hour)])):
        detect.step(offset, payload)
    return sum(it.n for it in detect.followed() if dict(it.labels) == SERIES)


def test_an_hour_is_judged_when_it_had_half_of_its_values_and_none_below_zero() -> None:
    values = stream(10)
    assert followed(values) == 8
    values[3 * PER_HOUR : 3 * PER_HOUR + 7] = np.nan
    assert followed(values) == 7
    values[5 * PER_HOUR] = -1.0
    assert followed(values) == 6


@pytest.mark.parametrize(("per_hour", "hours"), [(1, 0), (3, 0), (4, 28), (60, 28)])
def test_only_metrics_that_come_often_have_hours(per_hour: int, hours: int) -> None:
    assert followed(stream(30, per_hour=per_hour), per_hour) == hours


def test_every_hour_is_seen_by_who_watches_it() -> None:
    watch = Watch(Signal.VALUE, canonical_labels(SERIES))
    detect, values = Detect(Settings(), 0, watch), stream(30)
    for offset, payload in enumerate(whole([events(values)])):
        detect.step(offset, payload)
    means = values.reshape(-1, PER_HOUR).mean(axis=1)
    assert [it.value for it in watch.seen] == pytest.approx(means[1:-1].tolist())
    assert [it.time_ms for it in watch.seen] == [START_MS + hour * HOUR_MS for hour in range(2, 30)]


LOG = [events(fallen(20 * 24 + 2, 3, 0.6, 21 * 24))]
WHOLE = Pipeline().run(whole(LOG))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 100))
def test_what_is_told_does_not_depend_on_batches(seed: int) -> None:
    assert Pipeline().run(cut(LOG, seed)) == WHOLE
    assert any(it.series.labels == SERIES for it in WHOLE)
