"""The sources on brokers that are away or answer with errors: every offset once, in order, or the worker stops."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError

from stream.sources import BATCH_RECORDS_MAX, QUEUED_RECORDS_MAX, Batch, Place, SourceError, Sources
from stream.testing.mock_kafka import MockKafka, Request
from tests.faults.mock_clients import PATIENCE_S, consumer_properties, publish

TOPIC = "pipeline.events"
PLACES = (Place(TOPIC, 0), Place(TOPIC, 1))


@contextmanager
def new_sources(kafka: MockKafka) -> Iterator[Sources]:
    sources = Sources(consumer_properties(kafka), frozenset({TOPIC}))
    try:
        yield sources
    finally:
        sources.close()


async def fetched(sources: Sources, records: int) -> list[Batch]:
    """Batches with so many records, each handled at once."""
    batches: list[Batch] = []
    deadline = time.monotonic() + PATIENCE_S
    while sum(len(batch.columns.offsets) for batch in batches) < records:
        assert time.monotonic() < deadline, f"{batches} and then nothing more"
        for batch in await sources.fetch():
            sources.handled(batch)
            batches.append(batch)
    return batches


def assert_continuous(batches: list[Batch]) -> None:
    """Each batch follows on the one before it in its partition, without a hole and without a repeat."""
    ends = dict.fromkeys(PLACES, -1)
    for batch in batches:
        offsets = list(batch.columns.offsets)
        assert batch.previous_offset == ends[batch.place]
        assert offsets == list(range(batch.previous_offset + 1, batch.next_offset))
        ends[batch.place] = batch.next_offset - 1


@pytest.mark.parametrize(
    "errors",
    [
        [],
        [KafkaError.NOT_LEADER_FOR_PARTITION] * 2,
        [KafkaError.REQUEST_TIMED_OUT] * 2,
        [KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH],
    ],
)
def test_whatever_passes_no_offset_is_missing_or_comes_twice(errors: list[int]) -> None:
    async def scene(kafka: MockKafka, sources: Sources) -> None:
        batches = await fetched(sources, 200)
        if errors:
            kafka.answer(Request.FETCH, errors)
        else:
            kafka.take_down()
            for _ in range(10):
                assert await sources.fetch() == []
            kafka.bring_up()
        for place in PLACES:
            publish(kafka, TOPIC, [b"later"] * 100, place.partition)
        assert_continuous([*batches, *await fetched(sources, 200)])

    with MockKafka() as kafka:
        kafka.make_topic(TOPIC, 2)
        for place in PLACES:
            publish(kafka, TOPIC, [b"value"] * 100, place.partition)
        with new_sources(kafka) as sources:
            sources.assign(dict.fromkeys(PLACES, 0))
            asyncio.run(scene(kafka, sources))


def test_a_moving_leader_is_followed() -> None:
    async def scene(kafka: MockKafka, sources: Sources) -> None:
        batches = await fetched(sources, 200)
        for place in PLACES:
            kafka.lead(TOPIC, place.partition, 2)
            publish(kafka, TOPIC, [b"later"] * 100, place.partition)
        assert_continuous([*batches, *await fetched(sources, 200)])

    with MockKafka(2) as kafka:
        kafka.make_topic(TOPIC, 2)
        for place in PLACES:
            publish(kafka, TOPIC, [b"value"] * 100, place.partition)
        with new_sources(kafka) as sources:
            sources.assign(dict.fromkeys(PLACES, 0))
            asyncio.run(scene(kafka, sources))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (KafkaError.OFFSET_OUT_OF_RANGE, "retention removed them"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "authoriz"),
    ],
)
def test_what_cannot_be_read_on_stops_the_worker(code: int, words: str) -> None:
    async def scene(sources: Sources) -> None:
        with pytest.raises(SourceError, match=words):
            await fetched(sources, 1_000)

    with MockKafka() as kafka:
        kafka.make_topic(TOPIC)
        publish(kafka, TOPIC, [b"value"])
        with new_sources(kafka) as sources:
            kafka.answer(Request.FETCH, [code] * 5)
            sources.assign({PLACES[0]: 0})
            asyncio.run(scene(sources))


def test_an_offset_beyond_the_end_stops_the_worker() -> None:
    """The topic was made anew, say: starting over or skipping would both lose or double records unseen."""

    async def scene(sources: Sources) -> None:
        with pytest.raises(SourceError, match="retention removed them"):
            await fetched(sources, 1)

    with MockKafka() as kafka:
        kafka.make_topic(TOPIC)
        publish(kafka, TOPIC, [b"value"])
        with new_sources(kafka) as sources:
            sources.assign({PLACES[0]: 5_000})
            asyncio.run(scene(sources))


def test_without_anything_being_handled_fetching_stops_at_a_bound() -> None:
    bound = QUEUED_RECORDS_MAX + BATCH_RECORDS_MAX

    async def scene(sources: Sources) -> None:
        deadline = time.monotonic() + PATIENCE_S
        batches: list[Batch] = []
        while sources.records_under_way < QUEUED_RECORDS_MAX:
            assert time.monotonic() < deadline
            batches += await sources.fetch()
        for _ in range(20):
            assert await sources.fetch() == []
        assert sources.records_under_way <= bound
        for batch in batches:
            sources.handled(batch)
        assert await fetched(sources, 1)

    with MockKafka() as kafka:
        kafka.make_topic(TOPIC)
        publish(kafka, TOPIC, [b"value"] * (bound + 1_000))
        with new_sources(kafka) as sources:
            sources.assign({PLACES[0]: 0})
            asyncio.run(scene(sources))


def test_what_was_fetched_for_an_assignment_that_is_gone_is_dropped_and_fetched_again() -> None:
    async def scene(sources: Sources) -> None:
        first = await fetched(sources, 100)
        fetching = asyncio.create_task(sources.fetch())
        await asyncio.sleep(0)
        sources.forget()
        assert await fetching == []
        sources.assign({PLACES[0]: 0})
        again = await fetched(sources, 100)
        assert_continuous(first)
        assert_continuous(again)

    with MockKafka() as kafka:
        kafka.make_topic(TOPIC, 2)
        publish(kafka, TOPIC, [b"value"] * 100)
        with new_sources(kafka) as sources:
            sources.assign({PLACES[0]: 0})
            asyncio.run(scene(sources))
