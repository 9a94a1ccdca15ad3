"""The outbox on brokers that are away, slow or refuse: nothing counts as delivered before it is stored, in order, once."""

import asyncio
import random
import subprocess
import sys

import pytest
from confluent_kafka import KafkaError

from detectors.outputs import Destination, Output
from stream.exits import Exit
from stream.outbox import DeliveryError, Outbox
from stream.testing.mock_kafka import MockKafka, Request
from tests.faults.mock_clients import ALERTS, PATIENCE_S, new_outbox, stored, until


def alert(value: str) -> Output:
    return Output(Destination.ALERTS, b"key", value.encode(), 0)


def test_what_is_delivered_while_the_broker_is_away_is_awaited_until_it_is_back() -> None:
    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            await outbox.deliver([alert("before")])
            kafka.take_down()
            delivering = asyncio.create_task(outbox.deliver([alert("meanwhile")]))
            await asyncio.sleep(0.5)
            assert not delivering.done()
            kafka.bring_up()
            await asyncio.wait_for(delivering, PATIENCE_S)
            assert failures == []

    with MockKafka(3) as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        assert stored(kafka, ALERTS) == [b"before", b"meanwhile"]


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
    ],
)
def test_an_error_that_passes_delays_a_record_and_neither_doubles_nor_reorders_it(code: int) -> None:
    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            await outbox.deliver([alert("0")])
            kafka.answer(Request.PRODUCE, [code] * 3)
            first = await outbox.post([alert("1")])
            second = await outbox.post([alert("2"), alert("3")])
            await asyncio.wait_for(second, PATIENCE_S)
            assert first.done()
            assert failures == []

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        assert stored(kafka, ALERTS) == [b"0", b"1", b"2", b"3"]


def test_order_holds_and_nothing_doubles_under_errors_and_moving_leaders() -> None:
    chance = random.Random(7)
    codes = [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.REQUEST_TIMED_OUT,
    ]

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            deliveries = []
            for number in range(300):
                deliveries.append(await outbox.post([alert(str(number))]))
                if number % 10 == 0:
                    kafka.answer(Request.PRODUCE, [chance.choice(codes)])
                if number % 60 == 30:
                    kafka.lead(ALERTS, 0, chance.choice(list(kafka.brokers)))
                await asyncio.sleep(0.001)
            for delivery in deliveries:
                await asyncio.wait_for(delivery, PATIENCE_S)
            assert failures == []

    with MockKafka(3) as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        assert stored(kafka, ALERTS) == [str(number).encode() for number in range(300)]


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_REQUIRED_ACKS,
    ],
)
def test_a_refused_record_fails_its_delivery_and_is_told_to_the_worker(code: int) -> None:
    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            kafka.answer(Request.PRODUCE, [code])
            with pytest.raises(DeliveryError, match=f"a record for topic {ALERTS} could not be written"):
                await asyncio.wait_for(outbox.deliver([alert("refused")]), PATIENCE_S)
            assert [failure.topic for failure in failures] == [ALERTS]

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))


def test_a_broker_away_for_longer_than_the_delivery_timeout_fails_the_delivery() -> None:
    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka, **{"delivery.timeout.ms": 5_000, "linger.ms": 0}) as (outbox, failures):
            await outbox.deliver([alert("before")])
            kafka.take_down()
            with pytest.raises(DeliveryError, match="timed out"):
                await asyncio.wait_for(outbox.deliver([alert("lost")]), PATIENCE_S)
            assert len(failures) == 1

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))


def test_with_a_full_queue_posting_waits_and_memory_stays_bounded() -> None:
    queued_max = 20

    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka, **{"queue.buffering.max.messages": queued_max}) as (outbox, failures):
            await outbox.deliver([alert("first")])
            kafka.take_down()
            posting = asyncio.create_task(outbox.deliver([alert(str(number)) for number in range(200)]))
            await until(lambda: len(outbox._producer) >= queued_max)
            await asyncio.sleep(0.3)
            assert not posting.done()
            assert len(outbox._producer) <= queued_max
            kafka.bring_up()
            await asyncio.wait_for(posting, PATIENCE_S)
            assert failures == []

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        assert stored(kafka, ALERTS) == [b"first", *(str(number).encode() for number in range(200))]


def test_a_slow_broker_delays_and_loses_nothing() -> None:
    async def scene(kafka: MockKafka) -> None:
        with new_outbox(kafka) as (outbox, failures):
            kafka.slow_down(200)
            deliveries = [await outbox.post([alert(str(number))]) for number in range(20)]
            assert not deliveries[-1].done()
            for delivery in deliveries:
                await asyncio.wait_for(delivery, PATIENCE_S)
            assert failures == []

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        kafka.slow_down(0)
        assert stored(kafka, ALERTS) == [str(number).encode() for number in range(20)]


FAIL_STOP = """
import asyncio, sys
from detectors.outputs import Destination, Output
from stream.guards import Stopper
from stream.outbox import Outbox

async def main():
    properties = {"bootstrap.servers": sys.argv[1], "enable.idempotence": True, "log_level": 0}
    outbox = Outbox(properties, {Destination.ALERTS: "alerts"}, Stopper().stop)
    await outbox.post([Output(Destination.ALERTS, b"key", b"value", 0)])
    await asyncio.sleep(60)
    print("still here")

asyncio.run(main())
"""


def test_a_refused_record_ends_the_process_even_if_nobody_awaits_it() -> None:
    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        kafka.answer(Request.PRODUCE, [KafkaError.TOPIC_AUTHORIZATION_FAILED])
        command = [sys.executable, "-c", FAIL_STOP, kafka.bootstrap_servers]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == Exit.FAIL_STOP
    assert "still here" not in done.stdout
    assert "a record for topic alerts could not be written" in done.stdout + done.stderr


def test_close_waits_for_what_is_queued() -> None:
    async def scene(kafka: MockKafka) -> Outbox:
        with new_outbox(kafka) as (outbox, _):
            kafka.slow_down(100)
            await outbox.post([alert("last")])
            outbox.close(PATIENCE_S)
        return outbox

    with MockKafka() as kafka:
        kafka.make_topic(ALERTS)
        asyncio.run(scene(kafka))
        kafka.slow_down(0)
        assert stored(kafka, ALERTS) == [b"last"]
