"""A recorded topic: run events written to a topic of four partitions, which all advance together in event time."""

import time
from collections.abc import Sequence
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
        send(producer, topic, values)
    if left := producer.flush(DELIVERY_TIMEOUT_S):
        raise RuntimeError(f"{left} of {shape.events} events were not delivered")


def send(producer: Producer, topic: str, values: Sequence[bytes], first: int = 0) -> None:
    """Hand events to the producer, round robin from partition `first` on, waiting while its queue is full."""
    waiting = [
        {"value": value, "partition": number % PARTITIONS} for number, value in enumerate(values, first)
    ]
    while waiting:
        producer.produce_batch(topic, waiting)
        waiting = [message for message in waiting if message.pop("_error", None)]
        producer.poll(0.05 if waiting else 0)
