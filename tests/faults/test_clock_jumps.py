"""The wall clock of a worker jumps: no alert and no state depends on it, and nothing waits for the old time to come again."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from detectors.samples import SampleBatch
from tests.faults.clock import Clock
from tests.faults.court import Court, killed, wait_until
from tests.faults.test_traps import without
from tests.faults.topic_log import read_log
from tests.integrations.deployment import Worker

HOUR_S = 3600
JUMP_MS = 3_000_000
SOON_S = 20.0
SETTLED_S = 4.0
SILENT_S = 6.0
SET_BACK = "ClockError: the wall clock was set back by {} s"


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def test_a_clock_that_jumps_an_hour_forwards_and_backwards_changes_nothing(court: Court, clock: Clock):
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise(env=clock.env)
    workers.workers[0].wait_for("worker.ready")
    for number, ahead_s in enumerate((HOUR_S, -HOUR_S, 0), 1):
        with court.judge.publishing(court.story.chapter(number), over_s=4.0):
            time.sleep(1.0)
            clock.jump_to(ahead_s)
            time.sleep(1.0)
            workers.look()
        time.sleep(1.5)
    court.conclude(workers)
    assert workers.exits == [SET_BACK.format(2 * HOUR_S)]
    jumps_ms = [after - before for before, after in pairwise(wall_clock_ms(court))]
    assert max(jumps_ms) > JUMP_MS, "the clock did not jump forwards"
    assert min(jumps_ms) < -JUMP_MS, "the clock did not jump backwards"


def test_a_worker_whose_clock_is_set_back_while_nothing_comes_is_started_again(court: Court, clock: Clock):
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise(env=clock.env)
    wait_for_idleness(court, workers.workers[0])
    clock.jump_to(-HOUR_S)
    workers.keep_on(lambda: bool(workers.exits), SOON_S, "the worker ends")
    assert workers.exits == [SET_BACK.format(HOUR_S)]
    before = court.committed_samples()
    workers.keep_on(lambda: court.committed_samples() > before, SOON_S, "marks are folded in")
    court.conclude(workers)


@pytest.mark.all_faults
def test_a_worker_that_outlived_a_clock_set_back_would_wait_for_the_old_time(court: Court, clock: Clock):
    court.judge.publish(court.story.chapter(0))
    careless = court.deployment.start(without("clock"), clock.env)
    wait_for_idleness(court, careless)
    assert any(stands_still(court, clock, hours) for hours in range(1, 7)), "without the cure, it goes on"
    killed(careless)
    clock.jump_to(0)
    court.conclude(court.supervise(env=clock.env))


def wait_for_idleness(court: Court, worker: Worker) -> None:
    worker.wait_for("worker.ready")
    wait_until(lambda: court.lag() == 0 and court.committed_samples() > 0, "everything is read")


def stands_still(court: Court, clock: Clock, hours: int) -> bool:
    """Set the clock back by one more hour: whether that fell into a fetch, and no marks are folded in any more."""
    clock.jump_to(-hours * HOUR_S)
    time.sleep(SETTLED_S)
    before = court.committed_samples()
    time.sleep(SILENT_S)
    return court.committed_samples() == before


def wall_clock_ms(court: Court) -> list[int]:
    """The worker's wall clock, as it wrote it into one partition of the samples topic."""
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    return [SampleBatch.from_bytes(it.value or b"").mark.wall_ms for it in log if it.partition == 0]
