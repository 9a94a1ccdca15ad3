"""Faust's traps, by their numbers: each bites with its cure switched off, and does not with it on."""

import sys
import time

import pytest
from confluent_kafka import Producer

from stream.exits import Exit
from tests.faults.administration import deny_writing, empty
from tests.faults.conftest import Convene
from tests.faults.court import UNHURRIED, Court, killed, wait_until
from tests.faults.story import Told
from tests.faults.test_transactional_upstream import publish_in_transactions
from tests.faults.topic_log import committed_offsets, read_log
from tests.integrations.deployment import PATIENCE_S, Worker

pytestmark = pytest.mark.needs_apache


def without(cure: str) -> tuple[str, ...]:
    """The product without one cure."""
    return (sys.executable, "-m", "tests.faults.uncured", cure)


def spoil_samples(court: Court) -> None:
    """Put something into the samples topic that no stage can read, as an operator's mistake would."""
    producer = Producer({"bootstrap.servers": court.deployment.bootstrap_servers})
    producer.produce(court.deployment.config.samples_topic, b"no sample batch", partition=0)
    assert producer.flush(30) == 0


def spoiled_at(court: Court) -> int:
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    return next(it.offset for it in log if it.value == b"no sample batch")


def passed(court: Court, offset: int) -> bool:
    config = court.deployment.config
    committed = committed_offsets(court.deployment.bootstrap_servers, config.name, config.samples_topic)
    return committed[0] > offset


def test_p3_an_error_in_an_agent_is_not_acked_away_but_ends_the_worker(court: Court):
    court.judge.publish(court.story.chapter(0))
    careless = court.deployment.start(without("P3"))
    careless.wait_for("worker.ready")
    spoil_samples(court)
    wait_until(lambda: passed(court, spoiled_at(court)), "without the cure, the record is passed over")
    assert careless.process.poll() is None
    killed(careless)

    spoil_samples(court)
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    last = max(it.offset for it in log if it.value == b"no sample batch")
    for _ in range(2):
        worker = court.deployment.start()
        assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
        assert worker.stop_reason
    assert not passed(court, last)


def test_p6_a_refused_write_is_not_only_logged_but_ends_the_worker(guarded: Court):
    deny_writing(guarded.deployment.bootstrap_servers, guarded.deployment.config.alerts.topic)
    guarded.judge.publish(guarded.story.chapter(0))
    careless = guarded.deployment.start(without("P6"))
    guarded.judge.publish(guarded.story.chapter(1))
    wait_until(lambda: guarded.lag() == 0, "without the cure, all is committed")
    assert careless.process.poll() is None
    killed(careless)
    guarded.judge.publish(guarded.story.chapter(2))
    worker = guarded.deployment.start()
    assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert "could not be written" in worker.stop_reason


def test_p8_records_of_aborted_transactions_are_not_read(court: Court):
    publish_in_transactions(court, court.story.chapter(0)[:2000])
    careless = court.deployment.start(without("P8"))
    wait_until(lambda: taken_back(court), "without the cure, they are counted")
    killed(careless)


def taken_back(court: Court) -> bool:
    return any("aborted-" in value for it in court.deployment.followed() for _, value in it.labels)


def test_p11_a_state_that_is_larger_than_a_record_may_be_is_stored_in_pieces(kafka: str, convene: Convene):
    waiting = {**UNHURRIED["time"], "allowed_lateness": "3650d"}
    court = convene(kafka, chapters=8, settings={"time": waiting, "topics": {"samples_partitions": 1}})
    for number in range(9):
        court.judge.publish(court.story.chapter(number))
    for _ in range(2):
        careless = court.deployment.start(without("P11"))
        assert careless.process.wait(PATIENCE_S) == Exit.FAIL_STOP
        assert "could not be written" in careless.stop_reason
    worker = court.deployment.start()
    wait_until(lambda: court.lag() == 0 and bool(court.stored()), "the state is stored")
    worker.wait_for("worker.ready")
    killed(worker)
    assert court.deployment.start().wait_for("shard.loaded")


def test_p12_a_state_that_is_gone_is_not_taken_for_one_that_never_was(court: Court):
    killed(court.worked())
    known = len(court.deployment.followed())
    empty(court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic)
    careless = court.deployment.start(without("P12"))
    court.judge.publish(court.story.chapter(1)[:40])
    wait_until(lambda: bool(court.stored()), "without the cure, a new state is stored")
    assert 0 < len(court.deployment.followed()) < known
    killed(careless)
    empty(court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic)
    assert court.deployment.start().process.wait(PATIENCE_S) == Exit.DATA


def test_n1_commits_do_not_wait_for_offsets_that_never_come(court: Court):
    topic = court.deployment.topic("events")

    def handled(worker: Worker, told: list[Told]) -> int:
        before = worker.metric("streamgauge_records_total")
        publish_in_transactions(court, told)
        wait_until(lambda: worker.metric("streamgauge_records_total") >= before + len(told), "all is handled")
        time.sleep(3.0)
        return sum(
            committed_offsets(
                court.deployment.bootstrap_servers, court.deployment.config.name, topic
            ).values()
        )

    careless = court.deployment.start(without("N1"))
    careless.wait_for("worker.ready")
    stalled = handled(careless, court.story.chapter(0)[:1000])
    killed(careless)
    ends = len(read_log(court.deployment.bootstrap_servers, topic))
    assert stalled < ends, "without the cure, commits do not stall"
    court.conclude(court.supervise())
