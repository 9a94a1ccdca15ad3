import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import msgspec
import pytest
import typer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner, Result

from detectors.alerts import Alert, Kind, encode
from detectors.outputs import Destination
from stream.alert_records import alert_outputs
from stream.alert_stream import assign, follow, open_consumer
from stream.alert_text import render
from stream.commands.alerts import alerts
from stream.exits import Exit, Refused
from stream.testing.topics import TopicMaker
from tests.stream.alert_examples import FIRING, RESOLVED

TIMEOUT_S = 30
STREAMGAUGE = [sys.executable, "-c", "from stream.cli import main; main()"]
VOLUME = msgspec.structs.replace(FIRING, alert_id="f" * 32, kind=Kind.VOLUME)


def write(kafka: str, topic: str, *given_alerts: Alert | bytes, timestamp_ms: int = 0) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for alert in given_alerts:
        if isinstance(alert, bytes):
            producer.produce(topic, alert, b"?")
            continue
        for output in alert_outputs(alert):
            if output.destination is Destination.ALERTS:
                producer.produce(
                    topic, output.value, output.key, headers=list(output.headers), timestamp=timestamp_ms
                )
    assert producer.flush(TIMEOUT_S) == 0


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(alerts)
    return CliRunner().invoke(app, arguments)


def text_of(alert: Alert) -> str:
    console = Console(file=io.StringIO(), width=200, no_color=True)
    console.print(render(alert))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def topic(make_topic: TopicMaker) -> str:
    return make_topic(partitions=3)


def test_an_alert_reads_as_one_compact_block():
    assert text_of(FIRING).splitlines() == [
        '2026-03-01 10:00:00.123 UTC  FIRING  warning  latency{pipeline="orders",task="load"}',
        "  orders/load took 31.2 s at 2026-03-01 10:00:00 UTC; expected about 5.3 s, at most 7.1 s (118 samples)",
        "  observed 31.2 s · expected 5.3 s · range any to 7.1 s · since 2026-03-01 09:58:00.000 UTC",
        f"  alert {FIRING.alert_id} · owner data-platform · runbook https://runbooks.example/orders",
    ]
    assert "until 2026-03-01 10:30:00.000 UTC" in text_of(RESOLVED)


@given(st.text(), st.dictionaries(st.text(), st.text()), st.text())
def test_no_text_in_an_alert_moves_the_cursor_or_styles_the_output(
    summary: str, labels: dict[str, str], owner: str
):
    series = msgspec.structs.replace(FIRING.series, labels=labels)
    hostile = msgspec.structs.replace(FIRING, summary=f"\x1b[2J[red]{summary}", series=series, owner=owner)
    shown = text_of(hostile)
    assert "[red]" in shown
    assert not any(0x7F <= ord(char) < 0xA0 or (ord(char) < 0x20 and char != "\n") for char in shown)


def test_all_alerts_of_a_topic_are_shown_and_those_of_an_episode_in_their_order(kafka: str, topic: str):
    write(kafka, topic, FIRING, VOLUME, RESOLVED)
    result = run("--topic", topic, "-b", kafka, "--no-follow")
    assert result.exit_code == 0
    blocks = [line for line in result.stdout.splitlines() if line.startswith("2026")]
    assert [block.split()[3] for block in blocks if "RESOLVED" in block or "FIRING" in block].count(
        "FIRING"
    ) == 2
    assert result.stdout.index("FIRING") < result.stdout.index("RESOLVED")
    assert result.stderr == ""


def test_what_is_piped_is_cut_nowhere(kafka: str, topic: str):
    write(kafka, topic, FIRING)
    result = run("--topic", topic, "-b", kafka, "--no-follow")
    assert result.stdout.splitlines() == text_of(FIRING).splitlines()


def test_json_is_what_is_on_the_topic_one_alert_a_line(kafka: str, topic: str):
    later = {**json.loads(encode(VOLUME)), "added_later": {"a": 1}}
    write(kafka, topic, FIRING, json.dumps(later, indent=2).encode())
    result = run("--topic", topic, "-b", kafka, "--no-follow", "--json")
    found = sorted(
        (json.loads(line) for line in result.stdout.splitlines()), key=lambda alert: str(alert["alert_id"])
    )
    assert found == [json.loads(encode(FIRING)), later]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--state", "resolved"], 1),
        (["--state", "firing", "--state", "resolved"], 3),
        (["--kind", "volume"], 1),
        (["--kind", "latency", "--state", "firing"], 1),
    ],
)
def test_states_and_kinds_choose(kafka: str, topic: str, options: list[str], count: int):
    write(kafka, topic, FIRING, VOLUME, RESOLVED)
    result = run("--topic", topic, "-b", kafka, "--no-follow", "--json", *options)
    assert len(result.stdout.splitlines()) == count


def test_since_leaves_out_what_is_older(kafka: str, topic: str):
    now_ms = int(time.time() * 1000)
    write(kafka, topic, FIRING, timestamp_ms=now_ms - 2 * 3_600_000)
    write(kafka, topic, RESOLVED, timestamp_ms=now_ms - 60_000)
    result = run("--topic", topic, "-b", kafka, "--no-follow", "--json", "--since", "1h")
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()] == ["resolved"]


def test_an_empty_topic_says_so_on_stderr(kafka: str, topic: str):
    result = run("--topic", topic, "-b", kafka, "--no-follow")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"no alerts on {topic}\n")


def test_a_record_that_is_no_alert_is_named_and_passed_over(kafka: str, make_topic: TopicMaker):
    topic = make_topic()
    write(kafka, topic, b"{}", FIRING, b"\xff")
    result = run("--topic", topic, "-b", kafka, "--no-follow", "--json")
    assert len(result.stdout.splitlines()) == 1
    assert [line.partition(": ")[2].partition(":")[0] for line in result.stderr.splitlines()] == [
        f"{topic}[0]@0",
        f"{topic}[0]@2",
    ]


def test_a_missing_topic_is_refused_with_the_cure(kafka: str):
    result = run("--topic", "no-such-topic", "-b", kafka)
    assert isinstance(result.exception, Refused)
    assert result.exception.code is Exit.KAFKA
    assert "there is no topic no-such-topic; make it with: streamgauge topics create" in str(result.exception)


@pytest.mark.parametrize(
    "options", [["--since", "soon"], ["--since", "1h", "--from-beginning"]], ids=["no duration", "two starts"]
)
def test_wrong_starts_are_refused(options: list[str]):
    result = run(*options)
    assert isinstance(result.exception, Refused)
    assert result.exception.code is Exit.USAGE


def test_following_starts_at_the_end_and_shows_what_comes(kafka: str, topic: str):
    write(kafka, topic, FIRING)
    consumer = open_consumer({"bootstrap.servers": kafka})
    partitions = assign(consumer, topic, None)
    write(kafka, topic, RESOLVED)
    complaints: list[str] = []
    received = next(follow(consumer, partitions, stop_at_end=False, complain=complaints.append))
    consumer.close()
    assert (received.alert, complaints) == (RESOLVED, [])


@pytest.mark.needs_apache
def test_reading_leaves_no_consumer_group_behind(kafka: str, topic: str):
    write(kafka, topic, FIRING)
    before = groups(kafka)
    assert run("--topic", topic, "-b", kafka, "--no-follow").exit_code == 0
    assert groups(kafka) == before


def groups(kafka: str) -> set[str]:
    listed: Any = AdminClient({"bootstrap.servers": kafka}).list_consumer_groups().result()
    return {group.group_id for group in listed.valid}


def following(kafka: str, topic: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [*STREAMGAUGE, "alerts", "--topic", topic, "-b", kafka, "--from-beginning", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["state"] == "firing"
    return process


def test_ctrl_c_ends_following_quietly(kafka: str, topic: str):
    write(kafka, topic, FIRING)
    process = following(kafka, topic)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stdout, stderr) == (Exit.INTERRUPTED, b"", b"")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_closed_pipe_ends_quietly(kafka: str, topic: str, options: list[str]):
    write(kafka, topic, *[FIRING] * 2000)
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [*STREAMGAUGE, "alerts", "--topic", topic, "-b", kafka, "--from-beginning", *options],
        stdout=write_end,
        stderr=subprocess.PIPE,
    )
    os.close(write_end)
    assert os.read(read_end, 100)
    os.close(read_end)
    _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stderr) == (Exit.OK, b"")
