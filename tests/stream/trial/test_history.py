"""What Kafka retains is read from a time on, up to the end as it was, and no further."""

import time
from collections import defaultdict

import pytest
from confluent_kafka import Producer

from stream.backtest import Place
from stream.config.kafka import PROMISED
from stream.exits import Exit, Refused
from stream.testing.topics import TopicMaker
from stream.trial.history import History, Since

START_MS = int(time.time() * 1000) - 100_000


def history(kafka: str, *wanted: Since) -> History:
    properties = {**PROMISED["consumer"], "bootstrap.servers": kafka, "group.id": "history"}
    return History(properties, wanted, {})


def produce(kafka: str, topic: str, records: dict[int, range], **more: str) -> None:
    """Numbers to partitions, each a second later than the one before it."""
    producer = Producer({"bootstrap.servers": kafka, **more})
    if more:
        producer.init_transactions()
        producer.begin_transaction()
    for partition, numbers in records.items():
        for number in numbers:
            producer.produce(
                topic, str(number).encode(), partition=partition, timestamp=START_MS + number * 1000
            )
    if more:
        producer.commit_transaction()
    assert producer.flush(30) == 0


def read(of: History) -> tuple[dict[Place, list[int]], list[Place]]:
    """The numbers by partition, and the partitions in the order of their ends."""
    found: dict[Place, list[int]] = defaultdict(list)
    ended = []
    for stretch in of.stretches():
        if stretch.columns is not None:
            found[stretch.place] += [int(value or b"") for value in stretch.columns.values]
            assert stretch.next_offset == stretch.columns.offsets[-1] + 1
        if stretch.last:
            ended.append(stretch.place)
    return dict(found), ended


def test_everything_is_read_or_what_came_since_a_time(kafka: str, make_topic: TopicMaker):
    topic = make_topic(partitions=3)
    produce(kafka, topic, {0: range(50), 1: range(20)})
    whole = history(kafka, Since(topic, 0))
    assert (whole.partitions, whole.records) == ({topic: 3}, 70)
    found, ended = read(whole)
    assert found == {Place(topic, 0): list(range(50)), Place(topic, 1): list(range(20))}
    assert sorted(ended) == [Place(topic, number) for number in range(3)]
    part, ended = read(history(kafka, Since(topic, START_MS + 20_000)))
    assert part == {Place(topic, 0): list(range(20, 50))}
    assert sorted(ended) == [Place(topic, number) for number in range(3)]


def test_reading_ends_where_the_end_was_whatever_came_since(kafka: str, make_topic: TopicMaker):
    topics = [make_topic(partitions=1) for _ in range(2)]
    for topic in topics:
        produce(kafka, topic, {0: range(10)})
    both = history(kafka, *(Since(topic, 0) for topic in topics))
    produce(kafka, topics[0], {0: range(10, 15)})
    for _ in range(2):
        found, ended = read(both)
        assert found == {Place(topic, 0): list(range(10)) for topic in topics}
        assert len(ended) == 2


def test_a_transaction_at_the_end_does_not_keep_it_waiting(kafka: str, make_topic: TopicMaker):
    topic = make_topic(partitions=1)
    produce(kafka, topic, {0: range(5)}, **{"transactional.id": topic})
    found, ended = read(history(kafka, Since(topic, 0)))
    assert found == {Place(topic, 0): list(range(5))}
    assert ended == [Place(topic, 0)]


def test_a_topic_that_is_not_there_is_named(kafka: str):
    with pytest.raises(Refused, match="there is no topic nowhere") as refused:
        history(kafka, Since("nowhere", 0))
    assert refused.value.code == Exit.KAFKA
