"""The network between a worker and the broker loses every packet, in both directions or in one; nothing is lost or doubled."""

import time
from collections.abc import Iterator

import pytest

from stream.testing.apache_kafka import ApacheKafka
from tests.faults.conftest import Convene
from tests.faults.court import Court, wait_until
from tests.faults.link import Link, laid

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]
CUT_S = 8.0
LONG_CUT_S = 45.0
WAYS = {
    "both_ways": {"to_worker": True, "to_broker": True},
    "on_the_way_to_the_worker": {"to_worker": True, "to_broker": False},
    "on_the_way_to_the_broker": {"to_worker": False, "to_broker": True},
}


@pytest.fixture
def link() -> Iterator[Link]:
    with laid() as link:
        yield link


@pytest.fixture
def far(link: Link, convene: Convene) -> Iterator[Court]:
    """A court whose broker listens at the near end of the link."""
    with ApacheKafka(host=link.near) as kafka:
        court = convene(kafka.bootstrap_servers)
        yield court
        court.deployment.close()


@pytest.mark.parametrize("way", list(WAYS))
def test_packets_are_lost_between_one_of_two_workers_and_the_broker(far: Court, link: Link, way: str):
    far.judge.publish(far.story.chapter(0))
    cut_off = far.supervise(program=link.program)
    staying = far.supervise()
    cut_off.workers[0].wait_for("worker.ready")
    staying.workers[0].wait_for("worker.ready")
    before = len(staying.workers[0].logged("partitions.assigned"))
    with far.judge.publishing(far.story.chapter(1) + far.story.chapter(2), over_s=12.0):
        time.sleep(far.chance.uniform(0.5, 2.0))
        link.cut(**WAYS[way])
        staying.workers[0].wait_for("partitions.assigned", before + 1)
        time.sleep(CUT_S)
        link.mend()
    far.conclude(cut_off, staying)


def test_a_network_that_stays_cut_shows_in_readiness_and_stops_the_worker(far: Court, link: Link):
    far.judge.publish(far.story.chapter(0))
    workers = far.supervise(program=link.program)
    first = workers.workers[0]
    first.wait_for("worker.ready")
    with far.judge.publishing(far.story.chapter(1), over_s=4.0):
        time.sleep(1.0)
        link.cut()
        wait_until(lambda: unready(link, first.port), "the worker says that it is not ready", 60)
        workers.keep_on(lambda: bool(workers.exits), LONG_CUT_S + 30, "the worker ends itself")
        link.mend()
    far.conclude(workers)


def unready(link: Link, port: int) -> bool:
    said = link.read(f"http://127.0.0.1:{port}/readyz")
    return "Kafka does not answer" in said
