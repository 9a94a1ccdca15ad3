"""The product's workers come, go and are told to stop under load: the work moves, and nothing is done twice or lost."""

import signal
import time

import pytest

from stream.exits import Exit
from tests.faults.court import Court
from tests.faults.readings import read_again


def test_a_worker_told_to_stop_under_load_drains_and_nothing_is_done_twice(court: Court):
    court.judge.publish(court.story.chapter(0))
    for number in (1, 2):
        worker = court.deployment.start()
        worker.wait_for("shard.loaded")
        with court.judge.publishing(court.story.chapter(number), over_s=4.0):
            time.sleep(court.chance.uniform(0.5, 2.0))
            assert worker.end(signal.SIGTERM) == Exit.OK, worker.log.read_text()[-4000:]
        assert court.lag() > 0, "it was not stopped under load"
    verdict = court.conclude(court.supervise())
    assert (read_again(court), verdict.repeated_alerts) == (0, 0)


@pytest.mark.all_faults
def test_workers_added_and_removed_under_load_share_the_work_and_lose_and_double_nothing(court: Court):
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise()
    workers.workers[0].wait_for("worker.ready")
    for number in range(1, 5):
        with court.judge.publishing(court.story.chapter(number), over_s=3.0):
            before, joining = workers.workers[0], court.deployment.start()
            joining.wait_for("partitions.assigned")
            assert before.logged("partitions.assigned"), "the first worker gave nothing up"
            time.sleep(court.chance.uniform(0.2, 1.0))
            assert before.end(signal.SIGTERM) == Exit.OK, before.log.read_text()[-4000:]
            workers.workers = [joining]
    court.conclude(workers)
