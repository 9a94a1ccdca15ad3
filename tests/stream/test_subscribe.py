"""Subscribers on a real Kafka: what they get, and what comes again."""

import itertools
import json
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectors.alerts import Alert, encode
from stream.exits import Refused
from stream.subscribe import State, Subscription, Unreadable, subscribe
from stream.testing.topics import TopicMaker
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.alert_topic import episode, publish

GUIDE = Path(__file__).parents[2] / "docs/how-to/subscribe.md"
Opener = Callable[..., Subscription]


def quick(kafka: str) -> dict[str, str]:
    """A connection whose group notices within a second what its members do."""
    return {
        "bootstrap.servers": kafka,
        "session.timeout.ms": "1500",
        "heartbeat.interval.ms": "200",
        "max.poll.interval.ms": "100000",
    }


@pytest.fixture
def topic(make_topic: TopicMaker) -> str:
    return make_topic(partitions=2)


@pytest.fixture
def opened(kafka: str, topic: str) -> Opener:
    """Subscribes to the test's topic, from its beginning unless told otherwise, with a group of the test's own."""
    name = f"pager-{uuid.uuid4().hex[:8]}"

    def start(**more: Any) -> Subscription:
        wanted: dict[str, Any] = {"topic": topic, "kafka": quick(kafka), "from_beginning": True} | more
        return subscribe(name, **wanted)

    return start


def take(alerts: Subscription, count: int) -> list[Alert]:
    return list(itertools.islice(alerts, count))


def test_alerts_are_chosen_and_what_is_none_is_counted_and_told(
    kafka: str, topic: str, opened: Opener
) -> None:
    newer = json.dumps(json.loads(encode(episode(2))) | {"added_later": [1]}).encode()
    unknown = json.dumps(json.loads(encode(FIRING)) | {"state": "added_later"}).encode()
    publish(
        kafka,
        topic,
        b"nonsense",
        b"{}",
        unknown,
        b"\xff",
        newer,
        episode(1),
        RESOLVED,
        episode(3, severity="info"),
    )
    told: list[Unreadable] = []
    with opened(
        states=["firing"], match={"severity": ["warning", "error"]}, on_unreadable=told.append
    ) as alerts:
        assert {it.alert_id for it in take(alerts, 2)} == {episode(1).alert_id, episode(2).alert_id}
        assert alerts.record is not None
        assert dict(alerts.record.headers).get("ce_specversion", b"1.0") == b"1.0"
        threading.Timer(1, alerts.stop).start()
        assert list(alerts) == []
        assert alerts.unreadable == len(told) == 4
    assert {it.place.topic for it in told} == {topic}
    assert any("added_later" in str(it) for it in told)


def test_an_alert_that_was_not_done_comes_again_and_one_that_was_does_not(
    kafka: str, topic: str, opened: Opener
) -> None:
    publish(kafka, topic, *(episode(number, labels={"n": str(number)}) for number in range(5)))
    with pytest.raises(RuntimeError), opened() as alerts:  # noqa: PT012  the loop is what is tested
        first = next(alerts)
        second = next(alerts)
        raise RuntimeError("while the second is handled")
    with opened() as alerts:
        third = next(alerts)
        alerts.ack()
        fourth = next(alerts)
        assert fourth.alert_id not in (first.alert_id, third.alert_id)
    with opened() as alerts:
        rest = take(alerts, 3)
    assert first not in rest
    assert third not in rest
    assert {it.alert_id for it in (first, second, third, fourth, *rest)} == {
        episode(number).alert_id for number in range(5)
    }


def test_a_new_group_begins_at_the_end_and_misses_nothing_from_then_on(
    kafka: str, topic: str, opened: Opener
) -> None:
    publish(kafka, topic, episode(1))
    opened(from_beginning=False).close()
    publish(kafka, topic, episode(2), episode(3))
    with opened(from_beginning=False) as alerts:
        assert {it.alert_id for it in take(alerts, 2)} == {episode(2).alert_id, episode(3).alert_id}


def test_ctrl_c_and_kill_end_a_subscriber_and_what_it_had_in_hand_comes_again(kafka: str, topic: str) -> None:
    program = f"""
        import time
        from stream.subscribe import subscribe
        with subscribe("g-{topic}", topic="{topic}", kafka={quick(kafka)}, from_beginning=True) as alerts:
            for alert in alerts:
                print(alert.alert_id, flush=True)
                time.sleep(60)
        """
    publish(kafka, topic, episode(1))
    for number in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == episode(1).alert_id
        process.send_signal(number)
        assert process.wait(10) != 0
        process.stdout.close()
    with subscribe(f"g-{topic}", topic=topic, kafka=quick(kafka)) as alerts:
        assert next(alerts).alert_id == episode(1).alert_id


def test_members_of_a_group_share_and_one_that_leaves_is_replaced(
    kafka: str, topic: str, opened: Opener
) -> None:
    got: list[set[str]] = [set(), set()]
    members = [opened(), opened()]

    def read(number: int) -> None:
        with members[number] as alerts:
            for alert in alerts:
                got[number].add(alert.alert_id)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    published = itertools.count()
    deadline = time.monotonic() + 20
    while not all(got) and time.monotonic() < deadline:
        publish(kafka, topic, episode(next(published)))
    members[0].stop()
    threads[0].join(20)
    publish(kafka, topic, *(episode(next(published)) for _ in range(10)))
    wanted = {episode(number).alert_id for number in range(next(published))}
    while set.union(*got) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    members[1].stop()
    threads[1].join(20)
    assert all(got)
    assert set.union(*got) == wanted


def test_what_cannot_be_subscribed_to_is_refused(kafka: str, topic: str, opened: Opener) -> None:
    with pytest.raises(Refused, match="no topic nowhere"):
        opened(topic="nowhere")
    with pytest.raises(Refused, match="is that of the workers"):
        subscribe("streamgauge", kafka={"bootstrap.servers": kafka})
    with pytest.raises(Refused, match=r"bootstrap\.servers"):
        subscribe("pager", kafka={"bootstrap.server": kafka})
    with pytest.raises(ValueError, match="burning"):
        opened(states=["burning"])


def test_the_guide_s_program_runs(kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(from stream.subscribe.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    program = found[1].replace('"pager"', f'"pager", topic="{topic}", from_beginning=True')
    monkeypatch.setenv("STREAMGAUGE__KAFKA__BOOTSTRAP_SERVERS", kafka)
    publish(kafka, topic, episode(1))

    def page(alert: Alert) -> None:
        assert alert.state is State.FIRING
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exec(compile(program, str(GUIDE), "exec"), {"page": page})  # noqa: S102  the guide's own words
