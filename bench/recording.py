"""A recorded topic: run events written to a topic of four partitions, which all advance together in event time."""

import time
from contextlib import suppress
from typing import Final

from confluent_kafka import Producer

from bench.run_events import Shape, blocks
from stream.testing.topics import TopicMaker

PARTITIONS: Final = 4
DELIVERY_TIMEOUT_S: Final = 300.0


def record(servers: str, topics: TopicMaker, shape: Shape) -> str:
    """Make a topic, fill it with events whose times end now, and return its name."""
    topic = topics(PARTITIONS, stem="run-events")
    write(servers, topic, shape, int(time.time() * 1000))
    return topic


def write(servers: str, topic: str, shape: Shape, end_ms: int) -> None:
    """Write events to an existing topic, round robin over its partitions."""
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    for values in blocks(shape, end_ms):
        for number, value in enumerate(values):
            send(producer, topic, value, number % PARTITIONS)
        producer.poll(0)
    if left := producer.flush(DELIVERY_TIMEOUT_S):
        raise RuntimeError(f"{left} of {shape.events} events were not delivered")


def send(producer: Producer, topic: str, value: bytes, partition: int) -> None:
    """Hand one event to the producer, waiting while its queue is full."""
    while True:
        with suppress(BufferError):
            producer.produce(topic, value, partition=partition)
            return
        producer.poll(0.1)
