"""The records just before an offset, on a real broker: by them the sample of a very fast topic goes on after a restart."""

from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from stream.formats.pace import LOOKBACK
from stream.lookback import Lookback

START_MS = 1_780_000_000_000
RECORDS = LOOKBACK + 500


@pytest.fixture(scope="module")
def topic(kafka: str) -> str:
    name = f"lookback-{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    for made in admin.create_topics([NewTopic(name, 1)]).values():
        made.result(30)
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(RECORDS):
        producer.produce(name, b"{}", partition=0, timestamp=START_MS + number)
    assert producer.flush(30) == 0
    return name


@pytest.mark.parametrize(("offset", "first"), [
    pytest.param(RECORDS, RECORDS - LOOKBACK, id="at the end"),
    pytest.param(RECORDS - 100, RECORDS - 100 - LOOKBACK, id="in the midst"),
    pytest.param(3, 0, id="near the beginning"),
    pytest.param(RECORDS + 7, RECORDS + 7 - LOOKBACK, id="past a hole"),
])  # fmt: skip
def test_the_records_before_an_offset_are_given(kafka: str, topic: str, offset: int, first: int) -> None:
    past = Lookback({"bootstrap.servers": kafka, "group.id": "any"}).past(topic, 0, offset)
    expected = range(first, min(offset, RECORDS))
    assert past.offsets.tolist() == list(expected)
    assert past.times_ms.tolist() == [START_MS + number for number in expected]


def test_what_retention_has_removed_is_left_out(kafka: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for removed in admin.delete_records([TopicPartition(topic, 0, RECORDS - 10)]).values():
        removed.result(30)
    past = Lookback({"bootstrap.servers": kafka, "group.id": "any"}).past(topic, 0, RECORDS)
    assert past.offsets.tolist() == list(range(RECORDS - 10, RECORDS))
