"""Alerts as a subscriber sees them: read from the alert topic, with the time of arrival."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition


class Alert(NamedTuple):
    """What is needed of an alert, and when it arrived."""

    event_id: str
    kind: str
    pipeline: str
    updated_ms: int
    arrived_ms: float


def alerts(servers: str, topic: str, silence_s: float, seconds_max: float = 600.0) -> Iterator[Alert]:
    """All alerts from the first on, until none came for so long, or so much time has passed."""
    for document in documents(servers, topic, silence_s, seconds_max):
        yield read(document, time.time() * 1000)


def documents(
    servers: str, topic: str, silence_s: float, seconds_max: float = 600.0
) -> Iterator[dict[str, Any]]:
    """The same as they stand on the topic."""
    deadline = time.monotonic() + seconds_max
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": f"reader-of-{topic}", "fetch.wait.max.ms": 10}
    )
    consumer.assign(
        [
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for number in consumer.list_topics(topic).topics[topic].partitions
        ]
    )
    while time.monotonic() < deadline and (message := consumer.poll(silence_s)) is not None:
        if (value := message.value()) is not None:
            yield msgspec.json.decode(value)
    consumer.close()


def read(document: dict[str, Any], arrived_ms: float) -> Alert:
    """One alert, from its JSON."""
    return Alert(
        document["event_id"],
        document["kind"],
        document["labels"].get("pipeline", ""),
        round(datetime.fromisoformat(document["updated_at"]).timestamp() * 1000),
        arrived_ms,
    )
