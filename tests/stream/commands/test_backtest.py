"""`streamgauge backtest` of two configurations as a user meets it: table, JSON, Markdown, page and exit code."""

import json
import re
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from detectors.wording import time_text
from stream import simulation
from stream.commands.backtest import backtest
from stream.exits import Exit, Refused
from stream.testing.topics import TopicMaker

NOW_MS = 1_790_000_000_000
NEW = "defaults: {min_effect: 20%}\nseries: [{match: {signal: volume}, min_effect: 1000%}]\n"
OLD = "name: old\n"
LABELS = """\
incidents:
  - {match: {pipeline: orders}, from: 2026-09-21T13:33Z, to: 2026-09-21T14:30Z, kind: latency}
  - {match: {pipeline: "pay<b>"}, from: 2026-09-10, to: 2026-09-11}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of a platform with a slow run and one with too few rows, two configurations, and labels."""
    made = tmp_path_factory.mktemp("backtest")
    events = simulation.history(NOW_MS, 14, NOW_MS + 20_000)
    events += [*simulation.slow_run(NOW_MS + 1000).events(), *simulation.thin_run(NOW_MS + 2000).events()]
    events.append({"pipeline": "other", "state": "succeeded", "time": NOW_MS + 60_000})
    events.sort(key=lambda event: int(event["time"]))
    (made / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    for name, text in (("new.yaml", NEW), ("old.yaml", OLD), ("labels.yaml", LABELS)):
        (made / name).write_text(text)
    return made


def run(folder: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(backtest)
    both = ["--config", str(folder / "new.yaml"), "--against", str(folder / "old.yaml")]
    return CliRunner().invoke(app, [str(folder / "events.jsonl"), *both, *options])


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    done = run(folder, "--labels", str(folder / "labels.yaml"), "--format", "json")
    assert done.exit_code == Exit.OK, done.exception
    return dict(json.loads(done.stdout))


def test_the_report_says_what_is_kept_new_and_gone_and_how_each_configuration_did(
    report: dict[str, Any],
) -> None:
    assert report["records"] == 10_029
    assert report["weeks"] == pytest.approx(2, abs=0.1)
    assert report["new"] == []
    assert {it["kind"] for it in report["gone"]} == {"volume"}
    assert all('pipeline="payments"' in it["series"] for it in report["gone"])
    assert 'latency{pipeline="orders",task="load"}' in {it["series"] for it in report["kept"]}
    now, before = report["config"], report["against"]
    assert now["alerts"] + len(report["gone"]) == before["alerts"]
    assert now["config_hash"] != before["config_hash"]
    assert (now["recall"], before["recall"]) == (0.5, 0.5)
    assert 0 <= now["delay_ms"] < 3_600_000


def test_incidents_are_told_with_their_delay_in_both(report: dict[str, Any]) -> None:
    missed, found = report["incidents"]
    assert (missed["delay_ms"], missed["delay_ms_before"]) == (None, None)
    assert found["delay_ms"] == found["delay_ms_before"] == report["config"]["delay_ms"]
    assert [it["incident"] for it in report["kept"] if it["kind"] == "latency"] == ["incident 1"]


def test_a_table_is_printed_unless_something_else_is_asked_for(folder: Path) -> None:
    lines = run(folder).stdout.splitlines()
    assert re.fullmatch(r"10,029 records from .*: \d alerts kept, 0 new, 1 gone\. *", lines[0])
    assert any(line.startswith("gone (1)") for line in lines)


def test_markdown_has_tables_and_goes_to_a_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    done = run(folder, "--labels", str(folder / "labels.yaml"), "--format", "markdown", "--output", str(out))
    assert (done.exit_code, done.stdout) == (Exit.OK, "")
    text = out.read_text()
    assert text.startswith("### Backtest\n")
    assert "| recall | 50% | 50% |" in text
    assert "pipeline=pay&lt;b>" in text
    assert text.count("<details>") == text.count("</details>") == 3


class Page(HTMLParser):
    """Which tags there are, and everything that a page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "xlink:href", "onload", "style")]


def test_the_page_has_a_plot_for_each_alert_and_incident_and_loads_nothing(
    folder: Path, report: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    labels = str(folder / "labels.yaml")
    assert run(folder, "--labels", labels, "--format", "html", "-o", str(out)).exit_code == Exit.OK
    text = out.read_text()
    page = Page(text)
    told = len(report["kept"]) + len(report["gone"])
    assert page.tags.count("svg") == told + 1
    assert page.loads == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    for drawn in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        plot = ET.fromstring(drawn)  # noqa: S314  our own page
        titles = [it.text or "" for it in plot.iter() if it.tag.endswith("title")]
        assert any(it.startswith(("alert", "incident")) for it in titles)
        assert not re.search("nan|inf", drawn)
    latency = next(it for it in re.findall(r"<figure>.*?</figure>", text, re.DOTALL) if "latency{" in it)
    assert latency.count("<title>alert: ") == latency.count("<title>alert before: ") == 1
    assert "<title>incident: " in latency


@pytest.mark.parametrize(
    ("condition", "code", "said"),
    [
        ("new", Exit.OK, ""),
        ("gone", Exit.CONDITION, "--fail-on gone>0: it is 1"),
        ("gone>1", Exit.OK, ""),
        ("recall<0.9", Exit.CONDITION, "--fail-on recall<0.9: it is 0.5"),
        ("recall<0.4", Exit.OK, ""),
        ("alerts>0", Exit.CONDITION, "--fail-on alerts>0: it is"),
        ("recal<0.4", Exit.USAGE, "--fail-on recal<0.4: write new, gone"),
        ("recall", Exit.USAGE, "--fail-on recall: write new, gone"),
    ],
)
def test_conditions_end_in_their_exit_code(folder: Path, condition: str, code: Exit, said: str) -> None:
    done = run(folder, "--labels", str(folder / "labels.yaml"), "--fail-on", condition)
    if code is Exit.OK:
        assert (done.exit_code, done.exception) == (Exit.OK, None)
        return
    assert isinstance(done.exception, Refused)
    assert done.exception.code is code
    assert said in str(done.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "pipeline.events"), "give either a FILE or --from"),
        (("--fail-on", "recall<0.9"), "needs --labels"),
        (("--labels", "/nowhere.yaml"), "/nowhere.yaml: No such file"),
    ],
)
def test_what_does_not_go_together_is_refused(folder: Path, options: tuple[str, ...], said: str) -> None:
    error = run(folder, *options).exception
    assert isinstance(error, Refused)
    assert said in str(error)


def test_a_topic_that_is_no_source_is_refused_with_those_that_are(folder: Path) -> None:
    app = typer.Typer()
    app.command()(backtest)
    done = CliRunner().invoke(app, ["--from", "elsewhere@-3d", "--config", str(folder / "old.yaml")])
    assert isinstance(done.exception, Refused)
    assert "elsewhere is no source of the configuration; sources are pipeline.events" in str(done.exception)


def test_kafka_gives_headers_too_and_each_configuration_reads_its_own_sources(
    kafka: str, make_topic: TopicMaker, tmp_path: Path
) -> None:
    records, metrics = make_topic(partitions=2), make_topic(partitions=1)
    producer = Producer({"bootstrap.servers": kafka})
    start_ms = int(time.time() * 1000) - 3_600_000
    for number in range(200):
        headers: list[tuple[str, str | bytes | None]] = [("at", str(start_ms + number * 1000))]
        headers.append(("region", "eu" if number % 2 else "us"))
        producer.produce(records, b'{"a": 1}', partition=number % 2, headers=headers)
        value = {"name": "depth", "value": number % 5, "time": start_ms + number * 1000}
        producer.produce(metrics, json.dumps(value).encode())
    assert producer.flush(30) == 0
    source = {
        "topic": records,
        "format": "records",
        "event_time": {"header": "at"},
        "labels": {"region": {"header": "region"}},
    }
    both = [source, {"topic": metrics, "format": "metrics"}]
    for name, sources in (("new.yaml", both), ("old.yaml", [source])):
        said = {"kafka": {"bootstrap.servers": kafka}, "sources": sources}
        (tmp_path / name).write_text(yaml.safe_dump(said))
    app = typer.Typer()
    app.command()(backtest)
    options = ["--config", str(tmp_path / "new.yaml"), "--against", str(tmp_path / "old.yaml")]
    options += ["--from", records, "--from", f"{metrics}@-1h", "--format", "json"]
    done = CliRunner().invoke(app, options, catch_exceptions=False)
    report = json.loads(done.stdout)
    assert report["records"] == 400
    assert report["starts_at"] == time_text(start_ms)
    assert (report["config"]["dead_letters"], report["against"]["dead_letters"]) == (0, 0)
    assert report["config"]["series"] > report["against"]["series"] >= 2
