"""Configurations come in: a valid one goes to every shard and to triage, any other is answered and changes nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.commands import Outcome
from detectors.detect import Detect
from detectors.notes import RefusalNote, SwitchNote, read_note
from detectors.orders import Switch, is_order, read_order
from detectors.outputs import Destination, Output
from stream import answers
from stream.config import Config
from stream.config_intake import ConfigIntake
from stream.config_offers import configure, encoded

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def told(value: bytes | None, offset: int = 7) -> list[Output]:
    return ConfigIntake(Config()).batch(0, [offset], [value], 1_772_359_200_000)


def offer(**part: Any) -> bytes:
    said = json.loads(encoded(configure(Config(), NOW, "ann", "c.yaml", "less noise")))
    return json.dumps(said | {"config": part}).encode()


def test_a_valid_one_goes_to_every_shard_and_to_triage():
    *orders, note = told(offer(defaults={"min_effect": "50%"}))
    assert [(it.destination, it.partition) for it in orders] == [
        (Destination.SAMPLES, shard) for shard in range(Config().topics.samples_partitions)
    ]
    assert all(is_order(it.value or b"") for it in orders)
    order, said = read_order(orders[0].value or b""), read_note(note.value or b"")
    assert isinstance(order, Switch)
    assert isinstance(said, SwitchNote)
    assert order.settings.for_series("value", {}).min_effect == 0.0
    assert order.settings.for_series("volume", {}).min_effect == 0.5
    assert (said.settings, said.command.author, said.offset) == (order.settings, "ann", 7)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "truncated"),
        (b'{"command": "configure"}', "required field"),
        (offer(defaults={"min_effect": 3}), "c.yaml: defaults.min_effect: 3 is not a share"),
        (offer(sources=[]), "c.yaml: sources: cannot change while workers run"),
        (b"x" * (2 << 20), "bytes; a configuration has at most"),
    ],
)
def test_any_other_is_answered_with_place_and_reason(value: bytes, reason: str):
    (output,) = told(value)
    note = read_note(output.value or b"")
    assert isinstance(note, RefusalNote)
    answer = answers.decode(note.answer)
    assert (output.destination, answer.outcome) == (Destination.ANOMALIES, Outcome.REFUSED)
    assert answer.reason.startswith("streamgauge.configs/0/7: ")
    assert reason in answer.reason


def test_a_tombstone_is_nothing():
    assert told(None) == []


def test_a_shard_switches_once_and_its_state_remembers():
    detect = Detect(Config().settings(), 0)
    order = told(offer(defaults={"min_effect": "50%"}))[0].value or b""
    before = detect.dump()["settings"]
    detect.step(0, order)
    detect.step(1, order)
    assert detect.take_counts()["fenced", "orders"] == 1
    again = Detect(Config().settings(), 0)
    again.load(detect.dump())
    assert again.dump() == detect.dump()
    assert again.dump()["settings"] != before
