"""Reading alerts from a partition that is being made or handed over."""

import pytest
from confluent_kafka import KafkaError

from stream.alert_stream import assign, open_consumer
from stream.testing.mock_kafka import MockKafka, Request

TOPIC = "alerts"


@pytest.mark.parametrize("since_ms", [None, 1])
def test_a_partition_whose_leader_is_being_chosen_is_waited_for(since_ms: int | None) -> None:
    with MockKafka() as kafka:
        kafka.make_topic(TOPIC)
        consumer = open_consumer({"bootstrap.servers": kafka.bootstrap_servers})
        kafka.answer(Request.LIST_OFFSETS, [KafkaError.NOT_LEADER_FOR_PARTITION] * 8)
        assert assign(consumer, TOPIC, since_ms) == 1
        consumer.close()
