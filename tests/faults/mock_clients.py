"""The worker's own clients on a mock cluster, with waits that suit milliseconds, and what is stored there."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from detectors.outputs import Destination
from stream.outbox import DeliveryError, Outbox
from stream.testing.mock_kafka import MockKafka

PATIENCE_S = 20.0
ALERTS, STATE = "alerts", "detect-state"
TOPICS = {Destination.ALERTS: ALERTS, Destination.ANOMALIES: "anomalies", Destination.SAMPLES: "samples"}
QUICK = {
    "retry.backoff.ms": 10,
    "retry.backoff.max.ms": 50,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 100,
    "topic.metadata.refresh.fast.interval.ms": 50,
    "log_level": 0,
}


def producer_properties(kafka: MockKafka, **more: Any) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "delivery.timeout.ms": 30_000,
        **QUICK,
        **more,
    }


def consumer_properties(kafka: MockKafka, **more: Any) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": "streamgauge",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        **QUICK,
        **more,
    }


@contextmanager
def new_outbox(kafka: MockKafka, **properties: Any) -> Iterator[tuple[Outbox, list[DeliveryError]]]:
    """An outbox, and the failures it tells of."""
    failures: list[DeliveryError] = []
    outbox = Outbox(producer_properties(kafka, **properties), TOPICS, failures.append)
    try:
        yield outbox, failures
    finally:
        outbox._producer.purge()
        outbox.close(0.1)


def stored(kafka: MockKafka, topic: str, partition: int = 0) -> list[bytes | None]:
    """The values of all records of a partition."""
    return [value for _, value in entries(kafka, topic, partition)]


def entries(kafka: MockKafka, topic: str, partition: int = 0) -> list[tuple[str, bytes | None]]:
    """Keys and values of all records of a partition."""
    consumer = Consumer(
        consumer_properties(kafka, **{"enable.partition.eof": True}), logger=logging.getLogger("mock")
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[tuple[str, bytes | None]] = []
    deadline = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            error = message.error() if message else None
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return found
            if message is not None and error is None:
                found.append(((message.key() or b"").decode(), message.value()))
    finally:
        consumer.close()
    raise AssertionError(f"{topic}[{partition}] could not be read to its end")


def publish(kafka: MockKafka, topic: str, values: list[bytes], partition: int = 0) -> None:
    producer = Producer(
        {**producer_properties(kafka), "queue.buffering.max.messages": 1_000_000},
        logger=logging.getLogger("mock"),
    )
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(PATIENCE_S) == 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  what it waits for happens in other threads
            await asyncio.sleep(0.01)
