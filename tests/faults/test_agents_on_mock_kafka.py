"""No ack past an unconfirmed write: the agents of the worker, with their outputs' brokers away."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, cast

import pytest

from detectors.outputs import Destination, Output
from detectors.stage import Count
from stream.formats.encodings.schemas import SchemaAwaitedError
from stream.holding import Holding
from stream.ingest_agent import Ends, IngestAgent
from stream.outbox import DeliveryError, Outbox
from stream.shard_store import ShardStore
from stream.snapshots import SnapshotLog
from stream.sources import Place, Sources
from stream.stage_agent import StageAgent
from stream.telemetry import Telemetry
from stream.testing.mock_kafka import MockKafka
from stream.topology import Ingesting, StageSpec
from stream.transport import Membership, Records
from tests.faults.mock_clients import (
    ALERTS,
    PATIENCE_S,
    STATE,
    consumer_properties,
    entries,
    new_outbox,
    publish,
    stored,
    until,
)

SAMPLES, EVENTS = "samples", "pipeline.events"
STATE_LEADER, ALERTS_LEADER = 1, 2
QUIET_S = 0.5
"""For how long something must not happen."""


class Message(NamedTuple):
    partition: int
    offset: int
    generation_id: int


class Event:
    """What Faust hands to an agent; remembers its ack."""

    def __init__(self, message: Message, value: Any) -> None:
        self.message, self.value = message, value
        self.acks = 0

    def ack(self) -> None:
        self.acks += 1

    @property
    def acked(self) -> bool:
        return self.acks > 0


def sample(offset: int) -> Event:
    return Event(Message(0, offset, 1), Records([offset], [b"sample"]))


class Alerting:
    """A stage that puts out one alert for each record."""

    is_to_be_stored = False

    def __init__(self, _shard: int) -> None:
        self.covered_offset = -1

    def step(self, offset: int, payload: bytes) -> list[Output]:
        self.covered_offset = offset
        return [
            Output(
                Destination.ALERTS,
                b"key",
                b'{"kind":"value","state":"firing","updated_at":"2026-01-01T00:00:00Z"}',
                0,
            )
        ]

    def changed(self) -> dict[str, bytes]:
        return self.dump()

    def dump(self) -> dict[str, bytes]:
        return {"head": str(self.covered_offset).encode()}

    def load(self, chunks: dict[str, bytes]) -> None:
        self.covered_offset = int(chunks["head"])

    def take_counts(self) -> Counter[Count]:
        return Counter()

    def gauges(self) -> dict[str, float]:
        return {}


class Passing:
    """An ingest that hands every value on as it is."""

    def batch(
        self, _topic: str, _partition: int, _offsets: Sequence[int], values: Sequence[bytes], *_: object
    ) -> list[Output]:
        return [Output(Destination.SAMPLES, None, value, 0) for value in values]

    def mark(self, *_: object) -> list[Output]:
        return []

    def take_counts(self) -> Counter[Count]:
        return Counter()


async def given(*events: Event) -> AsyncIterator[Event]:
    for event in events:
        yield event


def membership(*places: Place) -> Membership:
    member = Membership()
    member.changed(frozenset(places), 1)
    return member


def stage_cluster() -> MockKafka:
    """Two brokers: one leads the state topic, the other the alerts, so that one can be away without the other."""
    kafka = MockKafka(2)
    for topic, leader in ((STATE, STATE_LEADER), (ALERTS, ALERTS_LEADER), (SAMPLES, STATE_LEADER)):
        kafka.make_topic(topic)
        kafka.lead(topic, 0, leader)
    return kafka


async def no_rewind(_place: Place, _offset: int) -> None:
    raise AssertionError("nothing is to be read again")


def covered(kafka: MockKafka) -> int:
    """What the best snapshot on the state topic covers; -1 without any."""
    log = SnapshotLog()
    for key, value in entries(kafka, STATE):
        log.add(key, value)
    best, _ = log.best()
    return best.covered_offset if best else -1


@pytest.mark.parametrize("away", [ALERTS_LEADER, STATE_LEADER])
def test_a_stage_acks_only_when_its_alerts_and_then_its_state_are_stored(away: int) -> None:
    events = [sample(offset) for offset in range(3)]

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            spec = StageSpec("detect", SAMPLES, STATE, Alerting)
            store = ShardStore(consumer_properties(kafka))
            agent = StageAgent(
                spec, store, membership(Place(SAMPLES, 0)), outbox, Telemetry("test"), no_rewind
            )
            await outbox.deliver([Output(Destination.ALERTS, b"key", b"first", 0)])
            await agent.consume(given(events[0]))
            await agent.store()
            assert events[0].acked
            kafka.take_down(away)
            await agent.consume(given(*events[1:]))
            storing = asyncio.create_task(agent.store())
            await asyncio.sleep(QUIET_S)
            assert not storing.done()
            assert not events[-1].acked
            if away == ALERTS_LEADER:
                assert await asyncio.to_thread(covered, kafka) == 0, (
                    "no state may cover what is not delivered"
                )
            kafka.bring_up(away)
            await asyncio.wait_for(storing, PATIENCE_S)
            assert events[-1].acks == 1
            assert failures == []

    with stage_cluster() as kafka:
        asyncio.run(scene(kafka))
        assert covered(kafka) == 2
        assert len(stored(kafka, ALERTS)) == 4


def test_a_stage_whose_alert_is_lost_never_acks() -> None:
    event = sample(0)

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka, **{"delivery.timeout.ms": 3_000, "linger.ms": 0}) as (outbox, failures):
            spec = StageSpec("detect", SAMPLES, STATE, Alerting)
            store = ShardStore(consumer_properties(kafka))
            agent = StageAgent(
                spec, store, membership(Place(SAMPLES, 0)), outbox, Telemetry("test"), no_rewind
            )
            await outbox.deliver([Output(Destination.ALERTS, b"key", b"first", 0)])
            kafka.take_down(ALERTS_LEADER)
            await agent.consume(given(event))
            with pytest.raises(DeliveryError):
                await asyncio.wait_for(agent.store(), PATIENCE_S)
            assert not event.acked
            assert failures
            kafka.bring_up(ALERTS_LEADER)

    with stage_cluster() as kafka:
        asyncio.run(scene(kafka))
        assert covered(kafka) == -1


class Dwelling(Alerting):
    """As `Alerting`, but it dwells in a step whose record it has covered already."""

    def __init__(self, shard: int) -> None:
        super().__init__(shard)
        self.go_on = threading.Event()

    def step(self, offset: int, payload: bytes) -> list[Output]:
        outputs = super().step(offset, payload)
        assert self.go_on.wait(PATIENCE_S)
        return outputs


def test_a_stage_is_not_settled_while_it_puts_out_what_its_position_says_is_done() -> None:
    """A drain that went on here stored and left before the alerts: the next worker wrote them again."""
    stage = Dwelling(0)

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            spec = StageSpec("detect", SAMPLES, STATE, lambda _shard: stage)
            store = ShardStore(consumer_properties(kafka))
            agent = StageAgent(
                spec, store, membership(Place(SAMPLES, 0)), outbox, Telemetry("test"), no_rewind
            )
            consuming = asyncio.create_task(agent.consume(given(sample(0))))
            await until(lambda: agent.position(0) == 1)
            settling = asyncio.create_task(agent.settle())
            await asyncio.sleep(QUIET_S)
            assert not settling.done()
            stage.go_on.set()
            await asyncio.wait_for(settling, PATIENCE_S)
            assert len(await asyncio.to_thread(stored, kafka, ALERTS)) == 1
            await consuming
            assert failures == []

    with stage_cluster() as kafka:
        asyncio.run(scene(kafka))


def test_a_finished_stage_folds_in_nothing_that_the_next_worker_would_put_out_again() -> None:
    """A drain that was cut short stored its state, and went on with the backlog until it had left the group."""
    events = [sample(offset) for offset in range(2)]

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            spec = StageSpec("detect", SAMPLES, STATE, Alerting)
            store = ShardStore(consumer_properties(kafka))
            agent = StageAgent(
                spec, store, membership(Place(SAMPLES, 0)), outbox, Telemetry("test"), no_rewind
            )
            await agent.consume(given(events[0]))
            await agent.finish()
            await agent.consume(given(events[1]))
            await agent.store()
            assert [event.acks for event in events] == [1, 0]
            assert failures == []

    with stage_cluster() as kafka:
        asyncio.run(scene(kafka))
        assert covered(kafka) == 0
        assert len(stored(kafka, ALERTS)) == 1


def ingest_agent(
    make: "Callable[[], Ingesting]", sources: Sources, member: Membership, outbox: Outbox
) -> IngestAgent:
    holding = Holding(sources, member)
    return IngestAgent(make, sources, holding, member, outbox, Ends(), Telemetry("test"), 10.0)


def test_ingest_acks_a_batch_only_when_its_samples_are_stored() -> None:
    async def scene(kafka: MockKafka, sources: Sources) -> None:
        with new_outbox(kafka) as (outbox, failures):
            place = Place(EVENTS, 0)
            make = cast("Callable[[], Ingesting]", Passing)
            agent = ingest_agent(make, sources, membership(place), outbox)
            sources.assign({place: 0})
            batches = await sources.fetch()
            while not batches:
                batches = await sources.fetch()
            kafka.take_down(ALERTS_LEADER)
            event = Event(Message(0, batches[0].next_offset - 1, 1), batches[0])
            handling = asyncio.create_task(agent.consume(given(event)))
            await asyncio.sleep(QUIET_S)
            assert not event.acked
            assert sources.records_under_way == 2
            kafka.bring_up(ALERTS_LEADER)
            await until(lambda: event.acked)
            await handling
            assert sources.records_under_way == 0
            assert failures == []

    with MockKafka(2) as kafka:
        kafka.make_topic(EVENTS)
        kafka.lead(EVENTS, 0, STATE_LEADER)
        kafka.make_topic(SAMPLES)
        kafka.lead(SAMPLES, 0, ALERTS_LEADER)
        publish(kafka, EVENTS, [b"one", b"two"])
        sources = Sources(consumer_properties(kafka), frozenset({EVENTS}))
        try:
            asyncio.run(scene(kafka, sources))
        finally:
            sources.close()
        assert stored(kafka, SAMPLES) == [b"one", b"two"]


class Waiting(Passing):
    """An ingest that cannot read a value `?` until it is told how; it remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.known = False

    def batch(
        self, _topic: str, _partition: int, _offsets: Sequence[int], values: Sequence[bytes], *_: object
    ) -> list[Output]:
        if b"?" in list(values) and not self.known:
            raise SchemaAwaitedError("schema 7: nobody answers", lambda: self.known)
        self.given += list(values)
        return super().batch(_topic, _partition, _offsets, values)


def test_a_partition_that_cannot_be_read_on_is_held_and_others_go_on() -> None:
    async def scene(kafka: MockKafka, sources: Sources) -> None:
        with new_outbox(kafka) as (outbox, failures):
            held, other = Place(EVENTS, 0), Place(EVENTS, 1)
            member, ingest = membership(held, other), Waiting()
            holding = Holding(sources, member)
            make = cast("Callable[[], Ingesting]", lambda: ingest)
            agent = IngestAgent(make, sources, holding, member, outbox, Ends(), Telemetry("test"), 10.0)
            sources.assign({held: 0, other: 0})
            events: asyncio.Queue[Event] = asyncio.Queue()
            tasks = [asyncio.create_task(it) for it in (
                agent.consume(_of(events)), holding.ask_for_ever(), _fetch_for_ever(sources, events)
            )]  # fmt: skip
            await until(lambda: held in holding.held and ingest.given == [b"other"])
            publish(kafka, EVENTS, [b"behind"])
            publish(kafka, EVENTS, [b"more"], 1)
            await until(lambda: ingest.given == [b"other", b"more"] and not sources.records_under_way)
            assert sources.feeds[held].position == 0
            assert holding.reasons() == ["1 source partitions are held: schema 7: nobody answers"]
            ingest.known = True
            await until(lambda: not holding.held and sources.feeds[held].handled == 3)
            assert ingest.given[2:] == [b"one", b"?", b"behind"]
            for task in tasks:
                task.cancel()
            assert failures == []

    with MockKafka(1) as kafka:
        kafka.make_topic(EVENTS, 2)
        kafka.make_topic(SAMPLES)
        publish(kafka, EVENTS, [b"one", b"?"])
        publish(kafka, EVENTS, [b"other"], 1)
        sources = Sources(consumer_properties(kafka), frozenset({EVENTS}))
        try:
            asyncio.run(scene(kafka, sources))
        finally:
            sources.close()
        assert sorted(stored(kafka, SAMPLES), key=str) == sorted(
            [b"other", b"more", b"one", b"?", b"behind"], key=str
        )


async def _of(events: "asyncio.Queue[Event]") -> AsyncIterator[Event]:
    while True:
        yield await events.get()


async def _fetch_for_ever(sources: Sources, events: "asyncio.Queue[Event]") -> None:
    while True:
        for batch in await sources.fetch():
            events.put_nowait(Event(Message(batch.place.partition, batch.next_offset - 1, 1), batch))
