"""`streamgauge state` on stored snapshots: what it writes, shows and brings back, and what it refuses, each with the way out."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from typer.testing import CliRunner, Result

from detectors.portable.lifting import lifted, tables_of
from detectors.portable.series import Portable
from detectors.portable.shard import raw_records
from stream.cli import app
from stream.config import Config, librdkafka_properties, load
from stream.exits import Exit, Refused
from stream.state.archive import read, write
from stream.state.broker import Cluster
from stream.state.snapshots import StateTopic
from stream.topics import Broker, create, wanted
from tests.stream.state.state_examples import PIPELINES, chunks_of, process_of, settings_text, store

pytestmark = pytest.mark.needs_apache
Place = Callable[..., "Here"]


class Here:
    """One deployment: its configuration file, and commands with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config: Config = load(path)
        create(Broker(self.config).admin, wanted(self.config))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["state", *arguments, "--config", str(self.path)])

    def done(self, *arguments: str) -> Result:
        result = self.run(*arguments)
        assert result.exit_code == Exit.OK, (result.output, result.exception)
        return result

    def refused(self, *arguments: str) -> Refused:
        result = self.run(*arguments)
        assert isinstance(result.exception, Refused), (result.output, result.exception)
        return result.exception

    def series(self) -> dict[bytes, Portable]:
        """Every follower that is stored, with its sources by name."""
        topic = StateTopic(
            librdkafka_properties(self.config, "consumer"), self.config.detect_state_topic, lambda _: None
        )
        stored = [topic.stored(shard).snapshot for shard in range(topic.shards)]
        topic.close()
        chunks = [it.chunks for it in stored if it is not None]
        tables = tables_of(chunks)
        return {it.name: it for of in chunks for it in lifted(of, tables)}


@pytest.fixture
def place(kafka: str, tmp_path: Path) -> Place:
    """Makes deployments of so many shards that read a topic."""

    def made(topic: str, shards: int, **more: object) -> Here:
        name = f"st-{uuid.uuid4().hex[:8]}"
        path = tmp_path / f"{name}.yaml"
        path.write_text(settings_text(name, kafka, [topic], shards, **more))
        return Here(path)

    return made


@pytest.fixture
def topic() -> str:
    return f"events-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def learned(place: Place, topic: str) -> Here:
    """A deployment of three shards that has stored what it has learned."""
    here = place(topic, 3)
    store(here.config, *chunks_of(process_of(topic, 3, settings=here.config.settings())))
    return here


@pytest.fixture
def file(learned: Here, tmp_path: Path) -> str:
    path = str(tmp_path / "state.sgs")
    told = learned.done("export", path).stderr
    assert f"{len(PIPELINES)} label sets with {len(PIPELINES)} numeric series from 3 shards" in told
    assert "stored last" in told
    assert "may be judged twice" not in told
    return path


def test_what_is_exported_can_be_looked_into(learned: Here, file: str):
    shown = learned.done("inspect", file).stdout
    assert "6 label sets" in shown
    assert "latency" in shown
    assert "open alert" in shown
    summary = json.loads(learned.done("inspect", file, "--json").stdout)
    assert {it["signal"]: it["series"] for it in summary["signals"]} == dict.fromkeys(
        ("duplicates", "failures", "freshness", "lateness", "latency"), 6
    )
    assert len(summary["shards"]) == 3
    assert len(summary["largest"]) == 6
    (alert,) = summary["open_alerts"]
    assert alert["series"] == 'latency{pipeline="pipeline-0"}'
    from_kafka = json.loads(learned.done("inspect", "--from-kafka", "--json").stdout)
    assert from_kafka["signals"] == summary["signals"]
    assert f"name: {learned.config.name}" in learned.done("inspect", file, "--show-config").stdout


def test_one_series_is_shown_with_what_is_known_of_it(learned: Here, file: str):
    shown = learned.done("inspect", file, "--series", "latency{pipeline=pipeline-1}").stdout
    for name in ("samples", "level", "spread", "upper", "warming"):
        assert name in shown
    known = json.loads(
        learned.done("inspect", file, "--series", "latency{pipeline=pipeline-1}", "--json").stdout
    )
    assert known["samples"] == 40
    assert known["upper"] > known["level"] > 50_000
    missing = learned.refused("inspect", file, "--series", "volume{pipeline=pipeline-1}")
    assert 'latency{pipeline="pipeline-1"}' in str(missing)


def test_a_file_or_kafka_has_to_be_named(learned: Here, file: str):
    for arguments in ([], [file, "--from-kafka"]):
        assert learned.refused("inspect", *arguments).code == Exit.USAGE


def test_it_goes_to_standard_output_and_comes_from_standard_input(learned: Here):
    raw = learned.done("export", "-").stdout_bytes
    result = CliRunner().invoke(app, ["state", "inspect", "-", "--json"], input=raw)
    assert json.loads(result.stdout)["label_sets"] == 6


@pytest.mark.parametrize("shards", [2, 5])
def test_series_come_to_another_number_of_shards_unchanged(
    learned: Here, file: str, place: Place, topic: str, shards: int
):
    there = place(topic, shards)
    dry = there.done("import", file, "--dry-run")
    assert f"from 3 shards go to {shards}" in dry.stdout
    assert "nothing was changed" in dry.stderr
    assert there.series() == {}
    there.done("import", file)
    assert there.series() == learned.series()
    assert "nothing to do" in there.done("import", file).stderr


@pytest.mark.parametrize(
    ("cluster", "begins", "why"),
    [("", 240, "where the state stands"), ("elsewhere/", 250, "only what comes from now on")],
    ids=["the very topic", "another one"],
)
def test_sources_go_on_where_the_state_stands_if_they_are_the_very_topics(
    file: str, place: Place, topic: str, cluster: str, begins: int, why: str
):
    there = place(topic, 2)
    producer = Producer({"bootstrap.servers": str(there.config.kafka["bootstrap.servers"])})
    for _ in range(250):
        producer.produce(topic, b"{}", partition=0)
    assert producer.flush(30) == 0
    archive = read(Path(file))
    archive.head.topics = {name: cluster + it for name, it in archive.head.topics.items()}
    write(archive, Path(file))
    assert why in there.done("import", file).stdout
    assert Cluster(there.config).committed([topic])[topic, 0] == begins
    known = there.series().values()
    assert len(known) == len(PIPELINES)
    due = [raw_records("follower", it.follower)[0]["arrivals"]["due_ms"] for it in known]
    assert all(it == -1 for it in due) == bool(cluster)


def test_what_is_stored_is_not_overwritten_unless_that_is_said(
    learned: Here, file: str, place: Place, topic: str
):
    there = place(topic, 2)
    store(there.config, *chunks_of(process_of(topic, 2, runs=60, settings=there.config.settings())))
    refused = there.refused("import", file)
    assert refused.code == Exit.CONDITION
    assert "which is newer than that of the archive" in str(refused)
    there.done("import", file, "--force")
    assert there.series() == learned.series()


def test_where_workers_run_nothing_is_imported(learned: Here, file: str):
    consumer = Consumer(
        {**librdkafka_properties(learned.config, "consumer"), "group.id": learned.config.name}
    )
    consumer.subscribe([learned.config.samples_topic])
    while not consumer.assignment():
        consumer.poll(0.2)
    refused = learned.refused("import", file, "--force")
    consumer.close()
    assert f"workers of {learned.config.name} are running" in str(refused)


def test_series_that_mean_something_else_are_named(learned: Here, file: str, place: Place, topic: str):
    other = place(f"{topic}-other", 2)
    assert f"{topic}: is no source any more (6 of 6 label sets)" in str(other.refused("import", file))
    assert "nothing would be imported" in str(other.refused("import", file, "--leave-out"))
    windows = place(topic, 2, time={"window": "1m"})
    assert "time.window was 5m, and is 1m" in str(windows.refused("import", file))
    otherwise = place(topic, 2, sources=[{"topic": topic, "format": "metrics"}])
    assert "format was 'events', and is 'metrics'" in str(otherwise.refused("import", file))


def test_a_damaged_file_is_refused_before_anything_is_asked(learned: Here, file: str):
    raw = bytearray(Path(file).read_bytes())
    raw[len(raw) // 2] ^= 1
    Path(file).write_bytes(raw)
    refused = learned.refused("import", file)
    assert refused.code == Exit.DATA
    assert "checksum of frame" in str(refused)
    assert "cannot be read" in str(learned.refused("inspect", f"{file}.none"))


def test_without_topics_or_state_it_says_what_to_do(
    place: Place, topic: str, kafka: str, tmp_path: Path, file: str
):
    path = str(tmp_path / "none.sgs")
    empty = place(topic, 2)
    assert "streamgauge run" in str(empty.refused("export", path))
    process = process_of(topic, 2, settings=empty.config.settings())
    (first, _), _ = chunks_of(process)
    store(empty.config, [first, None], None)
    assert "holds no snapshot of shard 1 of 2" in str(empty.refused("export", path))
    assert not Path(path).exists()
    bare = tmp_path / "bare.yaml"
    bare.write_text(settings_text(f"bare-{uuid.uuid4().hex[:8]}", kafka, [topic], 2))
    result = CliRunner().invoke(app, ["state", "import", file, "--config", str(bare)])
    assert "streamgauge topics create" in str(result.exception)
