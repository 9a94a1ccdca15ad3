"""A million new series in one burst, more than there may be: the cap shows, memory is bounded, and known series are judged as ever."""

import signal
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Convene
from tests.faults.court import Court, wait_until
from tests.faults.judge import PROCESSING_TIMES, SOURCE
from tests.faults.reference import Read, Reference
from tests.faults.story import BEGIN_MS, HOUR_MS, WARM_UP_RUNS
from tests.faults.topic_log import Entry, read_log
from tests.integrations.deployment import PARTITIONS, Worker

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]
FLOOD = 1_000_000
FLOODED = b'"pipeline": "flood-'
SERIES_MAX = 50_000
GROWTH_BYTES_MAX = 900 << 20


def test_a_million_new_series_in_a_burst_take_bounded_memory_and_no_known_series_its_place(
    kafka: str, convene: Convene
):
    court = convene(kafka, settings={"limits": {"series_max": SERIES_MAX}})
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise()
    (worker,) = workers.workers
    worker.wait_for("worker.ready")
    wait_until(lambda: court.lag() == 0 and bool(court.stored()), "the warm-up is read and stored")
    known = {dict(it.labels)["pipeline"] for it in court.deployment.followed()}
    before_bytes = worker.peak_bytes
    court.deployment.publish(SOURCE, flood())
    court.deployment.wait_until_read(worker)
    court.judge.publish(court.story.chapter(1))
    court.judge.send_canary(meanwhile=workers.look)
    court.deployment.wait_until_read(worker)
    shards = court.deployment.config.topics.samples_partitions
    wait_until(lambda: refused(worker) >= FLOOD - SERIES_MAX * shards, "what is kept out is counted")
    assert worker.peak_bytes - before_bytes < GROWTH_BYTES_MAX
    assert worker.end(signal.SIGTERM) == 0
    assert workers.exits == []
    followed = {dict(it.labels)["pipeline"] for it in court.deployment.followed()}
    assert len(followed) <= SERIES_MAX * shards
    assert known <= followed
    health, others = alerts(court)
    assert len(health) == shards
    assert others == expected(court)


def flood() -> Iterator[tuple[int, bytes]]:
    """Runs of so many pipelines, at the end of the warm-up's time."""
    time_ms = BEGIN_MS + WARM_UP_RUNS * HOUR_MS - 1
    for number in range(FLOOD):
        event = b'%s%d", "state": "succeeded", "time": %d, "rows": 7}' % (FLOODED, number, time_ms)
        yield number % PARTITIONS, b"{" + event


def alerts(court: Court) -> tuple[set[bytes], set[bytes]]:
    """Alerts that speak of the cap, and the others, without the times at which they were made."""
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.alerts.topic)
    bodies = {body(it.value) for it in log}
    health = {it for it in bodies if b'"kind":"detector_health"' in it}
    return health, bodies - health


def expected(court: Court) -> set[bytes]:
    """The alerts of the story as it would be without the flood."""
    topic = court.deployment.topic(SOURCE)
    log = read_log(court.deployment.bootstrap_servers, topic)
    known = [read(topic, it) for it in log if FLOODED not in (it.value or b"")]
    reference = Reference(court.deployment.config, {topic: PARTITIONS}, known)
    return {body(it.value) for it in reference.alerts}


def read(topic: str, it: Entry) -> Read:
    return Read(topic, it.partition, it.offset, it.timestamp_ms, it.value)


def body(value: bytes | None) -> bytes:
    return PROCESSING_TIMES.sub(b"", value or b"")


def refused(worker: Worker) -> float:
    """How often a series was met that is not followed, as far as it is stored."""
    return worker.metric('streamgauge_stage_events_total{event="series_refused"}')
