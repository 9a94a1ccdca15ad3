"""Outbox: every record the worker writes, through one idempotent producer, with its delivery awaited.

Nothing may be acked before what it led to is on the broker, so a write that fails is never only logged: it ends
the worker, and the next one does the work again.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from detectors.outputs import Destination, Output

POLL_S: Final = 0.1
LINGER_MS: Final = 1
FULL_WAIT_S: Final = 0.005


class Record(NamedTuple):
    """One record for a named topic. `partition` None lets Kafka's hash of `key` decide."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class DeliveryError(Exception):
    """A record could not be written: the worker must stop, for going on would lose it."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"a record for topic {topic} could not be written: {reason}")
        self.topic = topic
        self.reason = reason


class Delivery:
    """The broker's answers to a group of records; awaiting it returns when all are stored."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, size: int, failed: Callable[[DeliveryError], None]
    ) -> None:
        self._loop, self._left, self._failed = loop, size, failed
        self._future: asyncio.Future[None] = loop.create_future()
        if not size:
            self._future.set_result(None)

    def __await__(self) -> Any:
        return asyncio.shield(self._future).__await__()

    def done(self) -> bool:
        """Whether every record is stored."""
        return self._future.done()

    def on_stored(self, then: Callable[[], None]) -> None:
        """Have `then()` called in the event loop once every record is stored."""
        self._future.add_done_callback(lambda done: then() if done.exception() is None else None)

    def answered(self, error: KafkaError | None, message: Message) -> None:
        """Called by librdkafka for each record, in the polling thread."""
        if error is not None:
            self._loop.call_soon_threadsafe(self.fail, DeliveryError(message.topic() or "?", error.str()))
            return
        self._left -= 1
        if not self._left:
            self._loop.call_soon_threadsafe(self._complete)

    def fail(self, error: DeliveryError) -> None:
        """Called in the event loop when one of the records is lost."""
        self._failed(error)
        if not self._future.done():
            self._future.set_exception(error)
            self._future.exception()  # told already: asyncio need not say that nobody asked

    def _complete(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class Outbox:
    """Writes outputs to the topics their destinations are mapped to.

    Args:
        properties: of the librdkafka producer; `delivery.timeout.ms` is how long a broker may be away before a
            write has failed.
        topics: the topic of each destination.
        on_failure: told in the event loop of the first record that could not be written.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        topics: Mapping[Destination, str],
        on_failure: Callable[[DeliveryError], None],
    ) -> None:
        self._producer = Producer(
            {"linger.ms": LINGER_MS, **properties, "partitioner": "murmur2_random"},
            logger=logging.getLogger("librdkafka"),
        )
        self._topics = topics
        self._on_failure = on_failure
        self._open = True
        self._poller = threading.Thread(target=self._poll, name="outbox", daemon=True)
        self._poller.start()

    async def deliver(self, outputs: Iterable[Output]) -> None:
        """Write outputs and return when the broker has all of them; raises DeliveryError."""
        await (await self.post(outputs))

    async def post(self, outputs: Iterable[Output]) -> Delivery:
        """Hand outputs to the producer, waiting only while its queue is full; raises DeliveryError."""
        return await self.post_records([self._addressed(output) for output in outputs])

    async def deliver_records(self, records: Sequence[Record]) -> None:
        """As `deliver`, for records that name their topic."""
        await (await self.post_records(records))

    async def post_records(self, records: Sequence[Record]) -> Delivery:
        """As `post`, for records that name their topic."""
        delivery = Delivery(asyncio.get_running_loop(), len(records), self._on_failure)
        for record in records:
            await self._produce(record, delivery)
        return delivery

    def close(self, timeout_s: float) -> None:
        """Stop the polling thread and wait, for so long, for what is still queued."""
        self._open = False
        self._poller.join(POLL_S * 10)
        self._producer.flush(timeout_s)

    def _addressed(self, output: Output) -> Record:
        topic = self._topics[output.destination]
        return Record(topic, output.key, output.value, output.partition, output.headers)

    async def _produce(self, record: Record, delivery: Delivery) -> None:
        options: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        if record.headers:
            options["headers"] = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, on_delivery=delivery.answered, **options
                )
            except BufferError:
                await asyncio.sleep(FULL_WAIT_S)
            except KafkaException as error:
                failure = DeliveryError(record.topic, error.args[0].str())
                delivery.fail(failure)
                raise failure from None
            else:
                return

    def _poll(self) -> None:
        while self._open:
            self._producer.poll(POLL_S)
