"""Members of a group on the alert topic, on a real Kafka: what happens to the record that one has in hand."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from stream.alert_group import AlertGroup, Delivery, Unreadable
from stream.exits import Exit, Refused
from stream.testing.topics import TopicMaker
from tests.stream.alert_topic import episode, publish

POLLS = 300


@pytest.fixture
def join(kafka: str, make_topic: TopicMaker) -> Iterator[Callable[[], AlertGroup]]:
    topic, group = make_topic(), f"group-{uuid.uuid4().hex[:8]}"
    quick = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 100, "max.poll.interval.ms": 2000}
    members: list[AlertGroup] = []

    def make() -> AlertGroup:
        members.append(AlertGroup({"bootstrap.servers": kafka, **quick}, group, topic))
        return members[-1]

    yield make
    for member in members:
        member.close()


def taken(member: AlertGroup, polls: int = POLLS) -> Delivery | Unreadable | None:
    return next((it for _ in range(polls) if (it := member.poll(0.1)) is not None), None)


def test_a_record_in_hand_stays_with_its_member_for_longer_than_it_may_go_without_a_poll(
    kafka: str, join: Callable[[], AlertGroup]
) -> None:
    member = join()
    publish(kafka, member.topic, episode(1), episode(2))
    first = taken(member)
    assert isinstance(first, Delivery)
    assert member.lag() >= 1
    assert member.wait(3.0, lambda: False)
    member.done()
    second = taken(member)
    assert isinstance(second, Delivery)
    assert (first.alert.alert_id, second.alert.alert_id) == (episode(1).alert_id, episode(2).alert_id)
    member.done()
    member.commit()
    member.commit()
    assert member.lag() == 0
    assert not member.wait(3.0, lambda: False)


def test_a_record_in_hand_goes_to_whoever_has_its_partition_after_a_rebalance(
    kafka: str, join: Callable[[], AlertGroup]
) -> None:
    one = join()
    publish(kafka, one.topic, episode(1))
    assert taken(one) is not None
    other, joined = join(), threading.Event()

    def read_other() -> Delivery | Unreadable | None:
        found = None
        while found is None and not joined.is_set():
            found = other.poll(0.05)
        return found

    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(read_other)
        assert not one.wait(20.0, lambda: False)
        one.done()
        mine = None
        for _ in range(POLLS):
            mine = mine or one.poll(0.05)
            if mine or (theirs.done() and theirs.result()):
                break
        joined.set()
        assert (mine is None) is not (theirs.result(10) is None)
    standby = other if mine else one
    assert standby.joined
    assert standby.lag() == 0
    assert not standby.wait(0.1, lambda: False)


@pytest.mark.parametrize("from_beginning", [True, False])
def test_where_a_group_begins_holds_though_its_first_member_leaves_with_nothing_done(
    kafka: str, make_topic: TopicMaker, from_beginning: bool
) -> None:
    topic, group = make_topic(), f"group-{uuid.uuid4().hex[:8]}"
    publish(kafka, topic, episode(1))
    first = AlertGroup({"bootstrap.servers": kafka}, group, topic, from_beginning=from_beginning)
    first.close()
    publish(kafka, topic, episode(2))
    second = AlertGroup({"bootstrap.servers": kafka}, group, topic, from_beginning=not from_beginning)
    record = taken(second, POLLS // 3)
    second.close()
    assert isinstance(record, Delivery)
    assert record.alert.alert_id == episode(1 if from_beginning else 2).alert_id


def test_a_kafka_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.alert_stream.REACH_TIMEOUT_S", 1.0)
    with pytest.raises(Refused, match=r"cannot be reached at 127\.0\.0\.1:1:") as caught:
        AlertGroup({"bootstrap.servers": "127.0.0.1:1"}, "group", "alerts")
    assert caught.value.code is Exit.KAFKA
