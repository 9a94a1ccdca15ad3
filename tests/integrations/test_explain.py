"""Explain and replay on a real Kafka: an alert of a worker, looked at and made once more, before and after retention."""

import json
import signal
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer
from confluent_kafka import TopicPartition
from typer.testing import CliRunner, Result

from detectors.alerts import Alert
from detectors.orders import is_order
from detectors.samples import SampleBatch
from stream import simulation
from stream.commands.explain import explain
from stream.commands.replay import replay
from stream.config import librdkafka_properties
from stream.exits import Exit, Refused
from stream.retained import Retained
from stream.topics import Broker
from tests.integrations.deployment import Deployment

PARTITIONS = 4
DAYS = 14


def events(end_ms: int) -> list[tuple[int, bytes]]:
    """Two weeks of the simulated platform and a run that takes too long, dealt out to the partitions."""
    found = [*simulation.history(end_ms, DAYS, end_ms + 20_000), *simulation.slow_run(end_ms + 1000).events()]
    found.sort(key=lambda event: int(event["time"]))
    last = {"pipeline": "last", "state": "succeeded", "time": found[-1]["time"] + 60_000}
    dealt = [(number // 50 % PARTITIONS, event) for number, event in enumerate(found)]
    dealt += [(partition, last) for partition in range(PARTITIONS)]
    return [(partition, json.dumps(event).encode()) for partition, event in dealt]


@pytest.fixture(scope="module")
def deployment(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """What a worker has left behind that read all of it."""
    made = Deployment(kafka, tmp_path_factory.mktemp("explain"), {"events": "events"})
    made.publish("events", events(int(time.time() * 1000) - 120_000))
    worker = made.start()
    made.wait_until_read(worker)
    made.wait_for_alerts(1)
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    yield made
    made.close()


@pytest.fixture(scope="module")
def slow(deployment: Deployment) -> Alert:
    """The alert of the run that took too long."""
    alerts = [it for it in deployment.alerts() if it.kind == "latency" and it.state == "firing"]
    return next(it for it in alerts if it.series.labels["pipeline"] == "orders")


def run(command: Any, deployment: Deployment, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [*arguments, "-c", str(deployment.config_path)])


def test_explain_shows_the_samples_around_the_incident_with_what_was_expected(
    deployment: Deployment, slow: Alert, tmp_path: Path
) -> None:
    picture = tmp_path / "it.svg"
    result = run(explain, deployment, slow.alert_id[:8], "--json", "--svg", str(picture))
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["alert"]["alert_id"] == slow.alert_id
    assert told["story"][0]["reason"] == slow.transition_reason
    assert told["source_positions"]
    samples = told["series"]["samples"]
    assert len(samples) > 30
    worst = max(samples, key=lambda it: it["value"])
    assert worst["value"] > 2 * worst["upper"]
    assert worst["expected"] == pytest.approx(slow.expected, rel=1e-3)
    assert told["notes"] == []
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")  # noqa: S314  our own picture


def test_explain_reads_as_text(deployment: Deployment, slow: Alert) -> None:
    result = run(explain, deployment, slow.alert_id)
    assert result.exit_code == 0, result.stderr
    for part in (slow.summary, "opened: ", "source records", "░", "▼", "▀", "samples, the last one"):
        assert part in result.stdout


def test_replay_makes_the_alert_once_more_equal_to_the_byte(deployment: Deployment) -> None:
    for alert_id in sorted({it.alert_id for it in deployment.alerts()}):
        result = run(replay, deployment, alert_id, "--json")
        told = json.loads(result.stdout)
        assert (result.exit_code, told["differences"]) == (0, []), result.stderr
        assert told["batches"]["differing"] == 0
        assert told["batches"]["equal"] > 0


def test_an_alert_that_is_not_there_is_refused_with_where_to_look(deployment: Deployment) -> None:
    for command in (explain, replay):
        result = run(command, deployment, "0123456789ab")
        assert isinstance(result.exception, Refused)
        assert result.exception.code == Exit.DATA
        assert "streamgauge alerts --no-follow" in str(result.exception)


@pytest.mark.needs_apache
def test_after_retention_they_say_what_is_gone(deployment: Deployment, slow: Alert) -> None:
    drop(deployment, 0.4)
    explained = json.loads(run(explain, deployment, slow.alert_id, "--json").stdout)
    assert "the band is that of a detector that knows no more" in explained["notes"][0]
    assert explained["series"]["samples"]
    replayed = run(replay, deployment, slow.alert_id, "--json")
    told = json.loads(replayed.stdout)
    assert replayed.exit_code == Exit.CONDITION, told
    assert any("detect had learned from what is gone" in reason for reason in told["reasons"])
    drop(deployment, 1)
    explained = json.loads(run(explain, deployment, slow.alert_id, "--json").stdout)
    assert explained["notes"] == ["no sample of this series is retained any more: there is nothing to draw"]
    assert "nothing to draw" in run(explain, deployment, slow.alert_id).stdout


def rows_of(value: bytes) -> int:
    return 0 if is_order(value) else len(SampleBatch.from_bytes(value).runs.columns[0])


def drop(deployment: Deployment, share: float) -> None:
    """Delete the samples records with the first rows of each partition, as retention does; all records for a share of 1."""
    config = deployment.config
    properties = librdkafka_properties(config, "consumer")
    places = []
    for shard in range(config.topics.samples_partitions):
        samples = Retained(properties, config.samples_topic, shard)
        rows = {it.offset: rows_of(it.value) for it in samples.read()}
        told = zip(rows, accumulate(rows.values()), strict=True)
        first = next((offset for offset, so_far in told if so_far >= share * sum(rows.values())), samples.end)
        places.append(TopicPartition(config.samples_topic, shard, samples.end if share == 1 else first + 1))
    for deleted in Broker(config).admin.delete_records(places).values():
        deleted.result()
