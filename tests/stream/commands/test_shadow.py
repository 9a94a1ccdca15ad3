"""What `streamgauge promote` and `shadow` refuse before any worker hears of it; what they do is in the integration tests."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stream.cli import app
from stream.exits import Exit, Refused

NOWHERE = "kafka: {bootstrap.servers: '127.0.0.1:1'}\n"


def run(command: str, folder: Path, candidate: str, live: str, *options: str) -> tuple[int, str]:
    """Exit code and message of a command about a candidate and a live configuration."""
    files = {"candidate.yaml": candidate, "live.yaml": live}
    for name, text in files.items():
        (folder / name).write_text(text)
    chosen = [str(folder / "candidate.yaml"), "--config", str(folder / "live.yaml"), *options]
    result: Result = CliRunner().invoke(app, [command, *chosen])
    assert isinstance(result.exception, Refused), (result.output, result.exception)
    return result.exception.code, str(result.exception)


@pytest.mark.parametrize("command", ["promote", "shadow"])
@pytest.mark.parametrize(
    ("candidate", "live", "said"),
    [
        (NOWHERE, NOWHERE, "candidate.yaml: is no shadow: write `mode: shadow` into it"),
        (
            NOWHERE + "mode: shadow",
            NOWHERE + "mode: shadow",
            "--config names a shadow; it must be the live configuration",
        ),
    ],
    ids=["no shadow", "no live configuration"],
)
def test_a_shadow_and_a_live_configuration_are_wanted(
    command: str, candidate: str, live: str, said: str, tmp_path: Path
) -> None:
    code, message = run(command, tmp_path, candidate, live)
    assert (code, message.endswith(said)) == (Exit.CONFIG, True), message


def test_a_candidate_goes_where_the_workers_are_and_says_when_they_cannot_be_reached(tmp_path: Path) -> None:
    elsewhere = "kafka: {bootstrap.servers: '127.0.0.1:2'}\nmode: shadow"
    options = ("--no-wait", "--timeout", "1s")
    code, message = run("promote", tmp_path, elsewhere, NOWHERE, *options)
    assert code == Exit.KAFKA
    assert "Kafka at 127.0.0.1:1 did not take a record for streamgauge.configs within 1 s" in message
    _, message = run("promote", tmp_path, elsewhere, NOWHERE, *options, "-b", "127.0.0.1:3")
    assert "Kafka at 127.0.0.1:3 " in message


def test_what_is_wrong_in_the_command_line_is_said_first(tmp_path: Path) -> None:
    code, message = run("promote", tmp_path, NOWHERE, NOWHERE, "--timeout", "soon")
    assert (code, message.startswith("--timeout: 'soon' is not a duration")) == (Exit.USAGE, True), message


def test_promote_has_the_options_of_every_command_that_tells_workers_something() -> None:
    shown = CliRunner().invoke(app, ["promote", "--help"], env={"COLUMNS": "200"}).stdout
    options = ("--comment", "--author", "--timeout", "--no-wait", "--config", "--bootstrap-servers")
    assert [it for it in options if it not in shown] == []
    assert "FILE" in shown.upper()
