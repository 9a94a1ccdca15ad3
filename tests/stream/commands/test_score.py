"""`streamgauge score` as a user meets it: a process with files, pipes and exit codes."""

import csv
import io
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stream.exits import Exit

ROOT = Path(__file__).parents[3]
NAB = ROOT / "tests" / "fixtures" / "nab" / "rds_cpu_utilization_cc0c53.csv"
HEADER = ["time", "value", "expected", "lower", "upper", "score", "alert", "firing"]
PROGRAM = [sys.executable, "-c", "from stream.cli import main; main()", "score"]
TIMEOUT_S = 120


def score(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *arguments], input=stdin, capture_output=True, cwd=ROOT, timeout=TIMEOUT_S, check=False
    )


def table(output: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output.decode())))


@pytest.fixture(scope="module")
def rds() -> list[dict[str, str]]:
    done = score(str(NAB))
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.decode().splitlines()[0] == ",".join(HEADER)
    return table(done.stdout)


def test_every_row_comes_out_with_its_time_and_value_as_written(rds: list[dict[str, str]]) -> None:
    with NAB.open(newline="") as lines:
        expected = [(row["timestamp"], row["value"]) for row in csv.DictReader(lines)]
    assert [(row["time"], row["value"]) for row in rds] == expected


def test_scores_are_the_detectors_own(rds: list[dict[str, str]]) -> None:
    with NAB.open(newline="") as lines:
        expected = [float(row["score"]) for row in csv.DictReader(lines)]
    assert [float(row["score"]) for row in rds][100:] == pytest.approx(expected[100:], abs=2e-5)


def test_both_labelled_incidents_are_told_and_firing_says_how_long_they_last(
    rds: list[dict[str, str]],
) -> None:
    alerts = [row["time"] for row in rds if row["alert"] == "1"]
    assert any("2014-02-24 18" <= time <= "2014-02-26" for time in alerts)
    assert any("2014-02-26 13" <= time <= "2014-02-28" for time in alerts)
    assert len([time for time in alerts if time >= "2014-02-16"]) <= 4
    firing = [row for row in rds if row["firing"] == "1"]
    assert len(alerts) < len(firing) < len(rds) / 10
    assert all(row["firing"] == "1" for row in rds if row["alert"] == "1")


def test_an_alert_lies_outside_its_band(rds: list[dict[str, str]]) -> None:
    for row in rds:
        if row["alert"] == "1":
            assert not float(row["lower"]) <= float(row["value"]) <= float(row["upper"])
            assert float(row["lower"]) <= float(row["expected"]) <= float(row["upper"])


def test_a_row_does_not_depend_on_those_that_follow(rds: list[dict[str, str]]) -> None:
    head = b"".join(NAB.read_bytes().splitlines(keepends=True)[:3001])
    assert table(score("-", stdin=head).stdout) == rds[:3000]


def test_missing_values_leave_the_score_empty_and_teach_nothing(rds: list[dict[str, str]]) -> None:
    lines = NAB.read_text().splitlines()
    gaps = [*lines[:1000], "2014-02-17 11:00:00,", "2014-02-17 11:00:01,NaN", *lines[1000:]]
    done = table(score("-", stdin="\n".join(gaps).encode()).stdout)
    for row in done[999:1001]:
        assert row["score"] == row["expected"] == row["lower"] == row["upper"] == ""
        assert row["alert"] == "0"
    assert done[:999] + done[1001:] == rds


def test_a_file_from_windows_with_other_columns_reads_the_same(
    tmp_path: Path, rds: list[dict[str, str]]
) -> None:
    with NAB.open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:500]
    file = tmp_path / "a series.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(["When", "host", "CPU"])
        writer.writerows([row["timestamp"], "db,1", row["value"]] for row in rows)
    done = score(str(file), "--time", "When", "--value", "CPU")
    assert table(done.stdout) == rds[:500]


def test_latency_is_judged_from_the_sixth_run_and_only_upwards() -> None:
    durations = [300_000, 310_000, 295_000, 305_000, 299_000, 301_000, 3_000_000, 300_000, 1_000]
    lines = ["timestamp,value", *(f"2024-05-{day:02},{ms}" for day, ms in enumerate(durations, 1))]
    done = table(score("-", "--signal", "latency", stdin="\n".join(lines).encode()).stdout)
    assert [row["alert"] for row in done] == ["0"] * 6 + ["1", "0", "0"]
    assert [row["firing"] for row in done] == ["0"] * 6 + ["1", "0", "0"]
    assert all(row["lower"] == "" for row in done)
    volume = table(score("-", "--signal", "volume", stdin="\n".join(lines).encode()).stdout)
    assert [row["alert"] for row in volume] == ["0"] * 6 + ["1", "0", "1"]


def test_persistence_and_least_volume_hold_back_what_is_single_or_small() -> None:
    sizes = [300, 310, 295, 305, 299, 301, 3_000, 300, 3_000]
    lines = ["timestamp,value", *(f"2024-05-{day:02},{size}" for day, size in enumerate(sizes, 1))]
    stdin = "\n".join(lines).encode()
    options = "-", "--signal", "volume"
    twice = table(score(*options, "--persistence", "2 of 3", stdin=stdin).stdout)
    assert [row["firing"] for row in twice] == ["0"] * 8 + ["1"]
    small = table(score(*options, "--min-volume", "5000", stdin=stdin).stdout)
    assert [row["firing"] for row in small] == ["0"] * 9


def test_a_time_zone_moves_the_routines_and_not_the_times(tmp_path: Path) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=hour) for hour in range(45 * 24)]
    here = [moment.astimezone(ZoneInfo("Europe/Berlin")).hour for moment in hours]
    wobble = [(7 * number % 11) / 10 for number in range(len(hours))]
    rows = [
        f"{hours[n].isoformat()},{100 + wobble[n] + (400 if here[n] == 2 else 0)}" for n in range(len(hours))
    ]
    file = tmp_path / "nightly.csv"
    file.write_text("\n".join(["timestamp,value", *rows]))
    utc, berlin = (
        table(score(str(file)).stdout),
        table(score(str(file), "--time-zone", "Europe/Berlin").stdout),
    )
    assert [row["time"] for row in berlin] == [row["time"] for row in utc]

    def alerts(rows: list[dict[str, str]]) -> int:
        return sum(row["alert"] == "1" for row in rows if "2026-03-29" <= row["time"] < "2026-04-05")

    assert alerts(utc) >= 2
    assert alerts(berlin) == 0


@pytest.mark.parametrize(
    ("option", "written", "said"),
    [
        ("--time-zone", "Europe/Berln", b"Europe/Berlin"),
        ("--persistence", "3 of 2", b"cannot be"),
        ("--min-volume", "-1", b"greater than or equal to 0"),
    ],
)
def test_an_option_that_cannot_be_read_is_refused(option: str, written: str, said: bytes) -> None:
    done = score(str(NAB), option, written)
    assert done.returncode == Exit.USAGE
    assert said in done.stderr


def test_rows_come_out_while_standard_input_is_still_open() -> None:
    with subprocess.Popen(
        [*PROGRAM, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"timestamp,value\n1714564800,5\n")
        process.stdin.flush()
        assert process.stdout.readline() == (",".join(HEADER) + "\n").encode()
        assert process.stdout.readline().startswith(b"1714564800,5,")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == Exit.INTERRUPTED
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_early_ends_it_quietly() -> None:
    read, write = os.pipe()
    with subprocess.Popen([*PROGRAM, str(NAB)], stdout=write, stderr=subprocess.PIPE, cwd=ROOT) as process:
        os.close(write)
        os.read(read, 10)
        os.close(read)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert errors == b""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": the file is empty"),
        (b"time,value\n1,2\n", ":1: no column 'timestamp'"),
        (b"timestamp,value\n1,2\n2,many\n", ":3: column 'value' is 'many'; expected a number"),
        (b"timestamp,value\nnoon,2\n", ":2: column 'timestamp' is 'noon'; expected a time"),
        (b"timestamp,value\n1,\xff\n", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_message_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "series.csv"
    file.write_bytes(content)
    done = score(str(file))
    assert done.returncode == Exit.DATA
    assert said in done.stderr.decode()
    assert str(file) in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = score(str(tmp_path / "none.csv"))
    assert done.returncode == Exit.DATA
    assert b"No such file" in done.stderr


def test_an_unknown_signal_is_refused_with_those_there_are() -> None:
    done = score(str(NAB), "--signal", "schema")
    assert done.returncode == Exit.USAGE
    assert all(word in done.stderr for word in (b"value", b"latency", b"volume"))


def _modelled(*options: str) -> list[dict[str, str]]:
    rng = random.Random(4)
    rows = [f"{1_700_000_000 + n * 300},{rng.gauss(50, 5) + 60 * (700 <= n < 720)}" for n in range(760)]
    done = score("-", *options, stdin="\n".join(["timestamp,value", *rows]).encode())
    assert (done.returncode, done.stderr) == (Exit.OK, b"")
    return table(done.stdout)


@pytest.mark.parametrize("parameters", ['{"n_trees": 5, "seed": 7}', "n_trees=5,seed=7"])
def test_a_model_judges_in_place_of_the_default_detector(parameters: str):
    rows = _modelled("--model", "river.anomaly.HalfSpaceTrees", "--parameters", parameters)
    alerts = [n for n, row in enumerate(rows) if row["alert"] == "1"]
    assert alerts
    assert all(700 <= n < 725 for n in alerts)
    assert rows[100]["upper"] != ""
    assert rows[alerts[0]]["upper"] == ""
    assert float(rows[alerts[0]]["score"]) >= 4.4
    assert rows[:300] == _modelled()[:300]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "river.drift.ADWN"], "--model: no detector is named 'river.drift.ADWN', did you mean"),
        (
            ["--model", "river.drift.ADWIN", "--parameters", "x=1"],
            "--parameters.x: river.drift.ADWIN takes no such",
        ),
        (
            ["--model", "river.drift.ADWIN", "--parameters", "x"],
            "--parameters: write a JSON object, or key=value",
        ),
        (["--model", "river.drift.ADWIN", "--parameters", "{"], "--parameters: not valid JSON"),
        (["--parameters", "x=1"], "--parameters are those of a model; name it with --model"),
    ],
)
def test_a_model_that_cannot_be_is_a_wrong_option(options: list[str], says: str):
    done = score(str(NAB), *options)
    assert done.returncode == Exit.USAGE
    assert says in done.stderr.decode()
