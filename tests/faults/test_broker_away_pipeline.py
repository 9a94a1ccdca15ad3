"""The only broker is killed or stopped under the product at work, and comes back: nothing is lost or doubled."""

import signal
import time
from collections.abc import Callable

import pytest

from stream.testing.apache_kafka import ApacheKafka
from tests.faults.conftest import Convene
from tests.faults.court import wait_until

pytestmark = pytest.mark.needs_apache
AWAY_S = 8.0
LONG_AWAY_S = 46.0


@pytest.mark.all_faults
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(convene: Convene):
    with ApacheKafka() as kafka:
        outlive(kafka, convene, kafka.kill, AWAY_S)


@pytest.mark.all_faults
def test_a_broker_that_is_restarted_in_order_loses_and_doubles_nothing(convene: Convene):
    with ApacheKafka() as kafka:
        outlive(kafka, convene, kafka.stop, AWAY_S)


@pytest.mark.all_faults
def test_a_broker_that_is_away_for_longer_than_writes_may_take_stops_the_worker_and_loses_nothing(
    convene: Convene,
):
    with ApacheKafka() as kafka:
        exits = outlive(kafka, convene, kafka.kill, LONG_AWAY_S)
    assert any("could not be written" in reason for reason in exits), exits


@pytest.mark.all_faults
def test_a_broker_that_does_not_answer_shows_in_readiness_and_loses_and_doubles_nothing(convene: Convene):
    with ApacheKafka() as kafka:
        court = convene(kafka.bootstrap_servers)
        court.judge.publish(court.story.chapter(0))
        workers = court.supervise()
        worker = workers.workers[0]
        worker.wait_for("worker.ready")
        with court.judge.publishing(court.story.chapter(1), over_s=4.0):
            time.sleep(1.0)
            kafka.send(signal.SIGSTOP)
            wait_until(lambda: "Kafka does not answer" in worker.unready, "it shows in readiness", 60)
            kafka.send(signal.SIGCONT)
        court.conclude(workers)


def outlive(kafka: ApacheKafka, convene: Convene, fall: Callable[[], None], away_s: float) -> list[str]:
    """A worker at work, its broker gone for a while; returns how workers ended meanwhile."""
    court = convene(kafka.bootstrap_servers)
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise()
    workers.workers[0].wait_for("worker.ready")
    with court.judge.publishing(court.story.chapter(1), over_s=4.0):
        time.sleep(court.chance.uniform(0.5, 2.0))
        assert court.lag() > 0, "the worker was not at work"
        fall()
        gone_s = time.monotonic()
        while time.monotonic() - gone_s < away_s:
            workers.look()
            time.sleep(0.3)
        kafka.start()
    court.conclude(workers)
    return workers.exits
