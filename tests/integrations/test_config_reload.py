"""Hot reload on a real Kafka: what is applied, promoted or written into the file is in force in every worker, bad ones change nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

from typer.testing import CliRunner

from detectors.commands import Answer, Outcome
from stream import answers
from stream.cli import app
from stream.config import load
from tests.integrations.deployment import PATIENCE_S, Deployment

Deploy = Callable[..., Deployment]


def audit(deployment: Deployment, count: int) -> list[Answer]:
    """Wait until so many answers are there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        records = deployment.records(deployment.config.audit.topic)
        if len(records) >= count:
            return [answers.decode(value or b"") for _, value, _ in records]
        time.sleep(0.2)
    raise AssertionError("\n".join(worker.log.read_text() for worker in deployment.workers))


def test_a_configuration_is_applied_from_the_command_line_the_file_and_a_shadow(deploy: Deploy) -> None:
    deployment = deploy({"events": "events"})
    worker = deployment.start()
    file, text = deployment.config_path, deployment.config_path.read_text()
    command = [
        sys.executable,
        "-m",
        "stream",
        "config",
        "apply",
        str(file),
        "--author",
        "ann",
        "--timeout",
        "60s",
    ]
    new = deployment.folder / "new.yaml"
    new.write_text(text + "\ndefaults: {min_effect: 50%}\n")
    done = subprocess.run([*command[:5], str(new), *command[6:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (applied,) = audit(deployment, 1)
    assert (applied.author, applied.outcome) == ("ann", Outcome.DONE)
    old_hash, _, new_hash = applied.reason.partition(" -> ")
    assert old_hash != new_hash == applied.config_hash

    file.write_text(text + "\ndefaults: {min_efect: 50%}\n")
    worker.process.send_signal(signal.SIGHUP)
    (refused,) = worker.wait_for("config.refused")
    assert "defaults.min_efect" in refused["faults"][0]
    assert worker.metric("streamgauge_config_last_reload_successful") == 0

    file.write_text(text + "\ndefaults: {min_effect: 60%}\n")
    worker.process.send_signal(signal.SIGHUP)
    reloaded = audit(deployment, 2)[1]
    assert reloaded.reason.startswith(f"{new_hash} -> ")
    assert reloaded.command["origin"] == str(file)
    assert worker.metric("streamgauge_config_last_reload_successful") == 1

    candidate = deployment.folder / "candidate.yaml"
    candidate.write_text(text + "\nmode: shadow\ndefaults: {min_effect: 70%}\n")
    promotion = ["promote", str(candidate), "--config", str(file), "--author", "eva", "--timeout", "60s"]
    shown = [CliRunner().invoke(app, [*promotion, "--comment", "calmer"]) for _ in range(2)]
    assert [it.exit_code for it in shown] == [0, 0], shown
    promoted, again = audit(deployment, 4)[2:]
    assert "DONE  configure  eva" in shown[0].stdout
    assert promoted.reason in shown[0].stdout
    assert promoted.reason == f"{reloaded.config_hash} -> {load(candidate).settings().config_hash}"
    assert (promoted.author, promoted.command["comment"]) == ("eva", "calmer")
    assert promoted.command["origin"] == str(candidate)
    assert (again.outcome, again.reason) == (Outcome.DONE, "it was in force")

    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
