"""The product's workers frozen past their session and thawed: zombies double nothing and change nothing."""

import signal
import time

import pytest

from stream.exits import Exit
from tests.faults.court import Court
from tests.integrations.deployment import PATIENCE_S


@pytest.mark.all_faults
def test_a_worker_frozen_past_its_session_ends_itself_and_doubles_nothing(court: Court):
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise(2)
    frozen, other = workers.workers
    frozen.wait_for("worker.ready")
    other.wait_for("worker.ready")
    with court.judge.publishing(court.story.chapter(1) + court.story.chapter(2), over_s=8.0):
        time.sleep(court.chance.uniform(0.5, 1.5))
        rebalances = len(other.logged("partitions.assigned"))
        frozen.process.send_signal(signal.SIGSTOP)
        other.wait_for("partitions.assigned", rebalances + 1)
        time.sleep(court.chance.uniform(0.0, 2.0))
        frozen.process.send_signal(signal.SIGCONT)
        assert frozen.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert "stood still" in frozen.stop_reason
    court.conclude(workers)
