"""The course: one Apache Kafka for a whole run, and the recorded topic that contenders read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from confluent_kafka import Consumer, TopicPartition
from rich.console import Console

from bench.recording import record
from bench.run_events import Shape
from stream.local_broker import quiet_admin
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.topics import TopicMaker

WARM_UP_SHARE: Final = 0.2
BROKER_HEAP_MB: Final = 1024
BROKER: Final = {
    "log.segment.delete.delay.ms": "1000",
    # Long enough for two threads or workers that start together to join as one.
    "group.initial.rebalance.delay.ms": "1000",
}
COORDINATOR_TIMEOUT_S: Final = 60.0

console: Final = Console(highlight=False)


class Unable(Exception):
    """Something could not be measured; says why."""


@dataclass(frozen=True)
class Outcome:
    """What one contender did in one round: so many events, after its warm-up, in so many seconds.

    `early_rate` is events per second in the warm-up, where it is known.
    """

    events: int
    seconds: float
    did: str
    early_rate: float | None = None

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


@dataclass(frozen=True)
class Bed:
    """A broker that benchmarks run on."""

    servers: str
    topics: TopicMaker

    @contextmanager
    def recorded(self, shape: Shape) -> Iterator["Course"]:
        """A topic filled with such events, deleted in the end."""
        began = time.monotonic()
        topic = record(self.servers, self.topics, shape)
        console.print(f"recorded {shape} in {time.monotonic() - began:.0f} s")
        try:
            yield Course(self, topic, shape.events)
        finally:
            self.topics.delete([topic])

    def delete_like(self, part: str) -> None:
        """Delete every topic that has this in its name, but the one of that very name."""
        names = quiet_admin(self.servers).list_topics(timeout=30).topics
        self.topics.delete(name for name in names if part in name and name != part)


def warm_up_of(events: int) -> int:
    """How many of so many events warm up."""
    return int(events * WARM_UP_SHARE)


@dataclass(frozen=True)
class Course:
    """A recorded topic on a bed."""

    bed: Bed
    topic: str
    events: int
    warm_up_min: int = 0

    def cut(self, events_max: int | None) -> "Course":
        """The same topic, of which no more than so many events are read."""
        return replace(self, events=min(self.events, events_max or self.events))

    @property
    def warm_up(self) -> int:
        """How many events are read before the clock starts."""
        return max(self.warm_up_min, warm_up_of(self.events))


@contextmanager
def bed() -> Iterator[Bed]:
    """Apache Kafka, started for this run."""
    with ApacheKafka(BROKER, heap_mb=BROKER_HEAP_MB) as kafka:
        console.print(f"{kafka.name} on {kafka.bootstrap_servers}, heap {BROKER_HEAP_MB} MB")
        topics = TopicMaker(kafka.bootstrap_servers)
        _wake_coordinator(kafka.bootstrap_servers, topics(1, stem="first"))
        yield Bed(kafka.bootstrap_servers, topics)


def _wake_coordinator(servers: str, topic: str) -> None:
    """Have the broker make its topic of group offsets, which takes the first group a second or more."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "first", "log_level": 0})
    consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
    consumer.close()
