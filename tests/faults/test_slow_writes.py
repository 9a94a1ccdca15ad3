"""The broker takes writes slowly, and refuses none: nothing is lost, and the worker waits within its bounds and in its group."""

import time

import pytest

from stream.testing.apache_kafka import ApacheKafka
from tests.faults.administration import slow_down_nothing, slow_down_writing
from tests.faults.conftest import Convene
from tests.faults.court import wait_until

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]
BYTES_PER_S = 25_000
SLOW_S = 10.0
GROWTH_BYTES_MAX = 100 << 20


def test_alerts_that_are_written_slowly_come_all_the_same_and_the_worker_stays_in_its_group(convene: Convene):
    with ApacheKafka() as kafka:
        court = convene(kafka.bootstrap_servers)
        court.judge.publish(court.story.chapter(0))
        workers = court.supervise()
        (worker,) = workers.workers
        worker.wait_for("worker.ready")
        wait_until(lambda: court.lag() == 0 and bool(court.stored()), "the warm-up is read and stored")
        before_bytes = worker.peak_bytes
        slow_down_writing(kafka, court.deployment.config.name, BYTES_PER_S)
        for number in range(1, 4):
            court.judge.publish(court.story.chapter(number))
        published_s = time.monotonic()
        wait_until(lambda: court.lag() == 0, "everything is read")
        assert time.monotonic() - published_s > SLOW_S, "writing was not slow"
        assert worker.peak_bytes - before_bytes < GROWTH_BYTES_MAX
        slow_down_nothing(kafka, court.deployment.config.name)
        court.conclude(workers)
        assert workers.exits == []
        assert len(worker.logged("partitions.assigned")) == 1
        court.deployment.close()
