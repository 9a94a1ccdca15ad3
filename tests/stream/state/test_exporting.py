"""What an export says of the configuration."""

from pathlib import Path

import pytest

from stream.config import load
from stream.state.exporting import _text

WRITTEN = """
name: here
kafka:
  bootstrap.servers: localhost:9092
  security.protocol: SASL_SSL
  sasl.mechanism: PLAIN
  sasl.username: eva
  sasl.password: env:STATE_TEST_PASSWORD
series:
  - match: {pipeline: "orders*"}
    owner: data-platform
"""


def test_the_configuration_can_be_loaded_again_but_for_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STATE_TEST_PASSWORD", "hunter2")
    path, again = tmp_path / "here.yaml", tmp_path / "again.yaml"
    path.write_text(WRITTEN)
    config = load(path)
    text = _text(config)
    assert "hunter2" not in text
    assert "data-platform" in text
    again.write_text(text.replace("'***'", "env:STATE_TEST_PASSWORD"))
    assert load(again).settings() == config.settings()
