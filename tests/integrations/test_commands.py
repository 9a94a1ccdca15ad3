"""Commands on a real Kafka: what is one reaches triage, what is none is answered; a worker that dies in between repeats nothing."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

from detectors.commands import Outcome
from detectors.notes import CommandNote, read_note
from stream import answers
from tests.integrations.deployment import PATIENCE_S, Deployment

Deploy = Callable[..., Deployment]


def silence(number: int) -> dict[str, Any]:
    return {
        "command": "silence",
        "command_id": f"c{number}",
        "author": "eva@example",
        "time": "2026-03-01T10:00:00Z",
        "match": {"pipeline": "orders*"},
        "until": "2026-03-01T12:00:00Z",
    }


def notes(deployment: Deployment) -> list[CommandNote]:
    """The commands on the anomalies topic."""
    found = [read_note(value or b"") for _, value, _ in deployment.records(deployment.config.anomalies_topic)]
    return [note for note in found if isinstance(note, CommandNote)]


def told(deployment: Deployment, commands: int) -> list[CommandNote]:
    """Wait until so many different commands are on the anomalies topic."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = notes(deployment)
        if len({note.command.command_id for note in found}) >= commands:
            return found
        time.sleep(0.2)
    raise AssertionError("\n".join(worker.log.read_text() for worker in deployment.workers))


def test_commands_are_told_to_triage_and_bad_ones_answered_over_a_kill(deploy: Deploy) -> None:
    deployment = deploy({"events": "events"})
    bad = json.dumps(silence(2) | {"until": "soon"}).encode()
    commands = [json.dumps(silence(1)).encode(), bad, b"{", json.dumps(silence(3)).encode()]
    deployment.publish("commands", [(0, value) for value in commands])
    first = deployment.start()
    told(deployment, 2)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    deployment.publish("commands", [(0, json.dumps(silence(4)).encode())])
    second = deployment.start()
    found = told(deployment, 3)
    deployment.wait_until_read(second)
    topic = deployment.config.commands.topic
    assert f'streamgauge_lag_records{{topic="{topic}"}} 0' in second.metrics()
    assert second.end(signal.SIGTERM) == 0, second.log.read_text()
    places = {(note.topic, note.partition, note.offset, note.command.command_id) for note in found}
    assert places == {(topic, 0, 0, "c1"), (topic, 0, 3, "c3"), (topic, 0, 4, "c4")}

    audit = [
        answers.decode(value or b"") for _, value, _ in deployment.records(deployment.config.audit.topic)
    ]
    refused = {it.command_id: it for it in audit if it.outcome is Outcome.REFUSED and "/" in it.reason}
    assert refused.keys() == {"c2", f"{topic}/0/2"}
    assert refused["c2"].reason.startswith(f"{topic}/0/1: ")
    assert refused["c2"].command["until"] == "soon"
    assert {it.config_hash for it in audit} == {deployment.config.settings().config_hash}
