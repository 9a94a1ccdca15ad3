"""Streamgauge with one of its cures switched off: `python -m tests.faults.uncured TRAP run …`.

A trap's test first shows with this that the trap bites, and then that the cure heals it.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

from confluent_kafka import KafkaError, Message, TopicPartition
from faust.tables.manager import TableManager
from faust.transport.consumer import Consumer as StockConsumer

from stream import faust_app, shard_store, snapshots, worker
from stream.cli import main
from stream.config import kafka as kafka_config
from stream.outbox import Delivery, DeliveryError, Outbox, Record
from stream.shard_store import ShardStore
from stream.snapshots import SnapshotWriter
from stream.sources import Feed
from stream.transport import BatchConsumer


def put(owner: object, name: str, stock: object) -> None:
    """Put what Faust or a careless author would have there in the place of a cure."""
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    setattr(owner, name, stock)


def resume_before_seeking() -> None:
    """P1: Faust's own recovery, which resumes partitions before it seeks them."""
    put(faust_app, "SeekFirstTableManager", TableManager)


def let_agents_die() -> None:
    """P3: what escapes an agent is Faust's to handle: it acks the record and starts the agent anew."""

    def add_agent(app: Any, name: str, topics: tuple[str, ...], consume: Any, _stopper: Any) -> None:
        async def agent(stream: Any) -> None:
            await consume(stream.noack().events())

        raw = {"key_type": None, "value_type": None, "key_serializer": "raw", "value_serializer": "raw"}
        app.agent(app.topic(*topics, **raw), name=name, concurrency=1)(agent)

    put(faust_app, "_add_agent", add_agent)
    put(faust_app, "App", _with_stock_supervisor(faust_app.App))


def _with_stock_supervisor(app: Any) -> Any:
    def build(group: str, **settings: Any) -> Any:
        del settings["agent_supervisor"]
        return app(group, **settings)

    return build


def believe_every_write() -> None:
    """P6: a refused record counts as written."""
    answered = Delivery.answered

    def believing(self: Delivery, _error: KafkaError | None, message: Message) -> None:
        answered(self, None, message)

    def unmoved(self: Delivery, _error: DeliveryError) -> None:
        answered(self, None, cast("Message", None))

    produce = Outbox._produce

    async def careless(self: Outbox, record: Record, delivery: Delivery) -> None:
        with contextlib.suppress(DeliveryError):
            await produce(self, record, delivery)

    put(Delivery, "answered", believing)
    put(Delivery, "fail", unmoved)
    put(Outbox, "_produce", careless)


def read_uncommitted() -> None:
    """P8: records of aborted transactions are read."""
    consumer = kafka_config.PROMISED["consumer"]
    uncommitted = {**consumer, "isolation.level": "read_uncommitted"}
    put(kafka_config, "PROMISED", {**kafka_config.PROMISED, "consumer": uncommitted})


def write_chunks_whole() -> None:
    """P11: a chunk of the state is one record, however large."""
    put(snapshots, "CHUNK_BYTES_MAX", 1 << 40)


def miss_no_snapshot() -> None:
    """P12: a state that is gone is taken for one that never was."""
    put(ShardStore, "_check", lambda *_: None)


def wait_for_every_offset() -> None:
    """N1: commits wait for an ack of each offset in between, as Faust's own do."""
    put(BatchConsumer, "_new_offset", StockConsumer._new_offset)


def wait_for_the_last_offset() -> None:
    """N3: a source partition is read to its end when the record before its end offset is handled."""
    put(Feed, "position", property(lambda self: self.handled))


def load_up_to_the_last_offset() -> None:
    """N3: a state topic is read to its end when the record before its end offset has come."""

    def to_the_end(consumer: Any, place: TopicPartition) -> Iterator[Message]:
        _, end = consumer.get_watermark_offsets(place, 10.0)
        consumer.assign([place])
        position = place.offset
        while position < end:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                position = message.offset() + 1
                yield message

    put(shard_store, "_to_the_end", to_the_end)


def outlive_freezes() -> None:
    """N2, half: a worker that was frozen past its session goes on."""

    async def never(_stopper: Any, _session_s: float) -> None: ...

    put(worker, "watch_for_freezes", never)


def overwrite_snapshots() -> None:
    """N2, whole: and it writes under the keys that the newer owner uses."""
    outlive_freezes()
    init = SnapshotWriter.__init__

    def shared(self: SnapshotWriter, shard: int, *rest: Any) -> None:
        init(self, shard, *rest)
        self._prefix = f"{shard}/shared"

    put(SnapshotWriter, "__init__", shared)


def outlive_a_clock_set_back() -> None:
    """A worker goes on whose librdkafka waits for the old time to come again."""

    async def never(_stopper: Any) -> None: ...

    put(worker, "watch_for_a_clock_set_back", never)


CURES: dict[str, Callable[[], None]] = {
    "P1": resume_before_seeking,
    "P3": let_agents_die,
    "P6": believe_every_write,
    "P8": read_uncommitted,
    "P11": write_chunks_whole,
    "P12": miss_no_snapshot,
    "N1": wait_for_every_offset,
    "N2": overwrite_snapshots,
    "N2-guard": outlive_freezes,
    "N3-sources": wait_for_the_last_offset,
    "N3-state": load_up_to_the_last_offset,
    "clock": outlive_a_clock_set_back,
}


if __name__ == "__main__":
    CURES[sys.argv.pop(1)]()
    main()
