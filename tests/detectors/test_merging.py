"""Verdicts of many shards come in one order, however their batches interleave, and none waits for ever."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.merging import ABSENT_MS, TICK_MS_MAX, Merger
from detectors.verdicts import VERSION, AnomalyBatch
from tests.detectors.triage_log import START_MS, verdict


def batch(shard: int, now_ms: int, *times_ms: int, wall_ms: int = 0) -> AnomalyBatch:
    said = tuple(verdict(ms, f"{shard}-{ms}") for ms in times_ms)
    return AnomalyBatch(VERSION, shard, 0, now_ms, wall_ms, times_ms, said)


def ready(merger: Merger) -> list[str]:
    return [dict(it.labels)["pipeline"] for _, it in merger.ready()]


def test_a_verdict_waits_until_every_shard_is_past_it():
    merger = Merger(2)
    merger.add(batch(0, 20, 10))
    assert ready(merger) == []
    merger.add(batch(1, 10))
    assert ready(merger) == []
    merger.add(batch(1, 11, 5))
    assert ready(merger) == ["1-5", "0-10"]
    assert merger.now_ms == 11


def test_a_shard_that_is_gone_is_not_waited_for():
    merger = Merger(2)
    merger.add(batch(1, 5, wall_ms=0))
    for tick in range(ABSENT_MS // TICK_MS_MAX):
        assert ready(merger) == []
        merger.add(batch(0, 20, *([10] if not tick else []), wall_ms=(tick + 1) * TICK_MS_MAX))
    assert ready(merger) == ["0-10"]
    assert len(merger) == 0


def test_a_clock_that_jumps_is_no_absence():
    merger = Merger(2)
    merger.add(batch(1, 5, wall_ms=1))
    merger.add(batch(0, 20, 10, wall_ms=3_600_000))
    assert ready(merger) == []


def test_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("detectors.merging.WAITING_MAX", 100)
    merger = Merger(2)
    merger.add(batch(0, 110, *range(110)))
    assert len(ready(merger)) == 10
    assert merger.hurried == 10


shards = st.lists(st.lists(st.integers(0, 50), max_size=8).map(sorted), min_size=1, max_size=4)


@given(shards, st.randoms(use_true_random=False), st.booleans())
def test_the_order_does_not_depend_on_how_batches_are_cut_and_interleave(
    times: list[list[int]], shuffle: Random, restart: bool
) -> None:
    def merged(one_by_one: bool) -> list[str]:
        merger = Merger(len(times))
        queues = {number: [START_MS + ms for ms in them] for number, them in enumerate(times)}
        found = []
        while any(queues.values()):
            shard = shuffle.choice([number for number, queue in queues.items() if queue])
            cut = 1 if one_by_one else shuffle.randint(1, len(queues[shard]))
            them, queues[shard] = queues[shard][:cut], queues[shard][cut:]
            merger.add(batch(shard, queues[shard][0] if queues[shard] else them[-1] + 1, *them))
            found += ready(merger)
            if restart:
                state, merger = merger.dump(), Merger(len(times))
                merger.load(state)
        for shard in queues:
            merger.add(batch(shard, START_MS + 100))
        return found + ready(merger)

    expected = [
        f"{shard}-{START_MS + ms}"
        for ms, shard in sorted((ms, n) for n, them in enumerate(times) for ms in them)
    ]
    assert merged(True) == expected
    assert merged(False) == expected
