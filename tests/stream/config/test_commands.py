import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from stream.commands.config import app
from stream.commands.options import overrides
from stream.config import Config, ConfigError, load
from stream.config.schema import json_schema, json_schema_text

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "stream" / "schemas" / "config.schema.json"

EXAMPLE = """
# yaml-language-server: $schema=config.schema.json
name: mine
kafka: {bootstrap.servers: "localhost:9092", linger.ms: 5}
sources:
  - {topic: pipeline.events, format: events}
  - {topic: openlineage.events, format: openlineage}
alerts: {topic: pipeline.alerts}
defaults: {false_alarms: 1 per 30d, direction: both}
signals:
  latency: {direction: up, min_effect: 20%}
series:
  - match: {pipeline: "orders*", signal: volume}
    false_alarms: 1 per 90d
    owner: data-platform
    runbook_url: https://runbooks.example/orders
time: {window: 5m}
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    file = tmp_path / "streamgauge.yaml"
    file.write_text(EXAMPLE)
    return file


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_validate_says_ok_and_of_what(example: Path):
    assert _run("validate", str(example)) == f"{example}: ok\n"
    assert _run("validate") == "streamgauge.yaml: ok\n"
    example.unlink()
    assert _run("validate") == "built-in defaults: ok\n"


def test_validate_refuses_a_broken_file_with_its_line(example: Path):
    example.write_text(EXAMPLE.replace("latency:", "latncy:"))
    with pytest.raises(ConfigError, match=r"yaml:11: signals.latncy: unknown key, did you mean latency\?"):
        _run("validate", str(example))


def test_what_show_prints_loads_to_the_same_configuration(example: Path, tmp_path: Path):
    shown = _run("show", "--config", str(example))
    copy = tmp_path / "copy.yaml"
    copy.write_text(shown)
    assert load(copy) == load(example)


def test_a_ceiling_that_was_lifted_is_shown_and_stays_lifted(tmp_path: Path):
    lifted, copy = tmp_path / "lifted.yaml", tmp_path / "copy.yaml"
    lifted.write_text("alerts: {fleet_false_alarms: none}")
    copy.write_text(_run("show", "--config", str(lifted)))
    assert "fleet_false_alarms: none" in copy.read_text()
    assert load(copy) == load(lifted)


def test_show_says_where_each_value_came_from(example: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STREAMGAUGE__HTTP__PORT", "9000")
    origins = {
        line.split("#")[0].strip(): line.split("# ")[1] for line in _run("show").splitlines() if "#" in line
    }
    assert origins["port: 9000"] == "STREAMGAUGE__HTTP__PORT"
    assert origins["owner: data-platform"] == "streamgauge.yaml:15"
    assert origins["host: 127.0.0.1"] == "default"
    assert origins["bootstrap.servers: localhost:9092"] == "streamgauge.yaml:4"
    assert example.name == "streamgauge.yaml"


def test_the_shipped_schema_is_the_models_own():
    assert SHIPPED.read_text() == json_schema_text(), "write it with: streamgauge config schema > " + str(
        SHIPPED
    )
    assert json.loads(_run("schema")) == json_schema()


def test_the_schema_accepts_what_loads_and_refuses_what_does_not():
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(EXAMPLE))
    assert validator.is_valid(Config().model_dump(mode="json", by_alias=True, exclude_none=True))
    for wrong in (
        {"nmae": 1},
        {"time": {"window": "5 minutes"}},
        {"kafka": {"linger.sm": 1}},
        {"http": {"port": 99999}},
    ):
        assert not validator.is_valid(wrong), wrong


def test_every_key_has_a_description_and_a_place_in_the_reference():
    reference = (ROOT / "docs" / "reference" / "config.md").read_text()
    schema = json_schema()
    for section in [schema, *schema["$defs"].values()]:
        for key, described in section.get("properties", {}).items():
            assert described.get("description") or "$ref" in described, key
            assert f"`{key}`" in reference, key


def test_options_override_only_what_was_given():
    assert overrides() == []
    given = overrides("127.0.0.1:1", 0)
    assert [(override.path, override.value, override.origin) for override in given] == [
        (("kafka", "bootstrap.servers"), "127.0.0.1:1", "--bootstrap-servers"),
        (("http", "port"), 0, "--http-port"),
    ]
