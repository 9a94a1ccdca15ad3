from stream.config import Config
from stream.topics import TopicSpec, wanted


def _specs(config: Config) -> dict[str, TopicSpec]:
    return {spec.name: spec for spec in wanted(config)}


def test_every_topic_that_is_read_or_written_is_wanted_once():
    names = [spec.name for spec in wanted(Config())]
    assert names == [
        "pipeline.events",
        "pipeline.metrics",
        "openlineage.events",
        "streamgauge.samples",
        "streamgauge.anomalies",
        "streamgauge.detect-state",
        "streamgauge.triage-state",
        "streamgauge.dead-letters",
        "streamgauge.commands",
        "streamgauge.audit",
        "streamgauge.configs",
        "pipeline.alerts",
        "pipeline.alerts.in-shadow",
        "pipeline.alerts.state",
    ]


def test_a_state_topic_is_compacted_and_has_a_partition_for_each_shard_and_triage_one():
    specs = _specs(Config.model_validate({"topics": {"samples_partitions": 12}}))
    detect, triage = specs["streamgauge.detect-state"], specs["streamgauge.triage-state"]
    assert detect.partitions == specs["streamgauge.samples"].partitions == 12
    assert triage.partitions == specs["streamgauge.anomalies"].partitions == 1
    for spec in (detect, triage, specs["pipeline.alerts.state"]):
        assert spec.properties["cleanup.policy"] == "compact"


def test_samples_are_deleted_after_a_week_and_hold_large_batches():
    samples = _specs(Config())["streamgauge.samples"].properties
    assert samples == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "max.message.bytes": "8388608",
    }


def test_copies_and_names_follow_the_configuration():
    config = Config.model_validate(
        {"name": "mine", "alerts": {"topic": "a"}, "topics": {"replication_factor": 3}}
    )
    specs = _specs(config)
    assert {"mine.samples", "mine.dead-letters", "a", "a.state"} < specs.keys()
    assert {spec.replication_factor for spec in specs.values()} == {3}
