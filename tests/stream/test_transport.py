"""Transport: what it fetches when, and how it asks for it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from stream.sources import Place
from stream.transport import INTERNAL_FETCH_WAIT_MS, LEAD_MAX, BatchConsumer, InternalTopicsThread, Membership

SAMPLES = "samples"
SHARDS = 2


class Sources:
    """Counts how often it is asked to fetch."""

    topics = frozenset({"pipeline.events"})
    assigned = True

    def __init__(self) -> None:
        self.fetches = 0

    async def fetch(self) -> list[Any]:
        self.fetches += 1
        return []


class Consumer:
    """What aiokafka knows of the ends of the partitions it is assigned."""

    def __init__(self, ends: Mapping[int, int | None]) -> None:
        self._ends = ends

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(SAMPLES, shard) for shard in self._ends}

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._ends[partition.partition]


class Paused:
    """aiokafka's thread, whose consumer is at a position of its own."""

    def __init__(self, position: int) -> None:
        self._position = position

    def _ensure_consumer(self) -> Any:
        return SimpleNamespace(pause=lambda *_: None)

    async def position(self, _: TP) -> int:
        return self._position


def fetches(ends: Mapping[int, int | None], positions: Mapping[int, int | None]) -> bool:
    """Whether the sources are fetched when the shards end there and detect is there."""
    membership, sources = Membership(), Sources()
    membership.changed(frozenset(Place(SAMPLES, shard) for shard in positions), 1)
    consumer = object.__new__(BatchConsumer)
    consumer.membership, consumer.sources = membership, cast("Any", sources)
    consumer.follower = cast("Any", SimpleNamespace(topic=SAMPLES, position=positions.get))
    consumer._thread = cast("Any", SimpleNamespace(_ensure_consumer=lambda: Consumer(ends)))
    asyncio.run(consumer._fetch_sources())
    return sources.fetches == 1


@pytest.mark.parametrize(
    ("ends", "positions", "fetched"),
    [
        ({0: 100, 1: 100}, {0: 100, 1: 100}, True),
        ({0: 100 + SHARDS * LEAD_MAX, 1: 100}, {0: 100, 1: 100}, True),
        ({0: 101 + SHARDS * LEAD_MAX, 1: 100}, {0: 100, 1: 100}, False),
        ({0: 101 + LEAD_MAX, 1: 100 + LEAD_MAX}, {0: 100, 1: 100}, False),
        ({0: 1_000, 1: 0}, {0: None, 1: 0}, True),
        ({0: None, 1: None}, {0: 5, 1: 5}, True),
        ({1: 5}, {0: 0, 1: 5}, True),
        ({0: 3, 1: 5}, {0: 1_000, 1: 5}, True),
        ({}, {}, True),
    ],
    ids=[
        "detect has caught up",
        "as far ahead as may be, in one shard",
        "farther",
        "farther, in both together",
        "a shard that is not loaded yet",
        "ends not known yet",
        "a shard not assigned in aiokafka yet",
        "a topic made anew",
        "no shards",
    ],
)
def test_sources_are_fetched_while_detect_is_not_far_behind(
    ends: Mapping[int, int | None], positions: Mapping[int, int | None], fetched: bool
) -> None:
    assert fetches(ends, positions) is fetched


def test_empty_partitions_do_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(_isolation_level="read_uncommitted", _fetch_max_wait_ms=1500)
    stock = InternalTopicsThread.__mro__[1]
    monkeypatch.setattr(stock, "_create_worker_consumer", lambda _self, _transport: made)
    thread = object.__new__(InternalTopicsThread)
    assert thread._create_worker_consumer(None) is made
    assert made._isolation_level == "read_committed"
    assert made._fetch_max_wait_ms == INTERNAL_FETCH_WAIT_MS


@pytest.mark.parametrize(("committed", "begins"), [({TP("pipeline.events", 0): 1_000}, 1_000), ({}, 2_000)])
def test_a_source_is_read_from_where_it_was_committed_whatever_aiokafka_made_of_it(
    committed: dict[TP, int], begins: int
) -> None:
    """aiokafka fetched before it was paused, found that retention had removed its records, and went on from what is left."""
    assigned: list[Mapping[Place, int]] = []
    place = Place("pipeline.events", 0)
    membership = Membership()
    membership.changed(frozenset({place}), 1)
    consumer = object.__new__(BatchConsumer)
    consumer.membership = membership
    consumer.sources = cast("Any", SimpleNamespace(topics={place.topic}, assign=assigned.append))
    consumer._committed_offset = defaultdict(lambda: None, cast("Any", committed))
    consumer._thread = cast("Any", Paused(2_000))
    consumer.flow_active = True
    assert asyncio.run(consumer._assign_sources())
    assert assigned == [{place: begins}]
