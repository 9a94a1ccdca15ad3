import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from typer.testing import CliRunner, Result

from stream.commands.publish import publish
from stream.exits import Exit, Refused
from stream.testing.topics import TopicMaker

TIMEOUT_S = 30
STREAMGAUGE = [sys.executable, "-c", "from stream.cli import main; main()"]
EVENT = '{"pipeline": "orders", "state": "succeeded", "time": 1772359200000, "rows": 5}'


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def topic(make_topic: TopicMaker) -> str:
    return make_topic()


def run(*arguments: str, stdin: str | None = None) -> Result:
    app = typer.Typer()
    app.command()(publish)
    return CliRunner().invoke(app, arguments, input=stdin)


def refusal(result: Result) -> Refused:
    assert isinstance(result.exception, Refused), result.output
    return result.exception


def published(kafka: str, topic: str) -> list[tuple[bytes, dict[str, Any]]]:
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "test",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found = []
    while (message := consumer.poll(TIMEOUT_S)) is not None and message.error() is None:
        found.append((message.key() or b"", json.loads(message.value() or b"")))
    consumer.close()
    return found


def test_an_event_arrives_with_every_field(kafka: str, topic: str):
    result = run(
        "orders", "succeeded", "--task", "load", "--duration", "5.5s", "--rows", "120345", "--bytes", "99120",
        "--run-id", "r-1", "--label", "region=eu", "--label", "tier=a=b", "--time", "2026-03-01T10:00:00Z",
        "--dataset", "warehouse.orders", "--owner", "data", "--topic", topic, "-b", kafka,
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, "")
    assert published(kafka, topic) == [
        (
            b"orders",
            {
                "pipeline": "orders",
                "state": "succeeded",
                "time": "2026-03-01T10:00:00.000Z",
                "task": "load",
                "run_id": "r-1",
                "dataset": "warehouse.orders",
                "labels": {"region": "eu", "tier": "a=b"},
                "owner": "data",
                "duration_ms": 5500,
                "rows": 120_345,
                "bytes": 99_120,
            },
        )
    ]


def test_a_start_prints_the_run_id_that_was_made_up_for_it(kafka: str, topic: str):
    result = run("orders", "started", "--topic", topic, "-b", kafka)
    assert published(kafka, topic)[0][1]["run_id"] == result.stdout.strip() != ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give a pipeline and a state"),
        (["orders"], "give a pipeline and a state"),
        (["orders", "sucedeed"], "sucedeed is no state"),
        (["orders", "started", "twice"], "nothing may follow"),
        (["orders", "started", "--label", "eu"], "write NAME=VALUE"),
        (["orders", "started", "--duration", "5"], "write a number and ms, s, m, h or d"),
        (["orders", "started", "--time", "yesterday"], "yesterday"),
        (["orders", "--rows", "5", "--", "true"], "--rows cannot go with a command"),
        (["orders", "started", "--file", "events.jsonl"], "PIPELINE, STATE cannot go with --file"),
    ],
)
def test_wrong_usage_is_refused_before_anything_happens(arguments: list[str], says: str):
    refused = refusal(run(*arguments, "-b", "127.0.0.1:1"))
    assert says in str(refused)
    assert refused.code is Exit.USAGE


def test_an_event_fails_with_the_reason_when_kafka_is_away(nowhere: str):
    refused = refusal(run("orders", "started", "--timeout", "500ms", "-b", nowhere))
    assert refused.code is Exit.KAFKA
    assert f"Kafka at {nowhere} did not take a record for pipeline.events within 0.5 s" in str(refused)
    assert "Connection refused" in str(refused)


@pytest.mark.needs_apache
def test_an_event_fails_with_the_cure_when_its_topic_is_missing(kafka: str):
    refused = refusal(run("orders", "started", "--topic", "no-such-topic", "--timeout", "2s", "-b", kafka))
    assert refused.code is Exit.KAFKA
    assert f"there is no topic no-such-topic on {kafka}; make it with: streamgauge topics create" in str(
        refused
    )


def test_of_a_file_the_good_lines_are_published_and_the_bad_ones_named(
    kafka: str, topic: str, tmp_path: Path
):
    file = tmp_path / "events.jsonl"
    file.write_bytes(
        EVENT.encode() + b"\n\n"
        b'{"pipeline": "orders", "state": "succeeded"}\n'
        b'{"pipeline": "orders"\n'
        b'{"pipeline": "orders", "state": "done", "time": 1}\n'
        b'{"pipeline": "'
        + b"x" * 3_000_000
        + b'"}\n'
        + b"\xff\n"
        + EVENT.replace("orders", "billing").encode()
    )
    result = run("--file", str(file), "--topic", topic, "-b", kafka)
    assert refusal(result).code is Exit.DATA
    assert "5 lines are no run events" in str(result.exception)
    told = result.stderr.splitlines()
    assert [line.split(":")[1] for line in told[:-1]] == ["3", "4", "5", "6", "7"]
    assert [line.split(": ")[1].split(":")[0] for line in told[:-1]] == [
        "no_time", "not_json", "wrong_type", "oversize", "not_utf8"
    ]  # fmt: skip
    assert told[-1] == "2 run events published"
    assert [(key, event["rows"]) for key, event in published(kafka, topic)] == [
        (b"orders", 5),
        (b"billing", 5),
    ]


def test_more_lines_than_the_buffer_holds_all_arrive_from_standard_input(
    kafka: str, topic: str, tmp_path: Path
):
    config = tmp_path / "small.yaml"
    config.write_text(f"kafka: {{bootstrap.servers: '{kafka}', queue.buffering.max.messages: 50}}\n")
    lines = [EVENT.replace("5}", f"{number}}}") for number in range(2000)]
    result = run("--file", "-", "--topic", topic, "--config", str(config), stdin="\n".join(lines))
    assert (result.exit_code, result.stderr) == (0, "2000 run events published\n"), result.exception
    assert [event["rows"] for _, event in published(kafka, topic)] == list(range(2000))


def test_a_file_that_is_not_there_is_named():
    refused = refusal(run("--file", "/no/such/file", "-b", "127.0.0.1:1"))
    assert (str(refused), refused.code) == ("/no/such/file: No such file or directory", Exit.DATA)


def watch(kafka: str, topic: str, *command: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*STREAMGAUGE, "publish", "orders", "--task", "load", "--topic", topic, "-b", kafka, "--timeout", "20s", "--", *command],
        check=False,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
    )  # fmt: skip


def test_a_watched_command_keeps_its_input_output_and_exit_code_and_its_run_is_reported(
    kafka: str, topic: str
):
    ended = watch(kafka, topic, "sh", "-c", "cat; echo oops >&2; exit 7", stdin="rows\n")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "rows\n", "oops\n")
    (_, started), (key, failed) = published(kafka, topic)
    assert (key, started["state"], started["task"]) == (b"orders", "started", "load")
    assert (failed["state"], failed["error"], failed["run_id"]) == (
        "failed",
        "exit code 7",
        started["run_id"],
    )
    assert failed["duration_ms"] >= 0


def test_a_watched_command_that_succeeds_is_reported_so(kafka: str, topic: str):
    assert watch(kafka, topic, "true").returncode == 0
    assert [event["state"] for _, event in published(kafka, topic)] == ["started", "succeeded"]


@pytest.mark.parametrize(
    ("command", "exit_code", "error"),
    [("/no/such/command", 127, "command not found"), ("/etc/passwd", 126, "Permission denied")],
)
def test_a_command_that_cannot_be_run_is_a_failed_run(
    kafka: str, topic: str, command: str, exit_code: int, error: str
):
    ended = watch(kafka, topic, command)
    assert (ended.returncode, ended.stdout) == (exit_code, "")
    assert error in ended.stderr
    assert error in published(kafka, topic)[-1][1]["error"]


def test_kafka_being_away_changes_nothing_for_a_watched_command(nowhere: str):
    ended = subprocess.run(
        [
            *STREAMGAUGE,
            "publish",
            "orders",
            "-b",
            nowhere,
            "--timeout",
            "1s",
            "--",
            "sh",
            "-c",
            "echo done; exit 3",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (ended.returncode, ended.stdout) == (3, "done\n")
    assert "an event was dropped" in ended.stderr


def test_a_broken_configuration_changes_nothing_for_a_watched_command(tmp_path: Path):
    (tmp_path / "streamgauge.yaml").write_text("nonsense: true\n")
    ended = subprocess.run(
        [*STREAMGAUGE, "publish", "orders", "--", "sh", "-c", "exit 3"],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert ended.returncode == 3
    assert "the run of orders is not reported: streamgauge.yaml:1" in ended.stderr


@pytest.mark.parametrize(
    ("script", "exit_code", "error"),
    [
        ('trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.05; done', 5, "exit code 5"),
        ("echo ready; exec sleep 60", 128 + signal.SIGTERM, "ended by SIGTERM"),
    ],
)
def test_a_signal_reaches_the_watched_command_and_its_end_is_reported(
    kafka: str, topic: str, script: str, exit_code: int, error: str
):
    watching = subprocess.Popen(
        [*STREAMGAUGE, "publish", "orders", "--topic", topic, "-b", kafka, "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"ready\n"
    watching.terminate()
    rest, _ = watching.communicate(timeout=TIMEOUT_S)
    assert watching.returncode == exit_code
    assert rest == (b"caught\n" if "trap" in script else b"")
    assert published(kafka, topic)[-1][1]["error"] == error
