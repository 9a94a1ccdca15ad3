"""There is a runbook for each kind of alert, and in it what to do for each of its reasons."""

import re
from pathlib import Path

import pytest

from detectors.alerts import Kind
from detectors.settings import RUNBOOKS, Settings
from detectors.verdicts import Reason
from stream.config import load

ROOT = Path(__file__).parents[1]
NUMERIC = {
    Reason.ABOVE_RANGE,
    Reason.BELOW_RANGE,
    Reason.SHIFTED,
    Reason.DRIFTED,
    Reason.BASELINE_SHIFT_PROPOSED,
    Reason.BASELINE_SHIFT_ACCEPTED,
    Reason.SPREAD_GREW,
    Reason.STUCK,
    Reason.UNIT_CHANGED,
    Reason.UNLIKE_PEERS,
    Reason.UNUSUAL,
    Reason.LEVEL_MOVED,
}
REASONS: dict[Kind, set[Reason]] = {
    Kind.LATENCY: NUMERIC | {Reason.RUNNING_TOO_LONG},
    Kind.VOLUME: NUMERIC | {Reason.TOO_MANY_RUNS},
    Kind.VALUE: NUMERIC,
    Kind.FRESHNESS: {
        Reason.RUN_OVERDUE,
        Reason.RUN_ARRIVED,
        Reason.RUN_ON_TIME,
        Reason.SERIES_SILENT,
        Reason.SERIES_BACK,
        Reason.SAMPLE_ON_TIME,
    },
    Kind.FAILURES: {Reason.TOO_MANY_FAILURES},
    Kind.DUPLICATES: {Reason.TOO_MANY_DUPLICATES, Reason.TOO_MANY_REPEATED},
    Kind.LATENESS: {Reason.TOO_MANY_LATE},
    Kind.SCHEMA: {
        Reason.SCHEMA_CHANGED,
        Reason.DECLARED_DIFFERS,
        Reason.SUBJECT_CHANGED,
        Reason.NOTICE_GIVEN,
        Reason.VERSION_MIX,
        Reason.NEW_VERSION_ALONE,
        Reason.OLD_VERSION_ALONE,
        Reason.VERSIONS_USUAL,
    },
    Kind.STORM: {Reason.STORM},
    Kind.NULLS: set(),
    Kind.DETECTOR_HEALTH: {reason for reason in Reason if reason.of_health},
}
OF_NO_KIND = {Reason.ORDINARY, Reason.WARMING}
PARTS = ("Look first", "Reasons", "Tune, or say that it was expected", "When it ends")


def text_of(kind: Kind | str) -> str:
    return (ROOT / RUNBOOKS / f"{kind}.md").read_text()


def test_every_kind_and_every_reason_is_covered() -> None:
    assert set(REASONS) == set(Kind)
    assert set.union(*REASONS.values()) | OF_NO_KIND == set(Reason)
    overview = text_of("README")
    assert all(f"]({kind}.md)" in overview for kind in Kind)
    assert all(f"`{reason}`" in overview for reason in OF_NO_KIND)
    assert {path.stem for path in (ROOT / RUNBOOKS).glob("*.md")} == {"README", *Kind}


@pytest.mark.parametrize("kind", Kind)
def test_a_runbook_says_of_each_reason_what_it_means_how_to_check_why_and_what_to_set(kind: Kind) -> None:
    text = text_of(kind)
    assert text.startswith(f"# {kind}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(PARTS)
    told: set[str] = set()
    for section in text.split("\n### ")[1:]:
        heading, _, body = section.partition("\n## ")[0].partition("\n")
        assert re.findall(r"^- \*\*(\w+)\.\*\* .+", body, re.MULTILINE) == [
            "Means",
            "Check",
            "Causes",
            "Tune",
        ]
        told |= set(re.findall(r"`(\w+)`", heading))
    assert told == REASONS[kind]
    assert text.count("(../how-to/commands.md)") <= 1


@pytest.mark.parametrize("kind", Kind)
def test_the_configuration_in_a_runbook_is_valid(kind: Kind, tmp_path: Path) -> None:
    part = text_of(kind).partition("## Tune, or")[2]
    yaml = "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))
    path = tmp_path / "streamgauge.yaml"
    path.write_text(yaml)
    assert load(path, environ={}).alerts.runbook_base_url == RUNBOOKS


def test_an_alert_links_to_its_kind_s_runbook_unless_its_series_has_its_own() -> None:
    settings = Settings(runbook_base_url="https://docs.example/runbooks/")
    of_series = settings.for_series("volume", {})
    assert settings.runbook_url(Kind.VOLUME, of_series) == "https://docs.example/runbooks/volume.md"
    assert Settings().runbook_url(Kind.VOLUME, of_series) == "docs/runbooks/volume.md"
