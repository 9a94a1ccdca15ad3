from pathlib import Path

import pytest

from stream.config import ConfigError, load, load_with_places
from stream.config.bridges import Bridges
from stream.config.show import effective_yaml

GOOD = """
bridges:
  webhook:
    - name: oncall
      url: https://hooks.example/streamgauge
      secrets: [env:HOOK_SECRET, file:/run/secrets/old]
      headers: {Authorization: env:HOOK_AUTH}
      match: {severity: [critical, error], owner: data-*}
      retry_for: 6h
    - {name: audit, url: "env:AUDIT_URL"}
  apprise:
    - {name: team, url: "env:TEAM_SLACK"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "streamgauge.yaml"
    path.write_text(text)
    return path


def test_targets_are_read_and_shown_without_their_secrets(tmp_path: Path) -> None:
    loaded = load_with_places(written(tmp_path, GOOD), environ={})
    bridges = loaded.config.bridges
    assert [target.name for target in bridges.webhook] == ["oncall", "audit"]
    oncall, audit = bridges.webhook
    assert oncall.match == {"severity": ("critical", "error"), "owner": ("data-*",)}
    assert (oncall.retry_for_ms, audit.retry_for_ms, audit.refusals_max) == (21_600_000, 86_400_000, 3)
    shown = effective_yaml(loaded)
    assert "HOOK_SECRET" not in shown
    assert "AUDIT_URL" not in shown
    again = written(tmp_path, shown.replace("'***'", "env:X"))
    assert [target.match for target in load(again, environ={}).bridges.webhook] == [oncall.match, {}]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{name: a}", r"bridges\.webhook\[0\]\.url: "),
        ("{name: a, url: ftp://x}", "must begin with http"),
        ("{name: a, url: 'https://me:pass@x/'}", "has credentials in it"),
        ("{name: a b, url: https://x}", r"bridges\.webhook\[0\]\.name"),
        ("{name: a, url: https://x, secrets: [whsec_plain]}", "given by reference"),
        ("{name: a, url: https://x, headers: {'a b': env:X}}", "name of an HTTP header"),
        ("{name: a, url: http://far.example, headers: {A: env:X}}", "in the clear"),
        ("{name: a, url: https://x, match: {owner: []}}", r"match\.owner"),
        ("{name: a, url: https://x, timeout: 2m}", "must be at most 1m"),
        ("{name: a, url: https://x, retries: 3}", "unknown key"),
        ("{name: a, url: https://x}, {name: a, url: https://y}", "another target is named 'a' already"),
    ],
)
def test_what_cannot_stand_is_refused_with_its_place(tmp_path: Path, target: str, said: str) -> None:
    path = written(tmp_path, f"bridges:\n  webhook: [{target}]\n")
    with pytest.raises(ConfigError, match=said) as caught:
        load(path, environ={})
    assert "pass" not in str(caught.value)
    assert "whsec_plain" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_without_the_section_there_are_no_targets() -> None:
    assert Bridges() == load(None, environ={}).bridges
