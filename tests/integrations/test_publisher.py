"""The SDK against a real Kafka: what arrives on the topics, and what happens when the broker goes and comes back."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from stream.formats.caps import Caps
from stream.formats.events import Events
from stream.formats.limits import Limits
from stream.publisher import Publisher
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.topics import TopicMaker

TIMEOUT_S = 30


def records(kafka: str, topic: str) -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of everything that is on a topic now."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "test",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(TIMEOUT_S)
        assert message is not None, "the topic was not read to its end"
        if message.error() is None:
            found.append((message.partition() or 0, message.key() or b"", message.value() or b""))
        else:
            ended += 1
    consumer.close()
    return found


def events(kafka: str, topic: str) -> list[dict[str, Any]]:
    return [json.loads(value) for _, _, value in records(kafka, topic)]


@pytest.fixture
def topic(make_topic: TopicMaker) -> str:
    return make_topic(partitions=3)


@pytest.fixture
def publisher(kafka: str, topic: str) -> Iterator[Publisher]:
    with Publisher(kafka, topic=topic) as publisher:
        yield publisher


def test_a_run_that_succeeds_is_two_events_that_ingest_reads(publisher: Publisher, kafka: str, topic: str):
    schema = [{"name": "id", "type": "long", "nullable": False}]
    about: dict[str, Any] = {
        "task": "load",
        "labels": {"region": "eu"},
        "dataset": "warehouse.orders",
        "owner": "data",
    }
    with publisher.run("orders", **about) as run:
        run.add_rows(100)
        run.add_rows(23)
        run.bytes = 99_120
        run.schema = schema
    assert publisher.flush(TIMEOUT_S)
    started, ended = events(kafka, topic)
    assert started == {
        "pipeline": "orders",
        "state": "started",
        "time": started["time"],
        "run_id": run.run_id,
        **about,
    }
    duration_ms = ended.pop("duration_ms")
    assert ended == {
        **started, "state": "succeeded", "time": ended["time"], "rows": 123, "bytes": 99_120, "schema": schema
    }  # fmt: skip
    assert duration_ms >= 0
    assert uuid.UUID(run.run_id).version == 4
    table = Events(Limits(), Caps(Limits()), 1).read([value for _, _, value in records(kafka, topic)])
    assert (table.dead, len(table.run_columns().record)) == ({}, 2)


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (ValueError("no such table"), "ValueError: no such table"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit("gave up"), "SystemExit: gave up"),
    ],
)
def test_a_run_left_by_an_exception_is_failed_and_the_exception_goes_on(
    publisher: Publisher, kafka: str, topic: str, raised: BaseException, error: str
):
    with pytest.raises(type(raised)) as caught, publisher.run("orders", run_id="r-1"):
        raise raised
    assert caught.value is raised
    assert publisher.flush(TIMEOUT_S)
    ended = events(kafka, topic)[-1]
    assert (ended["state"], ended["error"], ended["run_id"]) == ("failed", error, "r-1")


def test_exiting_with_code_0_is_no_failure(publisher: Publisher, kafka: str, topic: str):
    with pytest.raises(SystemExit), publisher.run("orders"):
        sys.exit(0)
    assert publisher.flush(TIMEOUT_S)
    assert events(kafka, topic)[-1]["state"] == "succeeded"


def test_a_run_may_say_itself_that_it_was_skipped_or_failed(publisher: Publisher, kafka: str, topic: str):
    with publisher.run("orders") as run:
        run.skip()
    with publisher.run("orders") as run:
        run.fail("checksum differs")
    assert publisher.flush(TIMEOUT_S)
    ends = [
        (event["state"], event.get("error")) for event in events(kafka, topic) if event["state"] != "started"
    ]
    assert ends == [("skipped", None), ("failed", "checksum differs")]


def test_events_are_keyed_by_pipeline_so_that_one_pipeline_s_events_keep_their_order(
    publisher: Publisher, kafka: str, topic: str
):
    for number in range(200):
        publisher.event(f"pipeline-{number % 7}", "succeeded", run_id=str(number))
    assert publisher.flush(TIMEOUT_S)
    seen: dict[bytes, list[tuple[int, int]]] = {}
    for partition, key, value in records(kafka, topic):
        seen.setdefault(key, []).append((partition, int(json.loads(value)["run_id"])))
    assert sorted(seen) == [b"pipeline-%d" % number for number in range(7)]
    assert all(len({partition for partition, _ in found}) == 1 for found in seen.values())
    assert all(found == sorted(found) for found in seen.values())
    assert sum(map(len, seen.values())) == 200


def test_the_first_example_of_the_guide_reports_what_it_says(kafka: str, topic: str):
    guide = (Path(__file__).parents[2] / "docs/how-to/publish.md").read_text()
    example = guide.partition("```python")[2].partition("```")[0]
    program = example.replace('"localhost:9092"', f"'{kafka}', topic='{topic}'")
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=2 * TIMEOUT_S)
    assert [(event["state"], event.get("rows")) for event in events(kafka, topic)] == [
        ("started", None),
        ("succeeded", 5),
    ]


def test_metrics_go_to_their_own_topic(kafka: str, topic: str):
    with Publisher(kafka, metrics_topic=topic) as publisher:
        publisher.metric("queue_depth", 17, {"queue": "mail"}, 1_772_359_200_000)
    assert events(kafka, topic) == [
        {"name": "queue_depth", "value": 17, "time": "2026-03-01T10:00:00.000Z", "labels": {"queue": "mail"}}
    ]


@pytest.mark.needs_apache
def test_a_missing_topic_is_named_in_the_log(kafka: str, caplog: pytest.LogCaptureFixture):
    missing = f"missing-{uuid.uuid4().hex[:8]}"
    properties = {"bootstrap.servers": kafka, "topic.metadata.propagation.max.ms": 500}
    publisher = Publisher(properties=properties, topic=missing)
    publisher.event("orders", "started")
    assert publisher.flush(TIMEOUT_S)
    assert (publisher.dropped, publisher.delivered) == (1, 0)
    assert f"an event was dropped: there is no topic {missing}" in caplog.text


def test_parent_and_forked_child_each_deliver_their_own_events_once(
    publisher: Publisher, kafka: str, topic: str
):
    publisher.event("parent", "started")
    assert publisher.flush(TIMEOUT_S)
    publisher.event("parent", "succeeded")
    child = os.fork()
    if child == 0:
        with publisher.run("child"):
            pass
        os._exit(publisher.dropped)  # as Airflow's and Celery's workers end: without exit handlers
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert publisher.flush(TIMEOUT_S)
    found = sorted((event["pipeline"], event["state"]) for event in events(kafka, topic))
    assert found == [
        ("child", "started"),
        ("child", "succeeded"),
        ("parent", "started"),
        ("parent", "succeeded"),
    ]


@pytest.mark.parametrize("ending", ["", "os.fork()", "sys.exit(3)", "raise ValueError", "del publisher"])
def test_a_program_that_just_ends_has_delivered_its_events(kafka: str, topic: str, ending: str):
    program = (
        "import os, sys\nfrom stream.publisher import Publisher\n"
        f"publisher = Publisher('{kafka}', topic='{topic}')\n"
        f"publisher.event('orders', 'started')\n{ending}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=2 * TIMEOUT_S)
    assert [event["state"] for event in events(kafka, topic)] == ["started"]


@pytest.mark.needs_apache
def test_a_broker_killed_in_the_middle_costs_nothing_and_doubles_nothing():
    with ApacheKafka() as broker:
        topic = TopicMaker(broker.bootstrap_servers)()
        publisher = Publisher(broker.bootstrap_servers, topic=topic)
        for number in range(100):
            publisher.event("orders", "succeeded", run_id=f"before-{number}")
        assert publisher.flush(TIMEOUT_S)
        for number in range(100):
            publisher.event("orders", "succeeded", run_id=f"at-{number}")
        broker.kill()
        for number in range(100):
            publisher.event("orders", "succeeded", run_id=f"away-{number}")
        assert publisher.flush(0.5) is False
        assert publisher.pending >= 100
        broker.start()
        assert publisher.flush(2 * TIMEOUT_S)
        assert (publisher.delivered, publisher.dropped) == (300, 0)
        wanted = [f"{phase}-{number}" for phase in ("before", "at", "away") for number in range(100)]
        assert [event["run_id"] for event in events(broker.bootstrap_servers, topic)] == wanted
        publisher.close(TIMEOUT_S)
