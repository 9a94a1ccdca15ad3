"""The product, killed at random moments and at the worst ones: nothing is lost, doubled or changed."""

import threading
import time

import pytest
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from tests.faults.conftest import Convene
from tests.faults.court import Court, killed, wait_until
from tests.faults.readings import ahead_of_commits, read_again, unfinished_snapshots

STAGES = 5
ATTEMPTS = 15
WORK_S = 2.0


def test_a_worker_killed_at_random_moments_loses_doubles_and_changes_nothing(
    kafka: str, convene: Convene, rounds: int
):
    court = convene(kafka, chapters=rounds, chapter_runs=120)
    court.judge.publish(court.story.chapter(0))
    for number in range(1, rounds + 1):
        worker = court.deployment.start()
        worker.wait_for("shard.loaded", STAGES)
        before = court.samples_published()
        with court.judge.publishing(court.story.chapter(number), over_s=WORK_S):
            await_samples(court, before)
            time.sleep(court.chance.uniform(0, WORK_S))
            killed(worker)
    verdict = court.conclude(court.supervise())
    again = read_again(court)
    print(f"{rounds} kills; {again} records were read again; {verdict}")  # noqa: T201
    assert again > 0, "nothing was done twice, so nothing was tested"


def test_a_worker_killed_while_it_stores_a_snapshot_leaves_one_that_can_be_loaded(
    kafka: str, convene: Convene
):
    court = convene(kafka, chapters=ATTEMPTS, settings={"snapshot_interval": "1s"})
    court.judge.publish(court.story.chapter(0))
    in_snapshot = in_commit = 0
    for number in range(1, ATTEMPTS + 1):
        worker = court.deployment.start()
        worker.wait_for("shard.loaded", STAGES)
        with court.judge.publishing(court.story.chapter(number), over_s=1.5):
            await_chunk(court)
            killed(worker)
        in_snapshot += unfinished_snapshots(court) > 0
        in_commit += ahead_of_commits(court) > 0
        if in_snapshot and in_commit:
            break
    verdict = court.conclude(court.supervise())
    print(f"killed in a snapshot {in_snapshot} times, before its commit {in_commit} times; {verdict}")  # noqa: T201
    assert in_snapshot, "no kill fell between the first chunk and the manifest"
    assert in_commit, "no kill fell between a snapshot and its commit"


@pytest.mark.all_faults
def test_a_worker_killed_during_recovery_is_recovered_by_the_next(court: Court):
    court.judge.publish(court.story.chapter(0))
    court.judge.publish(court.story.chapter(1))
    first = court.deployment.start()
    first.wait_for("shard.loaded", STAGES)
    wait_until(lambda: sum(court.stored().values()) > 0, "a snapshot is stored")
    killed(first)
    in_recovery = 0
    for number in range(2, 5):
        court.judge.publish(court.story.chapter(number))
        worker = court.deployment.start()
        worker.wait_for("partitions.assigned")
        killed(worker)
        in_recovery += len(worker.logged("shard.loaded")) < STAGES
    court.conclude(court.supervise())
    assert in_recovery, "no kill fell before all shards were loaded"


def test_workers_killed_during_a_rebalance_leave_the_work_to_the_others(court: Court):
    court.judge.publish(court.story.chapter(0))
    staying = court.supervise()
    staying.workers[0].wait_for("partitions.assigned")
    in_rebalance = 0
    for number in range(1, 5):
        with court.judge.publishing(court.story.chapter(number), over_s=2.0):
            joining = court.deployment.start()
            joining.wait_for("worker.started")
            time.sleep(court.chance.uniform(0, 0.6))
            victim = court.chance.choice([joining, staying.workers[0]])
            killed(victim)
            in_rebalance += not joining.logged("worker.ready")
            staying.workers = [it for it in (joining, *staying.workers) if it is not victim][:1]
    court.conclude(staying)
    assert in_rebalance, "no kill fell into a rebalance"


def await_samples(court: Court, before: int) -> None:
    """Return when the worker has put out samples beyond those there were before."""
    wait_until(lambda: court.samples_published() > before, "the worker is at work")


def await_chunk(court: Court) -> None:
    """Return as soon as a new record is on the topic of detect's snapshots: a chunk, and its manifest is to follow."""
    topic = court.deployment.config.detect_state_topic
    consumer = Consumer({
        "bootstrap.servers": court.deployment.bootstrap_servers,
        "group.id": "watch",
        "fetch.wait.max.ms": 500,
        "enable.auto.commit": False,
    })  # fmt: skip
    shards = range(court.deployment.config.topics.samples_partitions)
    consumer.assign([TopicPartition(topic, it, OFFSET_END) for it in shards])
    try:
        wait_until(lambda: consumer.poll(1.0) is not None, "a snapshot is stored")
    finally:
        threading.Thread(target=consumer.close).start()
