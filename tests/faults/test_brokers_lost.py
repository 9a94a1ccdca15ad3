"""Three brokers, of which some are lost: leaders and the group's coordinator move, and nothing is lost or doubled."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import NewTopic

from stream.exits import Exit
from stream.local_broker import quiet_admin
from stream.testing.apache_kafka import KafkaServer
from stream.testing.apache_kafka_cluster import ApacheKafkaCluster
from tests.faults.administration import delete
from tests.faults.conftest import Convene
from tests.faults.court import Court, wait_until
from tests.faults.supervisor import Supervisor
from tests.integrations.deployment import PATIENCE_S

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]
AWAY_S = 8.0
OUTAGE_S = 36.0
HELD_BACK_S = 20.0
GROWTH_BYTES_MAX = 300 << 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApacheKafkaCluster]:
    with ApacheKafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def three(cluster: ApacheKafkaCluster, convene: Convene) -> Iterator[Court]:
    """A court on three brokers, all of them there again afterwards."""
    yield convene(cluster.bootstrap_servers, copies=3, chapters=6)
    cluster.start()


def test_the_leader_of_a_source_partition_is_killed_and_another_leads(
    three: Court, cluster: ApacheKafkaCluster
):
    at_work = begin(three)
    topic = three.deployment.topic("events")
    lost = cluster.leader(topic, 0)
    lose(three, at_work, [lost], AWAY_S, chapter=1)
    assert cluster.leader(topic, 0) is not lost, "the leader did not move"
    cluster.start()
    three.conclude(at_work)


def test_the_coordinator_of_the_group_is_killed_and_another_takes_over(
    three: Court, cluster: ApacheKafkaCluster
):
    at_work = begin(three)
    lost = cluster.coordinator(three.deployment.config.name)
    lose(three, at_work, [lost], AWAY_S, chapter=1)
    assert cluster.coordinator(three.deployment.config.name) is not lost, "the coordinator did not move"
    cluster.start()
    three.conclude(at_work)


def test_two_of_three_brokers_are_lost_for_longer_than_writes_may_take_and_come_back(
    three: Court, cluster: ApacheKafkaCluster
):
    at_work = begin(three)
    first, second, _ = cluster.nodes.values()
    with three.judge.publishing(three.story.chapter(1), over_s=4.0):
        time.sleep(1.0)
        first.kill()
        second.kill()
        watch(at_work, OUTAGE_S)
        cluster.start()
    assert at_work.exits, "no write failed for want of replicas"
    three.conclude(at_work)


def test_the_brokers_are_restarted_one_after_the_other(three: Court, cluster: ApacheKafkaCluster):
    at_work = begin(three)
    for number, node in enumerate(cluster.nodes.values(), 1):
        lose(three, at_work, [node], 4.0, chapter=number)
        cluster.start()
    three.conclude(at_work)


def test_alerts_that_cannot_be_replicated_hold_the_worker_back_within_bounds_and_then_stop_it(
    three: Court, cluster: ApacheKafkaCluster
):
    topic = three.deployment.config.alerts.topic
    replicate_on(cluster, topic, [1, 2])
    at_work = begin(three)
    first = at_work.workers[0]
    wait_until(lambda: three.lag() == 0 and bool(three.stored()), "the warm-up is read and stored")
    before = most = first.metric("process_resident_memory_bytes")
    cluster.nodes[2].kill()
    lost_s = time.monotonic()
    with three.judge.publishing(three.story.chapter(1) + three.story.chapter(2), over_s=6.0):
        while first.process.poll() is None and time.monotonic() - lost_s < PATIENCE_S:
            most = max(most, first.metric("process_resident_memory_bytes"))
            time.sleep(0.2)
    assert first.process.wait(PATIENCE_S) == Exit.FAIL_STOP, first.log.read_text()[-4000:]
    assert topic in first.stop_reason
    assert time.monotonic() - lost_s > HELD_BACK_S, "it did not wait for the topic to come back"
    assert most - before < GROWTH_BYTES_MAX
    cluster.start()
    three.conclude(at_work)


def replicate_on(cluster: ApacheKafkaCluster, topic: str, nodes: list[int]) -> None:
    """Make an empty topic anew, on these nodes only."""
    admin = quiet_admin(cluster.bootstrap_servers)
    delete(cluster.bootstrap_servers, topic)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, "the topic is gone")
    admin.create_topics([NewTopic(topic, 1, replica_assignment=[nodes])])[topic].result()


def begin(court: Court) -> Supervisor:
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise()
    workers.workers[0].wait_for("worker.ready")
    return workers


def lose(court: Court, workers: Supervisor, lost: list[KafkaServer], away_s: float, chapter: int) -> None:
    """Kill brokers under a worker at work."""
    with court.judge.publishing(court.story.chapter(chapter), over_s=4.0):
        time.sleep(court.chance.uniform(0.5, 2.0))
        for node in lost:
            node.kill()
        watch(workers, away_s)


def watch(workers: Supervisor, for_s: float) -> None:
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        workers.look()
        time.sleep(0.3)
