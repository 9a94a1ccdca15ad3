"""`streamgauge budget` shows what the workers have stored, and says so when there is nothing."""

import json
import uuid
from pathlib import Path

import msgspec
import pytest
import typer
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from typer.testing import CliRunner, Result

from detectors.settings import Settings
from detectors.verdicts import VERSION, AnomalyBatch, FleetShare, Verdict
from stream.commands.budget import budget
from stream.exits import Exit, Refused
from stream.local_broker import quiet_admin
from stream.snapshots import SnapshotWriter
from stream.stages import triage_stage
from tests.detectors.test_triage import verdict

TIMEOUT_S = 30
DAY_MS = 86_400_000
SHARE = FleetShare(320, 0.7, 5 / 7, 0.002)


@pytest.fixture
def config(kafka: str, tmp_path: Path) -> Path:
    """A configuration whose triage state topic exists, with two partitions."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    topic = NewTopic(f"{name}.triage-state", 2, 1, config={"cleanup.policy": "compact"})
    admin = quiet_admin(kafka)
    admin.create_topics([topic], request_timeout=TIMEOUT_S)[topic.topic].result()
    path = tmp_path / "streamgauge.yaml"
    path.write_text(f'name: {name}\nkafka: {{bootstrap.servers: "{kafka}"}}\n')
    return path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(budget)
    return CliRunner().invoke(app, arguments)


def muted(time_ms: int, pipeline: str) -> Verdict:
    return msgspec.structs.replace(
        verdict(time_ms, pipeline=pipeline), muted=True, chance_per_day=0.02, allowed_per_day=0.002
    )


def store(kafka: str, config: Path, partition: int, *verdicts: Verdict) -> None:
    """The snapshot of a triage shard that folded these verdicts."""
    stage = triage_stage(Settings())
    orders_ms = tuple(it.time_ms for it in verdicts)
    stage.step(0, AnomalyBatch(VERSION, 0, 0, 2 * DAY_MS, 0, orders_ms, verdicts, SHARE).to_bytes())
    plan = SnapshotWriter(partition, 1).plan(stage.dump(), 0)
    producer = Producer({"bootstrap.servers": kafka})
    name = config.read_text().split()[1]
    for entry in (*plan.parts, plan.manifest):
        producer.produce(f"{name}.triage-state", entry.value, entry.key.encode(), partition)
    assert producer.flush(TIMEOUT_S) == 0


def test_all_shards_are_shown_together(kafka: str, config: Path):
    store(kafka, config, 0, verdict(DAY_MS, pipeline="orders"), muted(DAY_MS, "payments"))
    store(kafka, config, 1, verdict(DAY_MS, pipeline="users"))
    result = run("-c", str(config), "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["at"] == "1970-01-03T00:00:00.000Z"
    assert told["fleet"] == {
        "days": 7,
        "budget": pytest.approx(5),
        "spent": 2,
        "left": pytest.approx(3),
        "muted": 1,
        "expected": pytest.approx(4.9),
        "series": 320,
    }
    assert [(each["spent"], each["muted"]) for each in told["series"]["accounts"]] == [(1, 0), (1, 0), (0, 1)]
    (quiet,) = told["muted"]
    assert (quiet["series"], quiet["needed_per_day"]) == ('latency{pipeline="payments"}', 0.002)


def test_people_read_what_is_left_and_what_would_have_passed(kafka: str, config: Path):
    store(kafka, config, 0, verdict(DAY_MS), muted(DAY_MS, "[red]pay\x1b[2J"))
    result = run("-c", str(config))
    assert result.exit_code == 0
    assert "alerts opened 1 (4 left of 5)" in result.stdout
    assert "50 d" in result.stdout
    assert "500 d" in result.stdout
    assert "[red]pay" in result.stdout, "labels are no markup"
    assert "\x1b" not in result.stdout, "labels move no cursor"


def test_before_the_first_snapshot_it_says_so(config: Path):
    result = run("-c", str(config))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing stored yet" in result.stderr


def test_a_missing_topic_is_refused_with_the_cure(kafka: str, tmp_path: Path):
    path = tmp_path / "other.yaml"
    path.write_text(f'name: test-{uuid.uuid4().hex}\nkafka: {{bootstrap.servers: "{kafka}"}}\n')
    result = run("-c", str(path))
    assert isinstance(result.exception, Refused)
    assert result.exception.code == Exit.KAFKA
    assert "topics create" in str(result.exception)
