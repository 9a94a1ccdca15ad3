"""The simulated platform: the same for the same seed, quiet in its history, and wrong where it means to be."""

from stream import simulation
from stream.simulation import DAY_MS, MISSING

NOW_MS = 1_780_000_000_000


def test_the_history_is_a_function_of_its_seed() -> None:
    assert simulation.history(NOW_MS, 3, NOW_MS + 1000) == simulation.history(NOW_MS, 3, NOW_MS + 1000)
    assert simulation.history(NOW_MS, 3, NOW_MS + 1000) != simulation.history(
        NOW_MS, 3, NOW_MS + 1000, seed=8
    )


def test_the_history_ends_before_now_in_the_order_of_time() -> None:
    times = [event["time"] for event in simulation.history(NOW_MS, 14, NOW_MS + 20_000)]
    assert times == sorted(times)
    assert times[-1] <= NOW_MS
    assert times[0] < NOW_MS - 13 * DAY_MS


def test_every_run_starts_and_ends() -> None:
    events = simulation.history(NOW_MS, 2, NOW_MS + 20_000)
    started = [event["run_id"] for event in events if event["state"] == "started"]
    ended = [event["run_id"] for event in events if event["state"] == "succeeded"]
    assert sorted(started) == sorted(ended)
    assert len(started) == len(set(started))


def test_the_missing_pipeline_has_been_still_for_longer_than_its_interval() -> None:
    events = simulation.history(NOW_MS, 14, NOW_MS + 20_000)
    last_ms = max(event["time"] for event in events if event["pipeline"] == MISSING.name)
    assert NOW_MS - last_ms > MISSING.interval_ms
