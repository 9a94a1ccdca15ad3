"""What people asked for holds on a real Kafka while a worker is killed, others join and leave, and the configuration changes."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from typer.testing import CliRunner

from detectors.alerts import Alert, State
from detectors.commands import Outcome
from detectors.wording import time_text
from stream import answers
from stream.cli import app
from stream.exits import Exit
from tests.detectors.triage_log import moment
from tests.integrations.deployment import PARTITIONS, PATIENCE_S, Deployment

Deploy = Callable[..., Deployment]
MINUTE_MS: Final = 60_000
EVERY_MS: Final = 6 * 60 * MINUTE_MS
LEARNED_RUNS: Final = 12
ACKED, SNOOZED, QUIET, PLAIN, QUIET_LATER = "acked", "snoozed", "quiet", "plain", "quiet-later"
BEGIN_MS: Final = 1_780_000_000_000
SETTINGS: Final = {"time": {"allowed_lateness": "1s", "idle_timeout": "10m"}}


def run(pipeline: str, time_ms: int, duration_ms: int) -> dict[str, Any]:
    return {"pipeline": pipeline, "state": "succeeded", "time": time_ms, "duration_ms": duration_ms}


def learned(end_ms: int) -> Iterator[dict[str, Any]]:
    """Runs every six hours of all pipelines, the last one six hours before the end."""
    for number in range(LEARNED_RUNS, 0, -1):
        for pipeline in (ACKED, SNOOZED, QUIET, PLAIN, QUIET_LATER):
            yield run(pipeline, end_ms - number * EVERY_MS, 60_000 + 137 * number)


def at(minutes: int) -> int:
    """A time of the story."""
    return BEGIN_MS + minutes * MINUTE_MS


def wild(minute: int, *pipelines: str) -> Iterator[dict[str, Any]]:
    """Runs that take far too long."""
    for pipeline in pipelines:
        yield run(pipeline, at(minute), 60 * MINUTE_MS)


class Story:
    """A deployment whose pipelines go wrong at `BEGIN_MS`; its time is that of its events, which lies in the past."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.tell(*learned(BEGIN_MS), *wild(0, ACKED, SNOOZED, QUIET, PLAIN))
        self.pass_time(1)

    def tell(self, *events: dict[str, Any]) -> None:
        values = (json.dumps(event).encode() for event in events)
        self.deployment.publish(
            "events", ((number % PARTITIONS, value) for number, value in enumerate(values))
        )

    def pass_time(self, minutes: int) -> None:
        """Time goes on in every partition."""
        self.tell(*[run("closer", at(minutes), 1000)] * PARTITIONS)

    def say(self, *arguments: str) -> None:
        """Give a command as people do; it is done."""
        done = CliRunner().invoke(app, [*arguments, "--author", "eva", "--timeout", "60s"])
        assert done.exit_code == Exit.OK, (done.output, done.exception)

    def order(self, command: str, **fields: Any) -> None:
        """Give a command as a program does, at the time of the story; it is done."""
        said = {
            "command": command,
            "command_id": command,
            "author": "program",
            "time": moment(at(1)),
            **fields,
        }
        self.deployment.publish("commands", [(0, msgspec.json.encode(said))])
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for key, value, _ in self.deployment.records(self.deployment.config.audit.topic):
                if key == command.encode():
                    assert answers.decode(value or b"").outcome is Outcome.DONE, value
                    return
            time.sleep(0.1)
        raise AssertionError(f"{command} was not answered")

    def wait_for(self, pipeline: str, state: State) -> Alert:
        """The newest alert of a pipeline, once it is in a state."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if (found := self.newest(pipeline)) and found.state is state:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{pipeline} is not {state}: {self.course(pipeline)}")

    def alerts(self, pipeline: str) -> list[Alert]:
        """The alerts of a pipeline's durations, each once, in order."""
        once = {it.event_id: it for it in self.deployment.alerts()}.values()
        mine = [it for it in once if it.labels.get("pipeline") == pipeline and it.kind == "latency"]
        return sorted(mine, key=lambda it: it.sequence)

    def newest(self, pipeline: str) -> Alert | None:
        mine = self.alerts(pipeline)
        return mine[-1] if mine else None

    def course(self, pipeline: str) -> list[str]:
        """What a pipeline's alert went through; `!` where people were told."""
        return [
            f"{it.state}{'!' * it.notify} {it.transition_reason.partition(':')[0]}"
            for it in self.alerts(pipeline)
        ]


def test_what_people_asked_for_holds_over_a_kill_a_rebalance_and_a_new_configuration(deploy: Deploy) -> None:
    deployment = deploy({"events": "events"}, SETTINGS)
    story = Story(deployment)
    first = deployment.start()
    ids = {it: story.wait_for(it, State.FIRING).alert_id for it in (ACKED, SNOOZED, QUIET, PLAIN)}
    story.say("ack", ids[ACKED], "--config", str(deployment.config_path))
    story.order("snooze", alert_id=ids[SNOOZED], until=moment(at(30)))
    story.order("silence", match={"pipeline": "quiet*"}, until=moment(at(300)))
    assert first.end(signal.SIGKILL) == -signal.SIGKILL

    second, third = deployment.start(), deployment.start()
    second.wait_for("worker.ready")
    third.wait_for("worker.ready")
    new = deployment.folder / "new.yaml"
    new.write_text(deployment.config_path.read_text().replace("alerts:\n", "alerts:\n  remind: 40m\n"))
    story.say("config", "apply", str(new))
    assert second.end(signal.SIGTERM) == Exit.OK, second.log.read_text()

    story.pass_time(29)
    story.pass_time(45)
    story.wait_for(SNOOZED, State.FIRING)
    story.tell(*wild(65, QUIET_LATER))
    story.pass_time(70)
    story.wait_for(QUIET_LATER, State.SUPPRESSED)

    assert story.course(ACKED) == ["firing! opened", "acknowledged acknowledged"]
    assert story.course(SNOOZED) == ["firing! opened", "suppressed snoozed", "firing! released"]
    assert story.alerts(SNOOZED)[-1].updated_at == time_text(at(30))
    assert story.course(QUIET) == ["firing! opened", "suppressed silenced"]
    assert story.course(QUIET_LATER) == ["suppressed opened"]
    assert story.course(PLAIN) == ["firing! opened", "firing! reminded"]
    before, after = deployment.config.settings().config_hash, story.alerts(PLAIN)[-1].config_hash
    assert before != after == story.alerts(QUIET_LATER)[0].config_hash
