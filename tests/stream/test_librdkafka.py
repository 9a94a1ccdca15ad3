"""Records come from a real broker as they were produced, without an object for each."""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from stream.config.kafka import PROMISED
from stream.librdkafka import Consumer, Report
from stream.sources import BATCH_RECORDS_MAX, TUNING
from stream.testing.topics import TopicMaker

Place = tuple[str, int]
Record = tuple[int, bytes | None, int]
EOF = KafkaError._PARTITION_EOF
WAIT_S = 0.02
READ_S_MAX = 30.0
MIB = 1 << 20


@contextmanager
def consumer(kafka: str, records_max: int = BATCH_RECORDS_MAX, **more: Any) -> Iterator[Consumer]:
    opened = Consumer(
        {**TUNING, **PROMISED["consumer"], "bootstrap.servers": kafka, "group.id": "test", **more},
        records_max,
    )
    yield opened
    opened.close()


def read(opened: Consumer, offsets: dict[Place, int]) -> tuple[dict[Place, list[Record]], list[Report]]:
    """Everything from these offsets to the ends, and all reports."""
    found: dict[Place, list[Record]] = defaultdict(list)
    reports: list[Report] = []
    opened.assign(offsets)
    deadline = time.monotonic() + READ_S_MAX
    while {(it.topic, it.partition) for it in reports if it.error.code() == EOF} < offsets.keys():
        assert time.monotonic() < deadline, "the ends were not reached in time"
        fetched = opened.fetch(WAIT_S)
        reports += fetched.reports
        for place, columns in fetched.columns.items():
            found[place] += zip(
                columns.offsets.tolist(), columns.values, columns.timestamps_ms.tolist(), strict=True
            )
    return found, reports


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_columns_are_what_was_produced(kafka: str, make_topic: TopicMaker, compression: str) -> None:
    rng = random.Random(7)
    topics = [make_topic(partitions=3), make_topic(partitions=1)]
    producer = Producer({"bootstrap.servers": kafka, "compression.type": compression})
    produced: dict[Place, list[Record]] = defaultdict(list)
    for number in range(3_000):
        place = rng.choice([(topics[0], 0), (topics[0], 1), (topics[0], 2), (topics[1], 0)])
        value = rng.choice([None, b"", b"x" * 700_000 if number % 500 == 0 else b"", rng.randbytes(190)])
        time_ms = 1_700_000_000_000 + rng.randrange(1_000_000)
        producer.produce(place[0], value, partition=place[1], timestamp=time_ms)
        produced[place].append((len(produced[place]), value, time_ms))
    producer.flush()
    with consumer(kafka, records_max=500) as opened:
        found, reports = read(opened, dict.fromkeys(produced, 0))
        assert found == produced
        assert {(it.topic, it.partition, it.offset) for it in reports} == {
            (*place, len(records)) for place, records in produced.items()
        }
        later, _ = read(opened, {(topics[1], 0): 100})
        assert later == {(topics[1], 0): produced[topics[1], 0][100:]}


def test_a_partition_that_is_no_longer_assigned_gives_nothing(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic(partitions=2)
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(200):
        producer.produce(topic, b"x", partition=number % 2)
    producer.flush()
    with consumer(kafka) as opened:
        opened.assign({(topic, 0): 0})
        time.sleep(1.0)
        found, _ = read(opened, {(topic, 1): 0})
    assert found.keys() == {(topic, 1)}


def test_records_of_an_aborted_transaction_do_not_come(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic()
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number, partition=0)
        producer.flush()
        if number % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    with consumer(kafka) as opened:
        found, reports = read(opened, {(topic, 0): 0})
    assert [(offset, value) for offset, value, _ in found[topic, 0]] == [(0, b"0"), (4, b"2")]
    assert [it.offset for it in reports] == [8]


def test_an_offset_that_is_not_there_is_reported(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic()
    with consumer(kafka) as opened:
        opened.assign({(topic, 0): 1_000})
        reports: list[Report] = []
        deadline = time.monotonic() + READ_S_MAX
        while not reports and time.monotonic() < deadline:
            reports += opened.fetch(WAIT_S).reports
    assert (reports[0].topic, reports[0].partition) == (topic, 0)
    assert reports[0].error.code() == KafkaError._AUTO_OFFSET_RESET
    assert "out of range" in reports[0].error.str().lower()


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"no.such.property": "1"}, '"no.such.property"'),
        ({"fetch.wait.max.ms": "soon"}, '"fetch.wait.max.ms"'),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere"}, "ssl.ca.location"),
    ],
)
def test_a_property_that_librdkafka_does_not_take_is_named(properties: dict[str, str], said: str) -> None:
    with pytest.raises(KafkaException) as refused:
        Consumer({"group.id": "test", **properties}, 1)
    assert refused.value.args[0].code() == KafkaError._INVALID_ARG
    assert said in refused.value.args[0].str()


def test_what_librdkafka_logs_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "librdkafka"), consumer("127.0.0.1:1", debug="consumer") as opened:
        deadline = time.monotonic() + READ_S_MAX
        while not any("Connection refused" in line for line in caplog.messages):
            assert time.monotonic() < deadline, caplog.messages
            assert opened.fetch(WAIT_S) == ({}, [])
    assert {record.name for record in caplog.records} == {"librdkafka"}
    assert {record.levelno for record in caplog.records} >= {logging.ERROR, logging.DEBUG}
    assert all(" [rdkafka#consumer-" in line for line in caplog.messages)


def test_a_consumer_is_closed_once_and_then_of_no_use() -> None:
    with consumer("127.0.0.1:1") as opened:
        opened.close()
        opened.close()
        with pytest.raises(RuntimeError, match="closed"):
            opened.fetch(0.0)
        with pytest.raises(RuntimeError, match="closed"):
            opened.assign({})


def test_memory_is_given_back(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic()
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(40_000):
        producer.produce(topic, b"x" * 1_000, partition=0)
    producer.flush()
    with consumer(kafka) as opened:
        sizes = []
        for _ in range(16):
            found, _ = read(opened, {(topic, 0): 0})
            assert len(found[topic, 0]) == 40_000
            del found
            sizes.append(resident_bytes())
    assert min(sizes[8:]) - min(sizes[:8]) < 40 * MIB, sizes


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
