"""`streamgauge suggest` on a simulated platform: proposals, their evidence, and the patch."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from stream.commands.backtest import backtest
from stream.commands.suggest import suggest
from stream.config import load
from stream.exits import Exit
from stream.simulate.recording import Request, record, span

END_MS = 1_762_732_800_000
HOUR_MS = 3_600_000
CONFIG = """\
defaults: {false_alarms: 1 per 30d, min_effect: 0%}
series:
  - match: {signal: volume, measure: rows}
    direction: up
"""


def run(command: Any, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def wrapped(topic: str, value: dict[str, Any]) -> bytes:
    record = {"topic": topic, "value": json.dumps(value), "timestamp": value["time"]}
    return json.dumps(record).encode() + b"\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty days of eight pipelines, of a steady one, and of a metric with a spike now and then; a configuration that looks for no loss of rows."""
    made = tmp_path_factory.mktemp("suggest")
    from_ms, to_ms = span(END_MS, 30)
    recording = record(Request(3, 8, from_ms, to_ms, kinds=()))
    sent = [(it.published_ms, it.line()) for day in recording.days() for it in day]
    for hour in range(30 * 24):
        time_ms = from_ms + hour * HOUR_MS
        run = {"pipeline": "steady", "state": "succeeded", "rows": 10_000 + hour * 37 % 997, "time": time_ms}
        sent.append((time_ms, wrapped("pipeline.events", run)))
    for number in range(30 * 144):
        spike = number > 14 * 144 and number % 180 == 0
        time_ms = from_ms + number * HOUR_MS // 6
        value = {"name": "depth[1]", "value": 900 if spike else 100 + number * 7 % 31, "time": time_ms}
        sent.append((time_ms, wrapped("pipeline.metrics", value)))
    (made / "events.ndjson").write_bytes(b"".join(line for _, line in sorted(sent)))
    (made / "config.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def suggested(folder: Path) -> dict[str, Any]:
    options = ("--config", str(folder / "config.yaml"), "--output", str(folder / "patch.yaml"), "--json")
    done = run(suggest, str(folder / "events.ndjson"), *options)
    assert done.exit_code == Exit.OK
    return dict(json.loads(done.stdout))


def test_a_series_with_single_spikes_is_noisy_and_is_to_be_patient(suggested: dict[str, Any]) -> None:
    (noisy,) = (it for it in suggested["proposals"] if "depth" in it["series"])
    assert noisy["entry"] == {
        "match": {"signal": "value", "name": "depth[[]1]"},
        "persistence": "2 of 3",
    }
    change = noisy["change"]
    assert change["before"] >= 3
    assert 2 * change["gone"] >= change["before"]
    assert 2 * change["new"] <= change["gone"]


def test_series_whose_losses_are_no_news_are_blind_and_are_to_look_both_ways(
    suggested: dict[str, Any],
) -> None:
    blind = [it for it in suggested["proposals"] if it["problem"].startswith("blind")]
    (steady,) = (it for it in blind if it["series"] == 'volume{measure="rows",pipeline="steady"}')
    assert steady["entry"]["direction"] == "both"
    assert all(it["sight"]["before"] < 0.1 and it["sight"]["after"] >= 0.5 for it in blind)


def test_the_patch_is_a_configuration_that_does_what_the_evidence_says(
    folder: Path, suggested: dict[str, Any]
) -> None:
    patch = (folder / "patch.yaml").read_text()
    entries = yaml.safe_load(patch)["series"]
    assert entries == [it["entry"] for it in suggested["proposals"]]
    load(folder / "patch.yaml", environ={})
    changed = yaml.safe_load(CONFIG)
    changed["series"] += entries
    (folder / "changed.yaml").write_text(yaml.safe_dump(changed))
    options = ("--config", str(folder / "changed.yaml"), "--against", str(folder / "config.yaml"))
    report = json.loads(run(backtest, str(folder / "events.ndjson"), *options, "--format", "json").stdout)
    assert len(report["gone"]) == suggested["gone"]
    assert len(report["new"]) == suggested["new"]
    assert report["against"]["alerts"] == suggested["alerts"]
    assert patch.count("\n  # ") == 2 * len(entries)


def test_series_with_too_few_samples_are_named_and_nothing_is_proposed_for_them(
    suggested: dict[str, Any],
) -> None:
    assert suggested["young"]
    assert not set(suggested["young"]) & {it["series"] for it in suggested["proposals"]}


def test_the_configuration_itself_is_never_touched(folder: Path, suggested: dict[str, Any]) -> None:
    assert suggested["proposals"]
    assert (folder / "config.yaml").read_text() == CONFIG


def test_nothing_recorded_is_nothing_to_propose(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    (tmp_path / "config.yaml").write_text("name: quiet\n")
    options = ("--config", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "patch.yaml"))
    done = run(suggest, str(tmp_path / "none.jsonl"), *options)
    assert "0 alerts, nothing to propose." in done.stdout
    assert yaml.safe_load((tmp_path / "patch.yaml").read_text()) == {"series": []}
