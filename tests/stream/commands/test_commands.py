"""The commands that tell Streamgauge something, on a Kafka where a stand-in for the workers answers."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from detectors.alerts import encode
from detectors.commands import DAYS, Answer, Outcome, read_command
from stream import answers
from stream.cli import app
from stream.commands.giving import globs_of, time_of
from stream.commands.silence import recurring_of
from stream.exits import Exit, Refused
from stream.open_alerts import alert_id_of, the_one
from tests.stream.alert_examples import FIRING

TIMEOUT_S = 30
ONE, OTHER = "3f9c2a17" + "0" * 24, "3f9c2a18" + "0" * 24


class Site:
    """A configuration with topics of its own; `answering` stands in for the workers."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.name = f"c{uuid.uuid4().hex[:10]}"
        self.kafka, self.path = kafka, folder / "c.yaml"
        self.path.write_text(
            f"name: {self.name}\nkafka: {{bootstrap.servers: '{kafka}'}}\nalerts: {{topic: {self.name}.alerts}}"
        )
        names = [f"{self.name}.{it}" for it in ("commands", "audit", "alerts", "alerts.state")]
        admin = AdminClient({"bootstrap.servers": kafka})
        for made in admin.create_topics([NewTopic(it, 1, 1) for it in names]).values():
            made.result(TIMEOUT_S)
        self._producer = Producer({"bootstrap.servers": kafka})
        self.given: list[tuple[bytes | None, dict[str, Any]]] = []
        self._over = threading.Event()

    def write(self, topic: str, key: bytes, value: bytes | None) -> None:
        self._producer.produce(f"{self.name}.{topic}", value, key)
        assert self._producer.flush(TIMEOUT_S) == 0

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.path)])

    def start(self, outcome: Outcome = Outcome.DONE) -> None:
        threading.Thread(target=self._answer, args=(outcome,), daemon=True).start()

    def close(self) -> None:
        self._over.set()

    def _answer(self, outcome: Outcome) -> None:
        consumer = Consumer(
            {"bootstrap.servers": self.kafka, "group.id": self.name, "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([f"{self.name}.commands"])
        while not self._over.is_set():
            message = consumer.poll(0.1)
            if message is None or message.error():
                continue
            command = read_command(message.value() or b"")
            self.given.append((message.key(), json.loads(message.value() or b"")))
            reason = "no such alert" if outcome is Outcome.REFUSED else ""
            self.write(
                "audit", command.command_id.encode(), answers.encode(answer_to(command, outcome, reason))
            )
        consumer.close()


def answer_to(command: Any, outcome: Outcome, reason: str) -> Answer:
    return Answer(
        command_id=command.command_id,
        author=command.author,
        time=command.time.isoformat(),
        answered_at="2026-03-01T10:00:00.000Z",
        outcome=outcome,
        reason=reason,
        config_hash="abc",
        command=msgspec.to_builtins(command),
    )


@pytest.fixture
def site(kafka: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(kafka, tmp_path)
    yield site
    site.close()


def code(result: Result) -> int:
    return result.exception.code if isinstance(result.exception, Refused) else result.exit_code


def test_an_alert_is_acknowledged_by_the_beginning_of_its_id(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGAUGE_AUTHOR", "eva@example")
    for alert_id in (ONE, OTHER):
        site.write(
            "alerts.state", alert_id.encode(), encode(msgspec.structs.replace(FIRING, alert_id=alert_id))
        )
    site.start()
    done = site.run("ack", "3f9c2a17", "--comment", "on it")
    assert (code(done), done.exception) == (Exit.OK, None)
    assert "DONE  acknowledge  eva@example" in done.stdout
    ((key, command),) = site.given
    assert key == ONE.encode()
    assert command["command"] == "acknowledge"
    assert (command["alert_id"], command["author"], command["comment"]) == (ONE, "eva@example", "on it")
    site.write("alerts.state", ONE.encode(), None)
    ended = site.run("snooze", "3f9c2a17", "--for", "2h")
    assert code(ended) == Exit.USAGE
    assert "none of the 1 open alerts has an id that begins with 3f9c2a17" in str(ended.exception)


def test_silences_are_set_listed_cancelled_and_audited(site: Site) -> None:
    site.start()
    assert code(site.run("silence", "--match", "pipeline=orders*", "--for", "4h")) == Exit.OK
    every = (
        "maintenance",
        "--match",
        "owner=dwh",
        "--every",
        "sat,sun 02:00 for 4h",
        "--time-zone",
        "Europe/Berlin",
    )
    assert code(site.run(*every)) == Exit.OK
    silence = site.given[0][1]["command_id"]
    listed = site.run("silences")
    assert f"{silence}  silence  pipeline=orders*  until " in listed.stdout
    assert "maintenance  owner=dwh  sat,sun 02:00 for 240m Europe/Berlin" in listed.stdout
    assert code(site.run("cancel", silence)) == Exit.OK
    assert site.given[2][0] == silence.encode(), "a cancel comes after what it cancels"
    (left,) = site.run("silences", "--json").stdout.splitlines()
    assert json.loads(left)["command"] == "maintenance"
    audit = site.run("audit", "--no-follow", "--json").stdout.splitlines()
    assert [json.loads(line)["command"]["command"] for line in audit] == ["silence", "maintenance", "cancel"]
    assert site.run("audit", "--no-follow").stdout.count("DONE") == 3


def test_what_is_refused_and_what_is_not_answered_end_differently(site: Site) -> None:
    unanswered = site.run("ack", ONE, "--timeout", "5s")
    assert code(unanswered) == Exit.UNANSWERED
    assert "Does one run" in str(unanswered.exception)
    given_only = site.run("ack", ONE, "--no-wait")
    assert code(given_only) == Exit.OK
    site.start(Outcome.REFUSED)
    refused = site.run("unack", ONE)
    assert code(refused) == Exit.COMMAND_REFUSED
    assert "no such alert" in str(refused.exception)
    assert given_only.stdout.strip() in {command["command_id"] for _, command in site.given}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("snooze", ONE), "give one of --for and --until"),
        (("snooze", ONE, "--for", "2h", "--until", "2026-03-01T18:00:00Z"), "give one of --for and --until"),
        (("snooze", ONE, "--for", "two hours"), "--for: 'two hours' is not a duration"),
        (("snooze", ONE, "--until", "2026-03-01T18:00:00"), "write a time with its zone"),
        (("snooze", ONE, "--until", "2020-03-01T18:00:00Z"), "$.until: must be later than it begins"),
        (("silence", "--match", "orders", "--for", "1h"), "--match orders: write NAME=GLOB"),
        (("maintenance", "--match", "a=b"), "$.until: required unless the window is recurring"),
        (("maintenance", "--match", "a=b", "--every", "02:00 for 1h", "--time-zone", "Europe/Berln"), "did you mean Europe/Berlin"),
        (("feedback", ONE), "give an alert and expected, false_alarm or reset"),
        (("feedback", ONE, "reset", "--missed", "volume"), "it cannot go with an alert"),
        (("ack", "orders"), "'orders' is no alert id"),
        (("ack", "3f9c2a1"), "at least the first 8"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_kafka_is_asked(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("kafka: {bootstrap.servers: '127.0.0.1:1'}")
    result = CliRunner().invoke(app, [*arguments, "--no-wait", "--config", str(path)])
    assert code(result) == Exit.USAGE, result.output
    assert said in str(result.exception)


def test_of_several_alerts_those_meant_are_shown() -> None:
    states = {f"{n:032x}": encode(FIRING) for n in range(7)}
    with pytest.raises(
        Refused, match=r"7 open alerts have an id that begins with 00000000:\n(.*\n){5}  and 2 more"
    ):
        the_one("00000000", states)
    assert alert_id_of(ONE.upper(), None, print) == ONE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "days", "at", "minutes"),
    [
        ("sat,sun 02:00 for 4h", ("sat", "sun"), "02:00", 240),
        ("mon-fri 22:30 for 30m", ("mon", "tue", "wed", "thu", "fri"), "22:30", 30),
        ("sat-mon 2:00 for 1h", ("mon", "sat", "sun"), "02:00", 60),
        ("Daily 02:00 for 1d", DAYS, "02:00", 1440),
        ("02:00 for 60s", DAYS, "02:00", 1),
    ],
)
def test_windows_are_written_as_people_say_them(written: str, days: Any, at: str, minutes: int) -> None:
    recurring = recurring_of(written, "Europe/Berlin")
    assert (recurring.days, recurring.at, recurring.minutes) == (days, at, minutes)


@pytest.mark.parametrize(
    "written", ["", "sat 02:00", "sut 02:00 for 1h", "sat 02:00 for 90s", "mon- 02:00 for 1h"]
)
def test_a_window_that_cannot_be_read_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(Refused, match=r"--every.*(like 'sat,sun 02:00 for 4h'|whole minutes)"):
        recurring_of(written, "UTC")


@given(st.text())
def test_whatever_is_written_is_read_or_refused(written: str) -> None:
    readers: list[Callable[[str], Any]] = [
        lambda it: recurring_of(it, "UTC"),
        lambda it: time_of("--until", it),
        lambda it: globs_of([it]),
    ]
    for read in readers:
        with contextlib.suppress(Refused):
            read(written)


def test_globs_of_one_name_are_refused_twice() -> None:
    assert globs_of(["a=b=c", "d=e*"]) == {"a": "b=c", "d": "e*"}
    with pytest.raises(Refused, match="a is given twice"):
        globs_of(["a=b", "a=c"])
