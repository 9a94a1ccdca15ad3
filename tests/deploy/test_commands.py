from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from stream.cli import app
from stream.config import load
from stream.exits import Exit

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


def exit_code(arguments: list[str]) -> int:
    """What `streamgauge` answers to a command line when it is asked for its help instead of being run."""
    return CliRunner().invoke(app, [*arguments, "--help"]).exit_code


@pytest.mark.parametrize("service", OURS)
def test_the_command_line_of_each_service_is_one_that_streamgauge_takes(service: str) -> None:
    assert exit_code(SERVICES[service]["command"]) == Exit.OK


def test_a_command_line_with_an_unknown_option_is_not() -> None:
    assert exit_code([*SERVICES["worker"]["command"], "--no-such-option"]) == Exit.USAGE


def test_the_mounted_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    config = load(ROOT / "deploy/streamgauge.yaml")
    assert (config.http.host, config.kafka["bootstrap.servers"]) == ("0.0.0.0", "kafka:9092")
