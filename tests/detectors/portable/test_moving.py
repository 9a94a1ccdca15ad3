"""State is carried to another number of shards: nothing of a series changes on the way, and what comes next is judged as if it had stayed."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from detectors.detect import Detect
from detectors.outputs import Output
from detectors.portable.desk import moved_desk
from detectors.portable.lifting import check_format, lifted, standing_of, tables_of
from detectors.portable.moving import Destination, moved_shards, reads
from detectors.portable.series import Portable, Read, decoded, encoded
from detectors.portable.shard import raw_records
from detectors.series import shard_of
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch, SchemaChange
from stream.formats import Reading
from stream.formats.records import RecordSource
from stream.sources import Place
from stream.testing.simulator.scenario import EVENTS, LINEAGE, METRICS
from tests.detectors.payloads import TOPIC, Topic
from tests.detectors.scripted_log import UNGATHERED, batch
from tests.detectors.test_mixed_determinism import (
    SETTINGS,
    assert_same,
    end,
    logs_of,
    read,
    scenario,
    undisturbed,
    worker,
)
from tests.detectors.test_modelled import HST, modelled, queue
from tests.detectors.test_timetable import BERLIN, DAY_MS, MONDAY_MS, TWO, clock, nightly, scheduled
from tests.simulator.in_one_process import InOneProcess

Chunks = dict[str, bytes]
EVERY_TOPIC = (EVENTS, LINEAGE, METRICS, TOPIC)


def series_of(shards: list[Chunks]) -> dict[bytes, Portable]:
    """Every follower of some shards by its key, as a file holds it."""
    tables = tables_of(shards)
    found = [decoded(encoded(it)) for chunks in shards for it in lifted(chunks, tables)]
    return {it.name: it for it in found}


def spread(
    shards: list[Chunks], count: int, settings: Settings = SETTINGS, topics: tuple[str, ...] = EVERY_TOPIC
) -> list[Chunks]:
    """The states of some shards on another number of them."""
    standings = [standing_of(chunks, shard) for shard, chunks in enumerate(shards)]
    to = Destination(settings, False, [-1] * count, topics, {})
    return list(moved_shards(series_of(shards).values(), standings, tables_of(shards), to))


def carry(process: InOneProcess, new: InOneProcess, shards: list[Chunks] | None = None) -> InOneProcess:
    """Have a worker with another number of shards go on from the state of one, or from what its shards stored."""
    count = len(new._detects)
    stored = shards or [detect.dump() for detect in process._detects]
    for detect, chunks in zip(new._detects, spread(stored, count, new._settings), strict=True):
        detect.load(chunks)
    to = Destination(new._settings, False, [-1] * count, EVERY_TOPIC, {})
    new._triage.load(moved_desk(process._triage.dump(), -1, to))
    new._fetched, new.alerts, new.dead_letters = process._fetched, process.alerts, process.dead_letters
    return new


def half_read(number: int, seed: int, shards: int, share: float) -> tuple[InOneProcess, dict[Place, int]]:
    """A worker that has read a part of a scenario, and how far."""
    found, chance = scenario(number), random.Random(seed)
    process, logs = worker(found, shards), logs_of(found)
    at = dict.fromkeys(logs, 0)
    for place in sorted(logs):
        ends = int(len(logs[place]) * share)
        while at[place] < ends:
            records = logs[place][at[place] : min(ends, at[place] + chance.choice([1, 30, 200]))]
            read(process, place, records, found.records[-1].at_ms)
            at[place] += len(records)
    return process, at


@examples(max_examples=12, deadline=None)
@given(
    number=st.integers(0, 5),
    seed=st.integers(0, 1 << 30),
    before=st.integers(1, 4),
    after=st.integers(1, 5),
    share=st.sampled_from([0.3, 0.6, 0.9]),
)
def test_series_are_the_same_to_the_byte_on_any_number_of_shards_and_judged_as_before(
    number: int, seed: int, before: int, after: int, share: float
) -> None:
    found = scenario(number)
    process, at = half_read(number, seed, before, share)
    shards = [detect.dump() for detect in process._detects]
    there = spread(shards, after)
    assert series_of(there) == series_of(shards)
    assert series_of(spread(there, before)) == series_of(shards)
    for shard, chunks in enumerate(there):
        check_format(chunks)
        assert all(shard_of(it.labels, after) == shard for it in series_of([chunks]).values())
    new = carry(process, worker(found, after))
    for place, log in logs_of(found).items():
        if log[at[place] :]:
            read(new, place, log[at[place] :], found.records[-1].at_ms)
    end(new, found)
    assert_same(new, undisturbed(number))


@examples(max_examples=10, deadline=None)
@given(
    number=st.integers(0, 5),
    seed=st.integers(0, 1 << 30),
    before=st.integers(2, 4),
    after=st.integers(1, 4),
)
def test_shards_that_were_stored_at_different_moments_count_every_record_once(
    number: int, seed: int, before: int, after: int
) -> None:
    found, chance = scenario(number), random.Random(seed)
    process, logs = worker(found, before), logs_of(found)
    stored = [detect.dump() for detect in process._detects]
    at = dict.fromkeys(logs, 0)
    while all(at[place] < 0.8 * len(log) for place, log in logs.items() if log):
        place = chance.choice([it for it in logs if logs[it]])
        records = logs[place][at[place] : at[place] + 40]
        at[place] += len(records)
        if records:
            read(process, place, records, found.records[-1].at_ms)
        shard = chance.randrange(before)
        stored[shard] = process._detects[shard].dump()
    new = carry(process, worker(found, after), stored)
    reached = {(it.topic, it.partition): it.last_offset for it in reads_of(stored)}
    for place, log in logs.items():
        last = reached.get(place, -1)
        new.seek(place, last + 1)
        if left := [it for it in log if it[0] > last]:
            read(new, place, left, found.records[-1].at_ms)
    end(new, found)
    assert new.followed() == undisturbed(number).followed()
    assert not any(detect._inherited for detect in new._detects)


def reads_of(shards: list[Chunks]) -> list[Read]:
    standings = [standing_of(chunks, shard) for shard, chunks in enumerate(shards)]
    return reads(standings, Destination(SETTINGS, False, [-1], EVERY_TOPIC, {}))


def test_after_a_gap_nothing_is_awaited_that_may_have_come_in_it():
    process, _ = half_read(0, 1, 2, 0.6)
    shards = [detect.dump() for detect in process._detects]
    known, there = series_of(shards), series_of(spread(shards, 3, topics=()))
    followers = [raw_records("follower", it.follower)[0] for it in there.values()]
    assert there.keys() == known.keys()
    assert any(it.open for it in known.values())
    assert not any(it.open or it.window for it in there.values())
    assert all(it["arrivals"]["due_ms"] == -1 for it in followers)
    assert [it.measures for it in there.values()] == [known[name].measures for name in there]
    standing = standing_of(spread(shards, 3, topics=())[0], 0)
    assert standing.read == []
    assert standing.expected == {}


def test_a_source_whose_oldest_records_are_gone_is_read_on_from_what_is_left():
    process, _ = half_read(0, 1, 2, 0.6)
    standings = [standing_of(detect.dump(), shard) for shard, detect in enumerate(process._detects)]
    place = (EVENTS, 0)
    to = Destination(SETTINGS, False, [-1], EVERY_TOPIC, {place: 1_000_000})
    assert {(it.topic, it.partition): it.last_offset for it in reads(standings, to)}[place] == 999_999


def test_state_of_another_format_is_refused():
    chunks = worker(scenario(0))._detects[0].dump()
    head = msgspec.msgpack.decode(chunks["head"])
    with pytest.raises(ValueError, match=r"detector state of format 1\.\d+; this release reads"):
        check_format({**chunks, "head": msgspec.msgpack.encode([1, *head[1:]])})


def replaced_field(topic: Topic) -> list[SchemaChange]:
    """What is told of records of which one field is gone and another one new."""
    topic.ordinary(2000, lambda record: record.update(amount=record.pop("total")))
    return topic.end()


@pytest.mark.parametrize(
    ("reading", "after"), [("records", 1), ("records", 3), (RecordSource(sample=0.5), 3)], ids=str
)
def test_what_is_known_of_payloads_is_carried_with_those_that_wait(reading: Reading, after: int):
    topic, other, undisturbed_topic = Topic(reading, 2), Topic(reading, after), Topic(reading, 2)
    for it in (topic, undisturbed_topic):
        it.ordinary(3333)
    shards = [detect.dump() for detect in topic.process._detects]
    (known,) = [it for it in series_of(shards).values() if it.structure is not None]
    assert known.block is not None
    assert known.window is not None
    assert known.waiting_payloads
    assert series_of(spread(shards, after)) == series_of(shards)
    carry(topic.process, other.process)
    other.offset, other._chance = topic.offset, topic._chance
    other.process.payloads["anomalies"] = topic.process.payloads["anomalies"]
    told = replaced_field(undisturbed_topic)
    assert replaced_field(other) == told
    assert told
    assert other.process.followed() == undisturbed_topic.process.followed()


def test_what_is_due_by_a_schedule_is_carried_and_begins_anew_after_a_gap():
    settings = msgspec.structs.replace(scheduled(), paging=UNGATHERED)
    before, after = Detect(settings, 0), msgspec.structs.replace(settings, shards=2)
    events = [*nightly(0), *clock(minutes=10, days=1)]
    before.step(0, batch([events], 0, 0, 1))
    shards = [before.dump()]
    known = series_of(shards)
    (orders,) = [it for it in known.values() if dict(it.labels)["pipeline"] == "orders"]
    assert orders.scheduled is not None
    there = spread(shards, 2, after, ("pipeline.events",))
    assert series_of(there) == known
    detect = Detect(after, shard := shard_of(orders.labels, 2))
    detect.load(there[shard])
    more = batch([[*events, *clock(minutes=30, days=1)]], 0, 2, 2, idle=True, wall_ms=MONDAY_MS + 2 * DAY_MS)
    told = due_in(before.step(1, more))
    assert [name for _, name in told] == ["declared_schedule"]
    assert due_in(detect.step(0, more)) == told
    (kept,) = [it for it in series_of(spread(shards, 2, after, ())).values() if it.name == orders.name]
    assert kept.scheduled is not None
    assert kept.scheduled.new == (TWO, BERLIN)
    assert kept.scheduled.awaited is None


def due_in(outputs: list[Output]) -> list[tuple[int, str]]:
    """When something of orders was overdue or came."""
    verdicts = [verdict for it in outputs for verdict in AnomalyBatch.from_bytes(it.value or b"").verdicts]
    return [(it.time_ms, it.detector) for it in verdicts if ("pipeline", "orders") in it.labels]


def test_no_chunk_of_a_shard_is_left_behind():
    shards = [detect.dump() for detect in half_read(0, 1, 2, 0.6)[0]._detects]
    kinds = [{name.partition("-0")[0] for name in chunks} for chunks in (shards[0], spread(shards, 1)[0])]
    assert kinds[0] == kinds[1]


def test_models_of_the_users_are_carried_and_judge_on():
    settings = msgspec.structs.replace(modelled(HST), paging=UNGATHERED)
    events = queue(900, range(850, 875))
    before, after = Detect(settings, 0), msgspec.structs.replace(settings, shards=3)
    before.step(0, batch([events], 0, 0, 799))
    known = series_of([before.dump()])
    (depth,) = known.values()
    assert depth.models
    there = spread([before.dump()], 3, after, ("pipeline.events",))
    assert series_of(there) == known
    detect = Detect(after, shard := shard_of(depth.labels, 3))
    detect.load(there[shard])
    more = batch([events], 0, 800, 899, idle=True, wall_ms=events[-1].time_ms + DAY_MS)
    told = scores(before.step(1, more))
    assert len(told) > 1
    assert scores(detect.step(0, more)) == told


def scores(outputs: list[Output]) -> list[tuple[int, str, float]]:
    """What was found out of the ordinary: when, by whom, and how severe."""
    verdicts = [verdict for it in outputs for verdict in AnomalyBatch.from_bytes(it.value or b"").verdicts]
    return [(it.time_ms, it.detector, it.severity_score) for it in verdicts]
