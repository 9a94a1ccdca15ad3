"""The backtest: recorded lines in, the alerts of a worker out, on the recording's own time."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from detectors.alerts import Alert, Mode, decode
from stream import simulation
from stream.backtest import Backtest, Place, Reading, Recorded, Stretch, stretches, survey
from stream.config import Config
from stream.exits import Exit
from stream.ingest import Ingest

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


FORMATS = {"pipeline.events": "events", "pipeline.metrics": "metrics"}
CONFIG = Config()


def reading(partitions: dict[str, int]) -> Reading:
    """Ingest with the default settings."""
    settings = CONFIG.settings()
    ingest = Ingest(
        FORMATS, settings.shards, partitions, CONFIG.limits_for_ingest(), settings.allowed_skew_ms
    )
    return Reading(ingest, settings.allowed_lateness_ms, NOW_MS + 120_000)


def alternating() -> list[Recorded]:
    """The recording with a metric after every twentieth event, each on a topic of its own."""
    records = []
    for number, line in enumerate(recorded()):
        time_ms = json.loads(line)["time"]
        records.append(Recorded(Place("pipeline.events", 0), line.encode(), time_ms, -1))
        if number % 20 == 0:
            value = {"name": "depth", "value": 50 + number % 7, "time": time_ms}
            records.append(Recorded(Place("pipeline.metrics", 0), json.dumps(value).encode(), time_ms, -1))
    return records


@pytest.fixture(scope="module")
def plainly() -> list[Alert]:
    """The alerts when records are taken as they come, a stretch for each change of topic."""
    records = alternating()[-6_000:]
    made = stretches(records, survey(records, FORMATS).places)
    return list(Backtest(CONFIG.settings()).run(reading(dict.fromkeys(FORMATS, 1)).outputs(made)))


@pytest.mark.parametrize("gather", [30, 500, 100_000])
def test_how_many_records_are_sorted_by_topic_at_once_changes_no_alert(
    plainly: list[Alert], gather: int
) -> None:
    records = alternating()[-6_000:]
    made = stretches(records, survey(records, FORMATS).places, gather)
    found = Backtest(CONFIG.settings()).run(reading(dict.fromkeys(FORMATS, 1)).outputs(made))
    assert plainly
    assert sorted(alert.event_id for alert in found) == sorted(alert.event_id for alert in plainly)


def test_a_partition_that_ended_or_never_had_records_does_not_hold_back_time() -> None:
    records = alternating()
    metrics = [it for it in records if it.place.topic == "pipeline.metrics"][:100]
    events = [it for it in records if it.place.topic == "pipeline.events"]
    both = metrics + events
    ingested = reading({"pipeline.events": 1, "pipeline.metrics": 2})
    test = Backtest(CONFIG.settings())
    empty = Stretch(Place("pipeline.metrics", 1), None, 17, last=True)
    waiting = []
    for stretch in [empty, *stretches(both, Counter(it.place for it in both), 2_000)]:
        list(test.fold(ingested.take(stretch)))
        waiting.append(test.gauges()["pending_rows"])
    assert len(waiting) > 5
    assert max(waiting[:-1]) < 5_000
    list(test.fold(ingested.end()))
    assert test.gauges()["pending_rows"] == 0
    assert ingested.records == len(both)
    assert ingested.first_ms == min(it.timestamp_ms for it in both)


def test_what_is_in_the_shadow_is_nobodys_alert(plainly: list[Alert]) -> None:
    shadowed = Config.model_validate({"series": [{"match": {"pipeline": "payments"}, "mode": "shadow"}]})
    records = alternating()[-6_000:]
    made = stretches(records, survey(records, FORMATS).places)
    found = Backtest(shadowed.settings()).run(reading(dict.fromkeys(FORMATS, 1)).outputs(made))
    others = [it.alert_id for it in plainly if it.labels.get("pipeline") != "payments"]
    assert len(others) < len(plainly)
    assert [it.alert_id for it in found] == others
