import uuid
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from stream import topics
from stream.commands.topics import app
from stream.config import Config
from stream.exits import Exit, Refused
from stream.topics import Broker, ProblemKind


@pytest.fixture
def config(kafka: str) -> Config:
    """A configuration with names of its own on the session's broker."""
    name = f"t{uuid.uuid4().hex[:10]}"
    return Config.model_validate(
        {
            "name": name,
            "kafka": {"bootstrap.servers": kafka},
            "sources": [{"topic": f"{name}.in", "format": "events"}],
            "alerts": {"topic": f"{name}.alerts"},
            "topics": {"samples_partitions": 3},
        }
    )


def test_what_is_missing_is_created_once_and_is_right_from_then_on(config: Config):
    admin, specs = Broker(config).admin, topics.wanted(config)
    assert {problem.kind for problem in topics.check(admin, specs)} == {ProblemKind.MISSING}
    topics.create(admin, specs)
    assert topics.check(admin, specs) == []
    topics.create(admin, specs)
    there = admin.list_topics(timeout=10).topics
    assert {spec.name: len(there[spec.name].partitions) for spec in specs} == {
        f"{config.name}.in": 4,
        config.samples_topic: 3,
        config.anomalies_topic: 1,
        config.detect_state_topic: 3,
        config.triage_state_topic: 1,
        f"{config.name}.dead-letters": 1,
        config.commands.topic: 1,
        config.audit.topic: 1,
        config.configs.topic: 1,
        f"{config.name}.alerts": 1,
        config.shadow_alerts_topic: 1,
        f"{config.name}.alerts.state": 1,
    }


@pytest.mark.needs_apache
def test_a_topic_that_is_not_as_it_must_be_is_named_with_every_reason_and_left_alone(config: Config):
    admin, specs = Broker(config).admin, topics.wanted(config)
    by_name = {spec.name: spec for spec in specs}
    wrong = {"max.message.bytes": "1000", "retention.ms": "-1"}
    topics.create(
        admin,
        [
            replace(by_name[config.samples_topic], partitions=5, at_least=wrong),
            replace(by_name[config.detect_state_topic], must={"cleanup.policy": "delete"}),
            replace(by_name[f"{config.name}.in"], partitions=7),
        ],
    )
    found = {problem.spec.name: problem for problem in topics.check(admin, specs)}
    samples, state = found[config.samples_topic], found[config.detect_state_topic]
    assert samples.kind is state.kind is ProblemKind.MISMATCHED
    assert samples.reason == "max.message.bytes is 1000, less than 8388608, it has 5 partitions, not 3"
    assert "topics.samples_partitions to 5" in samples.remedy
    assert state.reason == "cleanup.policy is delete, not compact"
    assert state.remedy.endswith(f"--topic {config.detect_state_topic} --add-config cleanup.policy=compact")
    assert f"{config.name}.in" not in found, "a source may have any number of partitions"


def test_a_topic_that_kafka_will_not_make_is_refused_with_kafkas_reason(config: Config):
    broker = Broker(config)
    impossible = replace(topics.wanted(config)[0], name="no/such name")
    with pytest.raises(Refused, match=r"no/such name: cannot be created") as refused:
        topics.create(broker.admin, [impossible])
    assert refused.value.code == Exit.KAFKA


def test_the_command_creates_reports_and_says_the_same_again(
    kafka: str, config: Config, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STREAMGAUGE__NAME", config.name)
    monkeypatch.setenv("STREAMGAUGE__ALERTS__TOPIC", f"{config.name}.alerts")
    monkeypatch.setenv("STREAMGAUGE__SOURCES", f'[{{"topic": "{config.name}.in", "format": "metrics"}}]')
    monkeypatch.setenv("COLUMNS", "140")
    command = ["create", "--bootstrap-servers", kafka]
    runner = CliRunner()
    planned = runner.invoke(app, [*command, "--dry-run"], catch_exceptions=False)
    assert planned.stdout.count("would be created") == 12
    first = runner.invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0
    assert first.stdout.count(" created") == 12
    second = runner.invoke(app, command, catch_exceptions=False)
    assert second.stdout.count("already right") == 12
    monkeypatch.setenv("STREAMGAUGE__TOPICS__SAMPLES_PARTITIONS", "9")
    with pytest.raises(Refused, match=r"samples: mismatched: it has 4 partitions, not 9") as refused:
        runner.invoke(app, command, catch_exceptions=False)
    assert refused.value.code == Exit.KAFKA


def test_an_absent_broker_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(topics, "ANSWER_S_MAX", 1.0)
    config = Config.model_validate({"kafka": {"bootstrap.servers": "127.0.0.1:1"}})
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1.*Connection refused") as refused:
        Broker(config).reach()
    assert refused.value.code == Exit.KAFKA
