"""A worker is frozen past its session and thawed: another has taken over, and the late one does no harm."""

import signal
from collections import Counter

from stream.exits import Exit
from tests.faults.counting import expected_alerts
from tests.faults.scenario import PATIENCE_S, Scenario

KEYS = [f"key-{n}" for n in range(100)]


def test_a_worker_frozen_past_its_session_ends_itself_and_the_state_is_exact(scenario: Scenario):
    keys = [KEYS[n * 7 % len(KEYS)] for n in range(200_000)]
    scenario.publish(keys[:100_000])
    frozen = scenario.start(pause_us=30, session_s=3.0, snapshot_interval_s=0.2)
    frozen.wait_for("shard.loaded")
    other = scenario.start(pause_us=30, session_s=3.0, snapshot_interval_s=0.2)
    other.wait_for("partitions.assigned")
    frozen.process.send_signal(signal.SIGSTOP)
    scenario.publish(keys[100_000:])
    other.wait_for("partitions.assigned", 2)
    frozen.process.send_signal(signal.SIGCONT)
    assert frozen.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert "stood still" in str(frozen.logged("worker.stopped")[-1]["reason"])

    scenario.wait_for_counts(Counter(keys))
    assert other.end(signal.SIGTERM) == 0
    assert scenario.counts() == Counter(keys)
    assert set(scenario.alerts()) == expected_alerts(keys)
