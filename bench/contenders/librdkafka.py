"""A confluent-kafka consumer of one topic from its start, tuned for throughput."""

from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from bench.contenders.lap import Task

BATCH_MESSAGES = 10_000


def batches(task: Task) -> Iterator[list[Message]]:
    """Its messages, in lists, for ever."""
    consumer = Consumer(
        {
            "bootstrap.servers": task.servers,
            "group.id": task.group,
            "enable.auto.commit": False,
            # Its default of 1 s stops fetching for that long whenever the queue is full.
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
        }
    )
    partitions = consumer.list_topics(task.topic).topics[task.topic].partitions
    consumer.assign([TopicPartition(task.topic, number, OFFSET_BEGINNING) for number in partitions])
    while True:
        yield consumer.consume(BATCH_MESSAGES, 0.1)
