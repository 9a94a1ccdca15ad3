"""A worker is killed at random moments while it works off a backlog; nothing is lost, doubled or changed."""

import random
import signal
import time
from collections import Counter

from tests.faults.counting import EVERY, expected_alerts
from tests.faults.scenario import Scenario

KEYS = [f"key-{n}" for n in range(300)]


def test_state_and_alerts_are_exact_after_kills_at_random_moments(scenario: Scenario):
    chance = random.Random(1)
    keys = chance.choices(KEYS, k=600_000)
    scenario.publish(keys)
    expected = Counter(keys)

    for number in range(4):
        before = scenario.counts().total()
        worker = scenario.start(snapshot_interval_s=0.2, pause_us=30, session_s=3.0)
        worker.wait_for("shard.loaded")
        if number % 2 == 0:
            scenario.wait_for_progress(before)
        time.sleep(chance.uniform(0.0, 1.0))
        assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    assert 0 < scenario.counts().total() < expected.total(), "the kills did not hit a worker at work"

    last = scenario.start()
    scenario.wait_for_counts(expected)
    assert last.end(signal.SIGTERM) == 0
    assert scenario.counts() == expected
    alerts = scenario.alerts()
    assert set(alerts) == expected_alerts(keys)
    assert scenario.lag() == 0


def test_a_repeated_alert_has_the_same_bytes(scenario: Scenario):
    keys = [KEYS[n % 3] for n in range(60_000)]
    scenario.publish(keys)
    worker = scenario.start(snapshot_interval_s=3600)
    deadline = time.monotonic() + 60
    while len(scenario.alerts()) < len(keys) // EVERY and time.monotonic() < deadline:
        time.sleep(0.2)
    assert worker.end(signal.SIGKILL) == -signal.SIGKILL

    scenario.start()
    scenario.wait_for_counts(Counter(keys))
    assert scenario.workers[-1].end(signal.SIGTERM) == 0
    alerts = Counter(scenario.alerts())
    assert set(alerts) == expected_alerts(keys)
    assert max(alerts.values()) > 1, "nothing was repeated, so nothing was tested"
