"""A configuration written to a file, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from stream.config import ConfigError, load
from stream.exits import Exit


def config_file(folder: Path, text: str) -> Path:
    """The file with this text."""
    file = folder / "c.yaml"
    file.write_text(text)
    return file


def lines(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is said of this text, a line for each fault, files by their name."""
    with pytest.raises(ConfigError) as refused:
        load(config_file(folder, text), environ=environ or {})
    assert refused.value.code == Exit.CONFIG
    return [line.replace(f"{folder}/", "") for line in refused.value.lines]
