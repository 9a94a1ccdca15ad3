"""Every key of valid configurations broken in several ways: each is refused whole, at its line, by its name, and nothing of it is applied."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stream.config import ConfigError, load
from stream.config.document import parse
from stream.config.faults import dotted
from stream.config.tunable import retuned, tunable_part

VALID = (
    """
name: mine
kafka: {bootstrap.servers: "localhost:9092", client.id: x}
sources:
  - {topic: a, format: events}
  - {topic: b, format: openlineage}
  - topic: c
    format: records
    event_time: {path: created_at}
    labels: {region: {header: region}}
    expected: [{path: channel, change: field_added}]
alerts: {topic: out, state_topic: out.state, fleet_false_alarms: 5 per week, upstream_hold: 10m, storm: 9 per 2m, remind: 6h, expire: 60d}
dead_letters: {topic: dead}
commands: {topic: told}
audit: {topic: said}
time: {allowed_lateness: 5s, allowed_skew: 1m, idle_timeout: 2s, window: 1m}
http: {host: 127.0.0.1, port: 8081}
topics: {samples_partitions: 8, replication_factor: 3}
snapshot_interval: 2s
""",
    """
sources: [{topic: a, format: metrics}]
defaults: {false_alarms: 1 per 90d, time_zone: Europe/Berlin, direction: both, min_effect: 10%, severity: error, persistence: 2 of 3, min_volume: 5}
signals:
  latency: {min_effect: 30%, owner: ops, runbook_url: "https://x/y", labels: {team: data}}
  volume: {direction: down, false_alarms: 2 per 30d}
  failures: {min_volume: 20, severity: critical}
  value: {model: river.anomaly.GaussianScorer, parameters: {window_size: 100}}
series:
  - match: {pipeline: "o*", signal: volume}
    false_alarms: 1 per 365d
    owner: data
  - match: {name: "cpu*"}
    min_effect: 50%
    severity: info
lineage:
  - {pipeline: report, after: [orders], reads: [w.orders], writes: [w.report]}
limits: {record_bytes_max: 65536, depth_max: 16, series_max: 1000}
""",
)
FREE = {("kafka",), ("labels",), ("match",), ("parameters",)}
"""Sections whose keys are the user's own, or another program's."""
OTHERS = {("kafka",), ("parameters",)}
"""Sections whose values another program judges."""


class Broken(NamedTuple):
    """A configuration, and the key that is wrong in it."""

    text: str
    path: tuple[Any, ...]


def keys(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key of a mapping, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys(inner, (*path, index))


def changed(values: Any, path: tuple[Any, ...], key: str | None, value: Any) -> str:
    """The configuration with one key renamed, or its value replaced."""
    copied = copy.deepcopy(values)
    holder = copied
    for part in path[:-1]:
        holder = holder[part]
    old = holder.pop(path[-1])
    holder[key or path[-1]] = old if key else value
    return yaml.safe_dump(copied, sort_keys=False)


def broken() -> Iterator[Broken]:
    for text in VALID:
        values = yaml.safe_load(text)
        for path in keys(values):
            if path[-2:-1] not in FREE:
                misspelt = f"{path[-1]}_"
                yield Broken(changed(values, path, misspelt, None), (*path[:-1], misspelt))
            if path[-2:-1] not in OTHERS:
                for wrong in ({"no": {"such": 1}}, [[1]], -1e300):
                    yield Broken(changed(values, path, None, wrong), path)


BROKEN = list(broken())


def test_the_valid_ones_are(tmp_path: Path):
    for text in VALID:
        (tmp_path / "c.yaml").write_text(text)
        load(tmp_path / "c.yaml", environ={})
    assert len(BROKEN) >= 200


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_broken_one_is_refused_at_its_place(tmp_path: Path, number: int):
    text, path = BROKEN[number]
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(file, environ={})
    places = parse(text.encode(), str(file)).places
    within = {place for known, place in places.items() if known[: len(path)] == path}
    said = raised.value.lines
    assert any(line.partition(": ")[0] in within and dotted(path) in line for line in said), said


def test_a_broken_tunable_part_changes_nothing(tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text(VALID[1])
    config = load(file, environ={})
    before = config.settings()
    for path in keys(tunable_part(config)):
        part = yaml.safe_load(changed(tunable_part(config), path, None, {"no": {"such": 1}}))
        with pytest.raises(ConfigError):
            retuned(config, part, "here")
    assert config.settings() == before
