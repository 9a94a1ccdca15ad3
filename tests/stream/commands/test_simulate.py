"""`streamgauge simulate` as a user meets it."""

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from stream.backtest import read_lines
from stream.commands.simulate import simulate
from stream.exits import Exit, Refused

SMALL = ("--pipelines", "12", "--days", "30")
FORMATS = {"pipeline.events": "events", "pipeline.metrics": "metrics"}


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, arguments)


def refusal(result: Result) -> Refused:
    assert isinstance(result.exception, Refused), result.output
    return result.exception


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulate") / "new" / "folder"
    result = run("--out", str(out), *SMALL)
    assert result.exit_code == Exit.OK, result.output
    assert "records" in result.output
    return out


def test_three_files_are_written(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == [
        "events.ndjson",
        "incidents.yaml",
        "platform.yaml",
    ]
    incidents = yaml.safe_load((written / "incidents.yaml").read_text())
    assert (incidents["seed"], incidents["from"], incidents["to"]) == (
        1,
        "2025-10-11T00:00:00Z",
        "2025-11-10T00:00:00Z",
    )
    assert incidents["incidents"]
    assert set(incidents["incidents"][0]) == {
        "id",
        "kind",
        "match",
        "signals",
        "starts_at",
        "ends_at",
        "expected",
        "for_good",
        "detail",
    }
    assert len(yaml.safe_load((written / "platform.yaml").read_text())["pipelines"]) == 12


def test_every_line_is_a_record_of_a_default_source(written: Path) -> None:
    with (written / "events.ndjson").open("rb") as lines:
        records = list(read_lines(lines, FORMATS))
    assert {record.place.topic for record in records} <= set(FORMATS)
    assert all(record.timestamp_ms > 0 and json.loads(record.value or b"") for record in records)
    times = [record.timestamp_ms for record in records]
    assert times == sorted(times)


def test_the_same_seed_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), *SMALL).exit_code == Exit.OK
    for path in written.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_no_faults_means_no_incidents(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path), *SMALL, "--faults", "none").exit_code == Exit.OK
    assert yaml.safe_load((tmp_path / "incidents.yaml").read_text())["incidents"] == []


def test_one_zone_for_all_and_the_kinds_asked_for(tmp_path: Path) -> None:
    asked = ("--faults", "partial_load, missing_run", "--timezone", "Europe/Berlin", "--faults-per-week", "2")
    assert run("--out", str(tmp_path), *SMALL, *asked).exit_code == Exit.OK
    incidents = yaml.safe_load((tmp_path / "incidents.yaml").read_text())["incidents"]
    assert {incident["kind"] for incident in incidents} == {"partial_load", "missing_run"}
    zones = {each["zone"] for each in yaml.safe_load((tmp_path / "platform.yaml").read_text())["pipelines"]}
    assert zones == {"Europe/Berlin"}


def test_a_directory_with_something_in_it_is_left_alone_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    error = refusal(run("--out", str(tmp_path), *SMALL))
    assert error.code == Exit.USAGE
    assert "--force" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert run("--out", str(tmp_path), *SMALL, "--force").exit_code == Exit.OK
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--faults", "late_run,lost_run"), "lost_run"),
        (("--timezone", "Europe/Atlantis"), "Europe/Atlantis"),
        (("--end", "yesterday"), "yesterday"),
        (("--end", "1970-01-20T00:00:00Z"), "1970"),
        (("--end", "9999-12-31T00:00:00Z"), "9999"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_written(
    tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    error = refusal(run("--out", str(tmp_path / "out"), *SMALL, *options))
    assert error.code == Exit.USAGE
    assert said in str(error)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    error = refusal(run("--out", str(tmp_path / "out"), *SMALL))
    assert str(tmp_path / "out") in str(error)


def test_when_interrupted_no_half_of_a_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream.simulate.events.Sent.line", interrupt)
    assert run("--out", str(tmp_path), *SMALL).exit_code != Exit.OK
    assert list(tmp_path.iterdir()) == []
