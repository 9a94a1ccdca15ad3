"""Faust's traps, by their numbers: each bites with its cure switched off, and does not with it on."""

import signal
import sys
import time
import urllib.error

import pytest
from confluent_kafka import Producer

from detectors.samples import SampleBatch
from stream.exits import Exit
from tests.faults.administration import deny_writing, empty
from tests.faults.conftest import Convene
from tests.faults.court import UNHURRIED, Court, killed, wait_until
from tests.faults.scenario import Scenario
from tests.faults.scenario import Worker as CountingWorker
from tests.faults.test_transactional_upstream import publish_in_transactions
from tests.faults.topic_log import committed_offsets, read_log
from tests.integrations.deployment import PARTITIONS, PATIENCE_S

STAGES = 5
SILENT_S = 15.0
KEYS = [f"key-{n}" for n in range(100)] * 20
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


@pytest.mark.all_faults
def test_p3_an_error_in_an_agent_is_not_acked_away_but_ends_the_worker(court: Court):
    court.judge.publish(court.story.chapter(0))
    careless = court.deployment.start(without("P3"))
    careless.wait_for("worker.ready")
    spoil_samples(court)
    time.sleep(SILENT_S)
    assert careless.process.poll() is None, "without the cure, a dead agent is nobody's business"
    assert not careless.stop_reason
    killed(careless)
    for _ in range(2):
        worker = court.deployment.start()
        assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
        assert worker.stop_reason
    assert not passed(court, spoiled_at(court))


@pytest.mark.all_faults
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


@pytest.mark.all_faults
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
    known = sum(it.n for it in court.deployment.followed())
    empty(court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic)
    careless = court.deployment.start(without("P12"))
    court.judge.publish(court.story.chapter(1)[:40])
    wait_until(
        lambda: len(court.stored()) == PARTITIONS and bool(court.deployment.followed()),
        "without the cure, a new state is stored",
    )
    assert sum(it.n for it in court.deployment.followed()) < known
    killed(careless)
    empty(court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic)
    assert court.deployment.start().process.wait(PATIENCE_S) == Exit.DATA


@pytest.mark.all_faults
def test_n1_commits_do_not_wait_for_offsets_that_never_come(court: Court):
    careless = court.deployment.start(without("N1"))
    careless.wait_for("worker.ready")
    told = court.story.chapter(0)[:1000]
    publish_in_transactions(court, told)
    wait_until(lambda: careless.metric("streamgauge_records_total") >= len(told), "all is handled")
    time.sleep(SILENT_S)
    assert court.lag() > 0, "without the cure, commits do not stall"
    killed(careless)
    court.conclude(court.supervise())


@pytest.mark.all_faults
def test_n2_a_worker_that_wakes_late_overwrites_no_newer_state_even_if_it_goes_on(court: Court):
    """The freeze guard is off all the time: what then protects the state is that no key is written twice."""
    court.judge.publish(court.story.chapter(0))
    for number in (1, 2):
        assert not falls_back(court, number, without("N2-guard"))
    court.conclude(court.supervise())


@pytest.mark.all_faults
def test_n2_bites_where_a_late_worker_writes_under_the_keys_of_the_newer_one(court: Court):
    court.judge.publish(court.story.chapter(0))
    assert any(falls_back(court, number, without("N2")) for number in (1, 2, 3))


def falls_back(court: Court, number: int, program: tuple[str, ...]) -> bool:
    """Freeze a worker, let a newer one store more and die, and thaw it: whether the stored state is then older."""
    sleeper = court.deployment.start(program)
    sleeper.wait_for("shard.loaded", STAGES)
    with court.judge.publishing(court.story.chapter(number), over_s=10.0):
        time.sleep(court.chance.uniform(1.0, 2.0))
        sleeper.process.send_signal(signal.SIGSTOP)
        newer = court.deployment.start(program)
        newer.wait_for("shard.loaded", STAGES - 1)
        time.sleep(2.0)
        killed(newer)
        best = court.stored()
        sleeper.process.send_signal(signal.SIGCONT)
        time.sleep(1.0)
        assert sleeper.process.poll() is None, "it did not go on"
        killed(sleeper)
    after = court.stored()
    return any(after.get(shard, 0) < stored for shard, stored in best.items())


@pytest.mark.all_faults
def test_n3_a_source_partition_that_ends_in_a_marker_is_read_to_its_end_and_becomes_idle(
    kafka: str, convene: Convene
):
    court = convene(kafka, settings={"time": {**UNHURRIED["time"], "idle_timeout": "2s"}})
    publish_in_transactions(court, court.story.chapter(0)[:1000])
    careless = court.deployment.start(without("N3-sources"))
    wait_until(lambda: court.lag() == 0, "it is read")
    time.sleep(SILENT_S)
    assert not idle(court), "without the cure, a partition becomes idle"
    killed(careless)
    court.deployment.start()
    wait_until(lambda: len(idle(court)) == PARTITIONS, "every partition is idle")


def idle(court: Court) -> set[int]:
    """The source partitions of which ingest has ever said that they are idle, which they are only when read to the end."""
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    marks = [SampleBatch.from_bytes(it.value or b"").mark for it in log]
    return {mark.partition for mark in marks if mark.idle and mark.caught_up}


@pytest.mark.all_faults
def test_n3_a_state_topic_that_ends_in_a_marker_is_read_to_its_end(court: Court):
    killed(court.worked())
    config = court.deployment.config
    abort_a_transaction(court, config.detect_state_topic)
    abort_a_transaction(court, config.triage_state_topic)
    careless = court.deployment.start(without("N3-state"))
    careless.wait_for("worker.ready")
    court.judge.publish(court.story.chapter(1))
    time.sleep(SILENT_S)
    assert not careless.logged("shard.loaded"), "without the cure, a shard is loaded"
    killed(careless)
    court.conclude(court.supervise())


def abort_a_transaction(court: Court, topic: str) -> None:
    """Leave a marker at the end of each partition, as a program does that copies topics in transactions."""
    producer = Producer(
        {"bootstrap.servers": court.deployment.bootstrap_servers, "transactional.id": f"copies-{topic}"}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition in producer.list_topics(topic, 30).topics[topic].partitions:
        producer.produce(topic, b"copied", b"copied", partition=partition)
    producer.flush(30)
    producer.abort_transaction(30)


@pytest.mark.all_faults
def test_p13_a_worker_that_holds_partitions_and_reads_nothing_says_so_and_ends(scenario: Scenario):
    scenario.publish(KEYS)
    worker = scenario.start(stall_s=10.0, deaf=True)
    wait_until(lambda: "nothing was handled" in unready(worker), "it shows in readiness")
    assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert "nothing was handled" in str(worker.logged("worker.stopped")[-1]["reason"])

    careless = scenario.start(stall_s=100_000.0, deaf=True)
    careless.wait_for("worker.ready")
    time.sleep(SILENT_S)
    assert careless.process.poll() is None, "without the cure, it stays for ever"
    assert scenario.lag() > 0


def unready(worker: CountingWorker) -> str:
    try:
        worker.get("/readyz")
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())
    except OSError:
        pass
    return ""
