"""The backtest: recorded lines in, the alerts of a worker out, on the recording's own time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from detectors.alerts import Alert, Mode, decode
from stream import simulation
from stream.exits import Exit

NOW_MS = 1_790_000_000_000


def recorded(**wrapped: Any) -> list[str]:
    """Two weeks of the simulated platform with three incidents, one value a line or wrapped with these fields."""
    events = simulation.history(NOW_MS, 14, NOW_MS + 20_000)
    events += [*simulation.slow_run(NOW_MS + 1000).events(), *simulation.thin_run(NOW_MS + 2000).events()]
    events.append({"pipeline": "other", "state": "succeeded", "time": NOW_MS + 60_000})
    events.sort(key=lambda event: int(event["time"]))
    if not wrapped:
        return [json.dumps(event) for event in events]
    return [
        json.dumps({"value": json.dumps(event), "timestamp": event["time"], **wrapped}) for event in events
    ]


def backtest(folder: Path, lines: list[str], *options: str) -> tuple[list[Alert], str, int]:
    """Alerts, standard error and exit code of `streamgauge backtest`."""
    path = folder / "recorded.jsonl"
    path.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "stream", "backtest", *options, str(path)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
    return [decode(line) for line in done.stdout.splitlines()], done.stderr.decode(), done.returncode


def incidents(alerts: list[Alert]) -> set[tuple[str, str]]:
    return {(alert.kind, alert.series.labels["pipeline"]) for alert in alerts if alert.state == "firing"}


def test_the_three_incidents_of_a_recording_are_found_and_a_summary_ends_the_run(tmp_path: Path) -> None:
    alerts, said, code = backtest(tmp_path, recorded())
    assert code == Exit.OK
    assert incidents(alerts) >= {("latency", "orders"), ("volume", "payments"), ("freshness", "inventory")}
    assert {alert.mode for alert in alerts} == {Mode.BACKTEST}
    assert said.splitlines()[-1].startswith("backtest: 10,029 records (0 dead-lettered, 0 late rows)")
    assert said.splitlines()[-1].endswith(" muted by the fleet's ceiling")


def test_wrapped_records_give_the_same_alerts_at_the_same_positions(tmp_path: Path) -> None:
    bare, _, _ = backtest(tmp_path, recorded())
    wrapped, _, _ = backtest(tmp_path, recorded(topic="pipeline.events", key=None))
    assert [alert.event_id for alert in wrapped] == [alert.event_id for alert in bare]


def test_a_topic_that_is_no_source_is_read_in_the_format_it_looks_like(tmp_path: Path) -> None:
    alerts, said, code = backtest(tmp_path, recorded(topic="somewhere.else", key="k"))
    assert code == Exit.OK
    assert "(0 dead-lettered" in said
    assert {place.topic for alert in alerts for place in alert.source_positions} == {"somewhere.else"}


def test_a_record_that_cannot_be_read_is_a_line_on_standard_error_with_reason_and_position(
    tmp_path: Path,
) -> None:
    good = json.dumps({"pipeline": "p", "state": "succeeded", "time": NOW_MS})
    lines = [good, '{"pipeline": ', good, '{"pipeline": "p", "state": "nope", "time": 1}']
    alerts, said, code = backtest(tmp_path, lines)
    assert (alerts, code) == ([], Exit.OK)
    dead = [line for line in said.splitlines() if line.startswith("dead-letter")]
    assert [line.split(": ")[0] for line in dead] == [
        "dead-letter pipeline.events[0]@1 not_json",
        "dead-letter pipeline.events[0]@3 wrong_type",
    ]
    assert "4 records (2 dead-lettered" in said.splitlines()[-1]


def test_nothing_recorded_is_no_alert(tmp_path: Path) -> None:
    alerts, said, code = backtest(tmp_path, [])
    assert (alerts, code) == ([], Exit.OK)
    assert said.startswith("backtest: 0 records")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stream", "backtest", "no.jsonl"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == Exit.DATA
    assert b"no.jsonl: No such file or directory" in done.stderr
