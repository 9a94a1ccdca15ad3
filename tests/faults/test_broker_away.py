"""The broker goes away under a working worker: it waits, or ends and is started again, and nothing is lost."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from stream.exits import Exit
from stream.testing.apache_kafka import ApacheKafka
from tests.faults.counting import expected_alerts
from tests.faults.scenario import PATIENCE_S, Scenario, Worker, new_scenario

pytestmark = pytest.mark.needs_apache
AWAY_S = 5.0
PAUSE_US = 20
"""Slow enough to be met at work."""
KEYS = [f"key-{n}" for n in range(100)]


def test_a_worker_survives_a_broker_that_is_killed_and_comes_back(tmp_path: Path):
    with ApacheKafka() as kafka, new_scenario(kafka.bootstrap_servers, tmp_path) as scenario:
        check(kafka, scenario)


def check(kafka: ApacheKafka, scenario: Scenario) -> None:
    keys = [KEYS[n * 7 % len(KEYS)] for n in range(150_000)]
    scenario.publish(keys)
    worker = scenario.start(pause_us=PAUSE_US, snapshot_interval_s=0.2)
    worker.wait_for("shard.loaded")
    scenario.wait_for_progress(0)
    assert 0 < scenario.counts().total() < len(keys), "the broker was not killed under a worker at work"
    kafka.kill()
    time.sleep(AWAY_S)
    kafka.start()
    worker = until_done(scenario, worker, Counter(keys))
    assert worker.end(signal.SIGTERM) == 0
    assert scenario.lag() == 0
    assert scenario.counts() == Counter(keys)
    assert set(scenario.alerts()) == expected_alerts(keys)


def until_done(scenario: Scenario, worker: Worker, expected: Counter[str]) -> Worker:
    """Start a new worker whenever one has ended itself, as a supervisor would."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while scenario.counts().total() < expected.total() and time.monotonic() < deadline:
        if (code := worker.process.poll()) is not None:
            assert code in {Exit.FAIL_STOP, Exit.KAFKA}
            worker = scenario.start(snapshot_interval_s=0.2)
        time.sleep(0.5)
    return worker
