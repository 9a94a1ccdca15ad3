"""An answer is a few lines that people can read, whatever was asked for."""

from typing import Any

import pytest
from rich.console import Console

from detectors.commands import Answer, Outcome
from stream.audit_text import render
from stream.config import Config
from stream.config.tunable import tunable_part


def text_of(command: dict[str, Any]) -> list[str]:
    answer = Answer(
        command_id="c1",
        author="eva",
        time="2026-03-01T10:00:00Z",
        answered_at="2026-03-01T10:00:01.000Z",
        outcome=Outcome.DONE,
        reason="dc34 -> e45c",
        config_hash="e45c",
        command={"command_id": "c1", "author": "eva", **command},
    )
    console = Console(width=400)
    with console.capture() as captured:
        console.print(render(answer))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({}, "as by default"),
        ({"defaults": {"min_effect": "70%"}}, "defaults.min_effect=70%"),
        (
            {
                "signals": {"volume": {"direction": "both", "labels": {"tier": "1"}}},
                "series": [{"match": {"pipeline": "orders"}, "mode": "off"}] * 3,
                "alerts": {"storm": "9 per 1m"},
            },
            "signals.volume.direction=both signals.volume.labels.tier=1 series=3 alerts.storm=9 per 1m",
        ),
    ],
)
def test_of_a_configuration_what_differs_from_the_default_is_shown(file: dict[str, Any], said: str) -> None:
    part = tunable_part(Config.model_validate(file))
    assert text_of({"command": "configure", "config": part, "origin": "a.yaml"}) == [
        "2026-03-01 10:00:01.000 UTC  DONE  configure  eva",
        f"  config {said} · origin a.yaml",
        "  dc34 -> e45c",
        "  command c1",
    ]


def test_of_a_silence_what_it_matches_is_shown() -> None:
    lines = text_of(
        {"command": "silence", "match": {"pipeline": "orders*", "owner": "dwh"}, "comment": "backfill"}
    )
    assert lines[1:3] == ["  match pipeline=orders* owner=dwh", "  backfill"]


def test_what_another_version_wrote_is_shown_as_well() -> None:
    command = {
        "command": "configure",
        "config": {"defaults": 5, "of_later": {"a": [1, 2]}},
        "origin": "a.yaml",
    }
    assert text_of(command)[1] == "  config defaults=5 of_later.a=2 · origin a.yaml"
