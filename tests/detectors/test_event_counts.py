"""Run events in a window: a pipeline that sends many is missed when it sends fewer, and noticed when it sends more."""

import random

from detectors.alerts import Alert
from detectors.samples import RunState
from tests.detectors.scripted_log import Event, Pipeline, whole

WINDOW_MS = 300_000
START_MS = 1_780_000_200_000 // WINDOW_MS * WINDOW_MS


def busy(counts: list[int]) -> list[Event]:
    """So many run events in each window after another, evenly spread."""
    return [
        Event(
            START_MS + window * WINDOW_MS + number * WINDOW_MS // count,
            "clicks",
            RunState.SUCCEEDED,
            f"{window}-{number}",
        )
        for window, count in enumerate(counts)
        for number in range(count)
    ]


def ordinary(windows: int, seed: int = 1) -> list[int]:
    rng = random.Random(seed)
    return [round(40 * rng.uniform(0.85, 1.15)) for _ in range(windows)]


def alerts_of(counts: list[int]) -> list[Alert]:
    return Pipeline().run(whole([busy(counts)]))


def of_volume(counts: list[int]) -> list[Alert]:
    return [alert for alert in alerts_of(counts) if alert.kind == "volume"]


def test_a_steady_stream_gives_no_alert() -> None:
    assert of_volume(ordinary(400)) == []


def test_a_window_with_far_fewer_events_is_a_drop_in_volume() -> None:
    (alert, *_) = of_volume([*ordinary(300), 4, 4, *ordinary(3)])
    assert (alert.direction, alert.observed) == ("down", 4.0)
    assert alert.series.labels == {"measure": "events", "pipeline": "clicks"}
    assert alert.window.start.endswith(":00.000Z")


def test_a_window_with_far_more_events_is_a_spike_in_volume() -> None:
    (alert, *_) = of_volume([*ordinary(300), 400, *ordinary(3)])
    assert (alert.direction, alert.observed) == ("up", 400.0)


def test_windows_without_any_event_are_left_to_freshness() -> None:
    kinds = {alert.kind for alert in alerts_of([*ordinary(300), *[0] * 12, *ordinary(3)])}
    assert kinds == {"freshness"}


def test_a_pipeline_that_sends_few_is_not_judged_by_its_windows() -> None:
    assert of_volume([2, 3] * 150 + [8, 1] + [2, 3] * 10) == []
