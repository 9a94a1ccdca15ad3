"""The tunable part of a configuration: taken out, put in again, and refused by name where it is wrong or cannot change."""

from pathlib import Path
from typing import Any

import pytest

from stream.config import Config, ConfigError, load
from stream.config.tunable import needs_restart, retuned, tunable_part

TEXT = """
kafka: {bootstrap.servers: "localhost:1", client.id: x}
sources:
  - {topic: a, format: events}
  - {topic: b, format: records, labels: {region: {path: r}}, event_time: {header: t}, expected: [{path: x}]}
alerts: {topic: mine, fleet_false_alarms: 5 per week, remind: none, storm: 9 per 2m}
defaults: {false_alarms: 1 per 90d, time_zone: Europe/Berlin}
signals: {latency: {min_effect: 30%, persistence: 2 of 3}}
series: [{match: {pipeline: "o*"}, owner: data, severity: critical}]
lineage: [{pipeline: r, after: [o]}]
time: {allowed_lateness: 5s}
"""


def written(tmp_path: Path, text: str = TEXT) -> Config:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return load(file, environ={})


def test_what_is_taken_out_and_put_in_again_changes_nothing(tmp_path: Path):
    config = written(tmp_path)
    again = retuned(config, tunable_part(config), "here")
    assert again == config
    assert again.settings() == config.settings()


def test_the_tunable_part_of_one_makes_another_like_it(tmp_path: Path):
    config = written(tmp_path)
    tuned = retuned(Config(), tunable_part(config), "here")
    assert tuned.settings().for_series("latency", {"pipeline": "orders"}).owner == "data"
    assert (tuned.alerts.remind_ms, tuned.alerts.topic) == (None, Config().alerts.topic)
    assert tuned.sources == Config().sources


def test_what_is_left_out_is_as_by_default(tmp_path: Path):
    config = retuned(written(tmp_path), {}, "here")
    assert config.series == ()
    assert config.alerts.topic == "mine"


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ({"kafka": {}}, "here: kafka: cannot change while workers run; restart them with it"),
        (
            {"alerts": {"topic": "x"}},
            "here: alerts.topic: cannot change while workers run; restart them with it",
        ),
        ({"alerts": 5}, "here: alerts: must be a section of keys and values, not 5"),
        (
            {"defaults": {"min_efect": "3%"}},
            "here: defaults.min_efect: unknown key, did you mean min_effect?",
        ),
        (
            {"series": [{"match": {"a": "b"}, "severity": "bad"}]},
            "here: series[0].severity: 'bad' is not one of them",
        ),
    ],
)
def test_what_is_wrong_is_refused_whole_by_name(part: dict[str, Any], line: str):
    with pytest.raises(ConfigError) as raised:
        retuned(Config(), part, "here")
    assert raised.value.lines[0].startswith(line)


def test_what_needs_a_restart_is_named(tmp_path: Path):
    config = written(tmp_path)
    tuned = written(tmp_path, TEXT.replace("5 per week", "6 per week").replace("30%", "40%"))
    assert needs_restart(config, tuned) == []
    other = written(
        tmp_path,
        TEXT.replace("allowed_lateness: 5s", "allowed_lateness: 6s").replace("topic: mine", "topic: x"),
    )
    assert needs_restart(config, other) == ["alerts", "time"]
