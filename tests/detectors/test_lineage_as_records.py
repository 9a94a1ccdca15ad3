"""Real topics that were recorded from tools, read as anyone's records: a sensible schema is learned, and no storm of alerts follows."""

import json
import random
from pathlib import Path

import pytest

from detectors.structure import Structure
from tests.detectors.payloads import Topic

FIXTURES = Path(__file__).parents[1] / "fixtures"
TOOLS = FIXTURES / "tools"
EVENTS = FIXTURES / "openlineage"
ROUNDS = 40
"""How often a recorded stream is read over: as long as a day of runs that are all alike."""


def recorded(name: str) -> list[bytes]:
    lines = (TOOLS / name).read_text().splitlines()
    return [json.dumps(json.loads(line)["value"]).encode() for line in lines]


def learned(topic: Topic) -> Structure:
    (detect,) = topic.process._detects
    (structure,) = detect._records._structures.values()
    return structure


@pytest.mark.parametrize("name", sorted(path.name for path in TOOLS.glob("ol_*.jsonl")))
def test_a_recorded_stream_of_lineage_is_learned_and_nothing_is_told(name: str) -> None:
    topic = Topic()
    for _ in range(ROUNDS):
        topic.send(recorded(name))
    assert topic.end() == []
    paths = learned(topic).paths
    assert paths["eventTime"].types == ["string"]
    assert paths["run.runId"].types == ["string"]
    assert paths["job.name"].types == ["string"]
    assert paths["inputs"].types == ["array"]
    assert len(paths) < 600


def test_events_of_many_producers_in_one_topic_are_no_storm() -> None:
    events = [path.read_bytes() for path in sorted(EVENTS.glob("*.json"))]
    assert len(events) > 40
    topic = Topic()
    for round_ in range(ROUNDS // 2):
        random.Random(round_).shuffle(events)
        topic.send(events)
    assert len(topic.end()) <= 1
    assert len(topic.opened("schema")) <= 1
    paths = learned(topic).paths
    assert paths["eventTime"].types == ["string"]
    assert paths["run.facets"].types == ["object"]
