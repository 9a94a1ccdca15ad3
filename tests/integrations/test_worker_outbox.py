"""The outbox on a real Kafka: what is delivered is there, and what cannot be is told at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detectors.outputs import Destination, Output
from stream.outbox import DeliveryError, Outbox
from tests.faults.scenario import read_topic


def run(
    kafka: str, topic: str, work: Callable[[Outbox], Any], properties: dict[str, Any] | None = None
) -> list[DeliveryError]:
    """Run `work` with an outbox; returns the failures that it told."""
    failures: list[DeliveryError] = []

    async def main() -> None:
        common = {"bootstrap.servers": kafka, "enable.idempotence": True, "delivery.timeout.ms": 5000}
        outbox = Outbox({**common, **(properties or {})}, {Destination.ALERTS: topic}, failures.append)
        try:
            await work(outbox)
        finally:
            outbox.close(10)

    asyncio.run(main())
    return failures


def alerts(n: int) -> list[Output]:
    return [Output(Destination.ALERTS, b"key", b"%d" % i, 0, (("h", b"v"),)) for i in range(n)]


def test_what_was_delivered_is_in_the_topic_in_order(kafka: str, make_topic: Any):
    topic = make_topic()
    assert run(kafka, topic, lambda outbox: outbox.deliver(alerts(1000))) == []
    assert [value for _, value in read_topic(kafka, topic)] == [b"%d" % i for i in range(1000)]


def test_more_than_the_queue_holds_waits_for_room(kafka: str, make_topic: Any):
    topic = make_topic()
    tight = {"queue.buffering.max.messages": 10}
    assert run(kafka, topic, lambda outbox: outbox.deliver(alerts(500)), tight) == []
    assert len(list(read_topic(kafka, topic))) == 500


def test_nothing_to_deliver_is_delivered(kafka: str, make_topic: Any):
    assert run(kafka, make_topic(), lambda outbox: outbox.deliver([])) == []


def test_a_record_that_is_too_large_is_a_failure_that_names_the_topic(kafka: str, make_topic: Any):
    topic = make_topic()
    large = [Output(Destination.ALERTS, None, bytes(3 << 20), 0)]
    told: list[DeliveryError] = []

    async def work(outbox: Outbox) -> None:
        with pytest.raises(DeliveryError, match=topic) as caught:
            await outbox.deliver(large)
        told.append(caught.value)

    assert run(kafka, topic, work) == told


@pytest.mark.needs_apache
def test_a_record_that_the_broker_refuses_is_a_failure(kafka: str, make_topic: Any):
    topic = make_topic(config={"max.message.bytes": "1000"})
    refused = [Output(Destination.ALERTS, None, bytes(range(256)) * 40, 0)]

    async def work(outbox: Outbox) -> None:
        with pytest.raises(DeliveryError, match=topic):
            await outbox.deliver(refused)

    assert len(run(kafka, topic, work)) == 1
