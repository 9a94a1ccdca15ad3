"""A shadow writes nowhere where the live configuration does, and reads the same."""

from pathlib import Path

import pytest

from stream.config import Config, load
from stream.topics import wanted


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{name: mine}",
        "{alerts: {topic: a, state_topic: s}, audit: {topic: x}, dead_letters: {topic: d}, commands: {topic: c}, configs: {topic: o}}",
    ],
)
def test_a_shadow_writes_to_topics_of_its_own_and_reads_the_same_sources(tmp_path: Path, text: str):
    live, shadow = (
        _loaded(tmp_path, text),
        _loaded(tmp_path, text[:-1] + ("" if text == "{}" else ", ") + "mode: shadow}"),
    )
    sources = {it.topic for it in live.sources}
    assert {it.topic for it in shadow.sources} == sources
    assert {it.name for it in wanted(live)} & {it.name for it in wanted(shadow)} == sources
    assert live.name != shadow.name
    assert shadow.settings() == live.settings()


def test_what_is_no_text_is_refused_as_ever(tmp_path: Path):
    with pytest.raises(Exception, match="name: must be text"):
        _loaded(tmp_path, "{mode: shadow, name: 5}")


def _loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return load(file, environ={})
