"""Whoever installed the wheel can read what to do about each alert."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.alerts import Kind
from detectors.settings import RUNBOOKS
from stream.cli import app
from stream.commands.runbook import page, section
from stream.exits import Exit, Refused
from tests.test_runbooks import REASONS

DOCS = Path(__file__).parents[3] / RUNBOOKS


@pytest.mark.parametrize("kind", Kind)
def test_the_page_of_a_kind_is_the_one_of_the_docs(kind: Kind) -> None:
    shown = CliRunner().invoke(app, ["runbook", kind])
    assert (shown.exit_code, shown.stdout) == (Exit.OK, (DOCS / f"{kind}.md").read_text())


def test_without_a_kind_all_are_listed() -> None:
    assert CliRunner().invoke(app, ["runbook"]).stdout == (DOCS / "README.md").read_text()


@pytest.mark.parametrize(("kind", "reason"), [(kind, it) for kind in Kind for it in sorted(REASONS[kind])])
def test_of_one_reason_its_own_section_is_shown(kind: Kind, reason: str) -> None:
    text = section(kind, reason, page(kind))
    heading, *lines = text.splitlines()
    assert heading.startswith("### ")
    assert f"`{reason}`" in heading
    assert [line.partition(".**")[0] for line in lines if line.startswith("- **")] == [
        "- **Means",
        "- **Check",
        "- **Causes",
        "- **Tune",
    ]
    assert "\n#" not in text
    assert text in page(kind)


def test_a_reason_of_another_kind_is_refused_with_those_that_there_are() -> None:
    shown = CliRunner().invoke(app, ["runbook", "storm", "stuck"])
    assert isinstance(shown.exception, Refused)
    assert shown.exception.code == Exit.USAGE
    assert str(shown.exception) == "stuck is no reason of an alert of kind storm: its reasons are storm"
    with pytest.raises(Refused, match="of kind nulls: it has none"):
        section(Kind.NULLS, "stuck", page(Kind.NULLS))


def test_an_unknown_kind_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["runbook", "volumes"]).exit_code == Exit.USAGE
