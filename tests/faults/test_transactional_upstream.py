"""A publisher that uses transactions, and aborts some: what it took back is not counted, and commits go on."""

import pytest
from confluent_kafka import Producer

from tests.faults.conftest import Convene
from tests.faults.court import Court, killed
from tests.faults.story import Told
from tests.faults.topic_log import committed_offsets, read_log

pytestmark = pytest.mark.needs_apache
TRANSACTION_RECORDS = 50


def test_aborted_records_are_never_counted_and_markers_hold_up_no_commit(kafka: str, convene: Convene):
    court = convene(kafka, chapters=3)
    court.judge.publish(court.story.chapter(0))
    first = court.deployment.start()
    publish_in_transactions(court, court.story.chapter(1))
    first.wait_for("shard.loaded")
    killed(first)
    publish_in_transactions(court, court.story.chapter(2))
    court.conclude(court.supervise())
    topic = court.deployment.topic("events")
    committed = committed_offsets(kafka, court.deployment.config.name, topic)
    assert all(committed[it.partition] > it.offset for it in read_log(kafka, topic))


def publish_in_transactions(court: Court, told: list[Told]) -> None:
    """Publish records in small transactions, with an aborted one, of records that look just as good, after each."""
    servers = court.deployment.bootstrap_servers
    producer = Producer(
        {"bootstrap.servers": servers, "transactional.id": court.deployment.name, "linger.ms": 1}
    )
    producer.init_transactions(30)
    for start in range(0, len(told), TRANSACTION_RECORDS):
        part = told[start : start + TRANSACTION_RECORDS]
        for aborted in (False, True):
            producer.begin_transaction()
            for partition, value in part:
                taken_back = value.replace(b'"pipeline": "', b'"pipeline": "aborted-') if aborted else value
                producer.produce(court.deployment.topic("events"), taken_back, partition=partition)
            if aborted:
                producer.flush(30)
                producer.abort_transaction(30)
            else:
                producer.commit_transaction(30)
        court.judge.owe(part)
