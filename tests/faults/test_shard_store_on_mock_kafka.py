"""Loading a shard while brokers are away, slow or moving: the state that was stored, or a refusal that says why."""

import asyncio
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from stream import shard_store
from stream.exits import Exit, Refused
from stream.outbox import Record
from stream.shard_store import ShardStore
from stream.snapshots import Entry, SnapshotWriter
from stream.testing.mock_kafka import MockKafka, Request
from tests.faults.mock_clients import STATE, consumer_properties, new_outbox, publish

SAMPLES = "samples"
CHUNKS = {"head": b"1", "body": b"x" * 2_000_000}
COVERED = 4


def store(kafka: MockKafka, *entries: Entry) -> None:
    async def scene() -> None:
        with new_outbox(kafka) as (outbox, _):
            await outbox.deliver_records([Record(STATE, it.key.encode(), it.value, 0) for it in entries])

    asyncio.run(scene())


def stored_snapshot(kafka: MockKafka) -> None:
    plan = SnapshotWriter(0, 1).plan(CHUNKS, COVERED)
    store(kafka, *plan.parts, plan.manifest)


def with_topics(kafka: MockKafka, samples: int = COVERED + 1) -> None:
    kafka.make_topic(SAMPLES)
    kafka.make_topic(STATE)
    publish(kafka, SAMPLES, [b"sample"] * samples)


def commit(kafka: MockKafka, offset: int) -> None:
    consumer = Consumer(consumer_properties(kafka))
    consumer.commit(offsets=[TopicPartition(SAMPLES, 0, offset)], asynchronous=False)
    consumer.close()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request.FETCH, KafkaError.NOT_LEADER_FOR_PARTITION),
        (Request.FETCH, KafkaError.REQUEST_TIMED_OUT),
        (Request.LIST_OFFSETS, KafkaError.NOT_LEADER_FOR_PARTITION),
        (Request.METADATA, KafkaError.LEADER_NOT_AVAILABLE),
    ],
)
def test_an_error_that_passes_does_not_keep_a_state_from_being_loaded(request_: Request, code: int) -> None:
    with MockKafka() as kafka:
        with_topics(kafka)
        stored_snapshot(kafka)
        kafka.answer(request_, [code] * 2)
        loaded = ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert loaded.snapshot is not None
    assert (loaded.snapshot.covered_offset, loaded.snapshot.chunks) == (COVERED, CHUNKS)


def test_a_broker_that_is_away_for_a_while_is_waited_for() -> None:
    with MockKafka() as kafka:
        with_topics(kafka)
        stored_snapshot(kafka)
        kafka.take_down()
        back = threading.Timer(1.5, kafka.bring_up)
        back.start()
        loaded = ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
        back.join()
    assert loaded.snapshot is not None
    assert loaded.snapshot.chunks == CHUNKS


def test_a_broker_that_stays_away_is_a_refusal_that_names_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_store, "SILENCE_S_MAX", 2.0)
    with MockKafka() as kafka:
        with_topics(kafka)
        kafka.take_down()
        with pytest.raises(Refused, match=STATE) as refused:
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert refused.value.code == Exit.KAFKA


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_state_topic_that_must_not_be_read_is_a_refusal(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_store, "SILENCE_S_MAX", 5.0)
    with MockKafka() as kafka:
        with_topics(kafka)
        stored_snapshot(kafka)
        kafka.answer(Request.FETCH, [code] * 50)
        with pytest.raises(Refused, match=STATE) as refused:
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert refused.value.code == Exit.KAFKA


def test_no_snapshot_although_records_are_committed_is_no_start_from_zero() -> None:
    with MockKafka() as kafka:
        with_topics(kafka)
        commit(kafka, 3)
        with pytest.raises(Refused, match="its state is gone") as refused:
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert refused.value.code == Exit.DATA


def test_whether_records_are_committed_is_asked_until_the_coordinator_that_has_moved_answers() -> None:
    """An unanswered question must not be taken for: nothing is committed, so there is no state to miss."""
    with MockKafka(2) as kafka:
        with_topics(kafka)
        kafka.coordinate("streamgauge", 1)
        commit(kafka, 3)
        kafka.coordinate("streamgauge", 2)
        kafka.answer(
            Request.OFFSET_FETCH, [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS]
        )
        kafka.answer(Request.FIND_COORDINATOR, [KafkaError.COORDINATOR_NOT_AVAILABLE])
        with pytest.raises(Refused, match="its state is gone"):
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)


def test_a_group_without_a_coordinator_is_no_start_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_store, "SILENCE_S_MAX", 2.0)
    with MockKafka() as kafka:
        with_topics(kafka)
        kafka.answer(Request.FIND_COORDINATOR, [KafkaError.COORDINATOR_NOT_AVAILABLE] * 1_000)
        with pytest.raises(Refused) as refused:
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert refused.value.code == Exit.KAFKA


def test_a_snapshot_of_more_than_its_log_holds_is_refused() -> None:
    with MockKafka() as kafka:
        with_topics(kafka, samples=COVERED)
        stored_snapshot(kafka)
        with pytest.raises(Refused, match="made anew or cut") as refused:
            ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
    assert refused.value.code == Exit.DATA


def test_a_slow_broker_is_only_slow() -> None:
    with MockKafka() as kafka:
        with_topics(kafka)
        stored_snapshot(kafka)
        kafka.slow_down(150)
        started_s = time.monotonic()
        loaded = ShardStore(consumer_properties(kafka)).load(STATE, SAMPLES, 0)
        assert time.monotonic() > started_s + 0.15
    assert loaded.snapshot is not None
