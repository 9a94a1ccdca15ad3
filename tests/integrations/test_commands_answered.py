"""From the command line to the audit topic and back, through a worker on a real Kafka, over a kill."""

import json
import signal
from collections.abc import Callable

from typer.testing import CliRunner, Result

from detectors.commands import Outcome
from stream import answers
from stream.cli import app
from stream.exits import Exit, Refused
from tests.integrations.deployment import Deployment

Deploy = Callable[..., Deployment]


def test_commands_are_done_answered_and_hold_over_a_kill(deploy: Deploy) -> None:
    deployment = deploy({"events": "events"})

    def say(*arguments: str) -> Result:
        options = ["--config", str(deployment.config_path)]
        return CliRunner().invoke(app, [*arguments, *options], catch_exceptions=True)

    first = deployment.start()
    first.wait_for("worker.ready")
    done = say("silence", "--match", "pipeline=orders*", "--for", "4h", "--author", "eva", "--timeout", "60s")
    assert done.exit_code == Exit.OK, (done.output, done.exception)
    assert "DONE  silence  eva" in done.stdout
    (listed,) = say("silences", "--json").stdout.splitlines()
    command_id = json.loads(listed)["command_id"]
    assert first.end(signal.SIGKILL) == -signal.SIGKILL

    second = deployment.start()
    second.wait_for("worker.ready")
    cancelled = say("cancel", command_id, "--author", "eva", "--timeout", "60s")
    assert cancelled.exit_code == Exit.OK, (cancelled.output, cancelled.exception)
    assert say("silences").stdout == ""
    unknown = say("ack", "0" * 32, "--author", "bot", "--timeout", "60s")
    assert isinstance(unknown.exception, Refused)
    assert unknown.exception.code == Exit.COMMAND_REFUSED

    audit = [
        answers.decode(value or b"") for _, value, _ in deployment.records(deployment.config.audit.topic)
    ]
    told = {it.command_id: (it.author, it.outcome, it.command["command"]) for it in audit}
    assert sorted(told.values()) == [
        ("bot", Outcome.REFUSED, "acknowledge"),
        ("eva", Outcome.DONE, "cancel"),
        ("eva", Outcome.DONE, "silence"),
    ]
    assert second.end(signal.SIGTERM) == 0, second.log.read_text()
