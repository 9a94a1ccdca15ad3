"""Input as it really comes: poisoned, late, doubled, disordered and from the future. Good records lose nothing by it."""

import json
import random
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.faults.conftest import Convene
from tests.faults.court import UNHURRIED, killed, wait_until
from tests.faults.story import BEGIN_MS, HOUR_MS, MINUTE_MS, Told
from tests.faults.topic_log import read_log

POISON = (
    b"",
    b"\x00\xff\xfe",
    b"{",
    b"[1, 2, 3]",
    b'"text"',
    b"null",
    b'{"pipeline": 5, "state": "succeeded", "time": 1}',
    b'{"pipeline": "x", "state": "no such state", "time": 1}',
    b'{"pipeline": "x", "state": "succeeded", "time": "yesterday"}',
    b'{"pipeline": "x", "state": "succeeded", "time": -1}',
    b'{"pipeline": "x", "state": "succeeded", "time": "9999-12-31T23:59:59Z"}',
    b'{"pipeline": "x", "state": "succeeded", "time": 1, "labels": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    b'{"pipeline": "x", "state": "succeeded", "time": 1, "rows": ' + b"9" * 6_000 + b"}",
    b'{"pipeline": "\xff", "state": "succeeded", "time": 1}',
)


def poisoned(told: list[Told], chance: random.Random) -> Iterator[Told]:
    """One record in ten is poison."""
    for record in told:
        if chance.random() < 1 / 9:
            yield Told(chance.randrange(4), chance.choice(POISON))
        yield record


def disordered(told: list[Told], chance: random.Random) -> Iterator[Told]:
    """Records up to some hours out of order, one in ten twice, and some from the first hour or from the future."""
    ahead_ms = int(time.time() * 1000) + 24 * HOUR_MS
    for record in sorted(
        told, key=lambda it: int(json.loads(it.value)["time"]) + chance.randrange(4 * HOUR_MS)
    ):
        yield record
        if chance.random() < 0.1:
            yield record
        if chance.random() < 0.02:
            yield moved(record, BEGIN_MS + chance.randrange(HOUR_MS))
        if chance.random() < 0.02:
            yield moved(record, chance.choice([0, ahead_ms, 4_102_444_800_000]))


def moved(record: Told, time_ms: int) -> Told:
    return Told(record.partition, json.dumps({**json.loads(record.value), "time": time_ms}).encode())


def test_one_poisoned_record_in_ten_costs_the_others_nothing_even_over_kill_9(kafka: str, convene: Convene):
    court = convene(kafka)
    court.judge.publish(court.story.chapter(0))
    for number in (1, 2):
        worker = court.deployment.start()
        worker.wait_for("shard.loaded")
        told = list(poisoned(court.story.chapter(number), court.chance))
        with court.judge.publishing(told, over_s=2.0):
            time.sleep(court.chance.uniform(0.5, 2.0))
            killed(worker)
    verdict = court.conclude(court.supervise())
    assert verdict.dead_lettered > verdict.records / 20


def test_disordered_doubled_late_and_future_records_are_accounted_for_one_by_one(
    kafka: str, convene: Convene
):
    time_settings = {**UNHURRIED["time"], "allowed_lateness": "2h"}
    court = convene(kafka, settings={"time": time_settings}, closing_ms=6 * HOUR_MS)
    workers = court.supervise()
    worker = workers.workers[0]
    told = court.story.chapter(0)
    for number in (1, 2):
        told += disordered(court.story.chapter(number), court.chance)
    court.judge.publish(told)
    wait_until(lambda: worker.metric("streamgauge_records_total") == len(told), "every record is counted")
    counted = [worker.metric(f"streamgauge_{it}_total") for it in ("late_records", "dead_letters")]
    verdict = court.conclude(workers)
    assert min(verdict.late, verdict.dead_lettered) > 0, verdict
    assert counted == [verdict.late, verdict.dead_lettered]


@pytest.mark.all_faults
def test_a_publisher_whose_clock_is_ahead_moves_no_watermark(kafka: str, convene: Convene):
    court = convene(kafka)
    workers = court.supervise()
    court.judge.publish(court.story.chapter(0))
    ahead_ms = int(time.time() * 1000) + 50 * MINUTE_MS
    skewed = [moved(record, ahead_ms) for record in court.story.chapter(0)[:200]]
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True})
    for partition, value in skewed:
        producer.produce(court.deployment.topic("events"), value, partition=partition, timestamp=ahead_ms)
    assert producer.flush(30) == 0
    court.judge.owe(skewed)
    court.judge.publish(court.story.chapter(1))
    verdict = court.conclude(workers)
    assert (verdict.dead_lettered, verdict.late) == (len(skewed), 0)
    letters = read_log(kafka, court.deployment.config.dead_letters.topic)
    assert {dict(it.headers)["reason"] for it in letters} == {b"future_time"}
