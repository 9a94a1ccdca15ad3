"""Sources: what is fetched follows what was fetched before, and only of what is assigned."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer

from stream.config.kafka import PROMISED
from stream.formats.values import KEY
from stream.sources import Batch, Place, SourceError, Sources
from stream.testing.topics import TopicMaker

FETCHES_MAX = 1_000


@contextmanager
def sources(
    kafka: str, *topics: str, besides: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Sources]:
    properties = {"bootstrap.servers": kafka, "group.id": "test", **PROMISED["consumer"]}
    opened = Sources(properties, frozenset(topics), besides)
    yield opened
    opened.close()


def produce(kafka: str, topic: str, partitions: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=number % partitions)
    producer.flush()


async def fetch(opened: Sources, ends: dict[Place, int]) -> list[Batch]:
    """Batches until these ends are reported."""
    batches: list[Batch] = []
    for _ in range(FETCHES_MAX):
        batches += await opened.fetch()
        if all(opened.feeds[place].end == end for place, end in ends.items()):
            return batches
    raise AssertionError("the ends were not reached")


def test_each_batch_follows_the_one_before_it(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic(partitions=2)
    produce(kafka, topic, 2, 100)
    with sources(kafka, topic) as opened:
        opened.assign({Place(topic, 0): 0, Place(topic, 1): 10})
        batches = asyncio.run(fetch(opened, {Place(topic, 0): 50, Place(topic, 1): 50}))
        for place, first in ((Place(topic, 0), 0), (Place(topic, 1), 10)):
            following = first
            for batch in (it for it in batches if it.place == place):
                assert batch.previous_offset == following - 1
                following = batch.next_offset
            assert following == opened.feeds[place].fetched == 50
        assert opened.records_under_way == 90
        for batch in batches:
            opened.handled(batch)
        assert opened.records_under_way == 0
        assert opened.feeds[Place(topic, 0)].position == 50


def test_what_was_forgotten_is_fetched_again(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic()
    produce(kafka, topic, 1, 10)
    with sources(kafka, topic) as opened:
        for _ in range(2):
            opened.forget()
            opened.assign({Place(topic, 0): 4})
            batches = asyncio.run(fetch(opened, {Place(topic, 0): 10}))
            assert [value for it in batches for value in it.columns.values] == [
                b"%d" % n for n in range(4, 10)
            ]


def test_of_a_held_partition_nothing_is_fetched_until_it_is_let_go_and_then_all(
    kafka: str, make_topic: TopicMaker
) -> None:
    topic = make_topic(partitions=2)
    held, other = Place(topic, 0), Place(topic, 1)
    produce(kafka, topic, 2, 20)
    with sources(kafka, topic) as opened:

        async def scene() -> list[Batch]:
            opened.assign({held: 4, other: 0})
            before = await fetch(opened, {held: 10, other: 10})
            first = next(it for it in before if it.place == held)
            opened.hold(first)
            assert opened.records_under_way == 10
            produce(kafka, topic, 2, 20)
            during = await fetch(opened, {other: 20})
            assert {it.place for it in during} == {other}
            assert opened.feeds[held].end == -1
            opened.let_go(held)
            return await fetch(opened, {held: 20, other: 20})

        after = [it for it in asyncio.run(scene()) if it.place == held]
        assert [it.previous_offset for it in after][:1] == [3]
        assert {it.turn for it in after} == {1}
        assert [n for it in after for n in it.columns.offsets.tolist()] == list(range(4, 20))


def test_what_is_fetched_while_a_partition_is_held_and_let_go_is_dropped(
    kafka: str, make_topic: TopicMaker
) -> None:
    topic = make_topic()
    place = Place(topic, 0)
    produce(kafka, topic, 1, 10)
    with sources(kafka, topic) as opened:

        async def scene() -> list[Batch]:
            opened.assign({place: 0})
            first = [it for it in await fetch(opened, {place: 10}) if it.place == place]
            produce(kafka, topic, 1, 10)
            fetching = asyncio.create_task(opened.fetch())
            await asyncio.sleep(0)
            opened.hold(first[0])
            opened.let_go(place)
            assert await fetching == []
            return await fetch(opened, {place: 20})

        offsets = [n for it in asyncio.run(scene()) for n in it.columns.offsets.tolist()]
        assert offsets == list(range(20))


def test_records_that_retention_removed_end_it(kafka: str, make_topic: TopicMaker) -> None:
    topic = make_topic()
    with sources(kafka, topic) as opened:
        opened.assign({Place(topic, 0): 1_000})
        with pytest.raises(SourceError, match="no records left at offset 1000"):
            asyncio.run(fetch(opened, {Place(topic, 0): 0}))


def test_headers_and_keys_come_along_where_they_are_wanted(kafka: str, make_topic: TopicMaker) -> None:
    topic, plain = make_topic(), make_topic()
    producer = Producer({"bootstrap.servers": kafka})
    headers: list[tuple[str, str | bytes | None]] = [("at", b"1"), ("other", b"x"), ("at", "é".encode())]
    for name in (topic, plain):
        producer.produce(name, b"a", key=b"k", headers=headers)
        producer.produce(name, b"b", headers=[("at", None)])
        producer.produce(name, None, key=b"")
    producer.flush()
    with sources(kafka, topic, plain, besides={topic: (KEY, "at")}) as opened:
        opened.assign({Place(topic, 0): 0, Place(plain, 0): 0})
        batches = asyncio.run(fetch(opened, {Place(topic, 0): 3, Place(plain, 0): 3}))
    told = [(name, list(of)) for it in batches for name, of in it.columns.values.besides.items()]
    assert {name: [it for at, of in told for it in of if at == name] for name, _ in told} == {
        KEY: [b"k", None, b""],
        "at": ["é".encode(), None, None],
    }


def test_closed_sources_give_nothing(kafka: str, make_topic: TopicMaker) -> None:
    with sources(kafka, make_topic()) as opened:
        opened.close()
        opened.close()
        assert asyncio.run(opened.fetch()) == []
