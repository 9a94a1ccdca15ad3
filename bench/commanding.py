"""Commands as programs give them while something is measured, and how long each waited for its answer."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

EVERY_S: Final = 0.2
ANSWERED_S_MAX: Final = 60.0
POLL_S: Final = 0.005
SILENCED: Final = timedelta(hours=1)


@contextmanager
def commanding(servers: str, name: str, alerts: str) -> Iterator[list[float]]:
    """Give a command every 0.2 s to the deployment of that name while the block runs, an acknowledgement of an alert and a silence by turns.

    Milliseconds until each was answered are in the list at the end; what is not answered within a minute counts as that.
    """
    giver, ended = _Giver(servers, name, alerts), threading.Event()
    thread = threading.Thread(target=giver.give_until, args=(ended,))
    thread.start()
    try:
        yield giver.waits_ms
    finally:
        ended.set()
        thread.join()


class _Giver:
    def __init__(self, servers: str, name: str, alerts: str) -> None:
        self._topic = f"{name}.commands"
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
        self._answers = _at_end(servers, f"{name}.audit")
        self._alerts = _at_end(servers, alerts)
        self._alert_id = ""
        self._given_s: dict[bytes, float] = {}
        self.waits_ms: list[float] = []

    def give_until(self, ended: threading.Event) -> None:
        due_s = time.monotonic()
        while not ended.is_set():
            if time.monotonic() >= due_s:
                self._give(len(self._given_s) + len(self.waits_ms))
                due_s += EVERY_S
            self._hear()
        deadline_s = time.monotonic() + ANSWERED_S_MAX
        while self._given_s and time.monotonic() < deadline_s:
            self._hear()
        self.waits_ms += [1000 * ANSWERED_S_MAX] * len(self._given_s)

    def _give(self, number: int) -> None:
        now = datetime.now(UTC)
        if self._alert_id and number % 2:
            said: dict[str, Any] = {"command": "acknowledge", "alert_id": self._alert_id}
        else:
            said = {"command": "silence", "match": {"pipeline": f"none-{number}"}, "until": now + SILENCED}
        command_id = uuid.uuid4().hex
        value = msgspec.json.encode({"command_id": command_id, "author": "bench", "time": now, **said})
        self._given_s[command_id.encode()] = time.monotonic()
        self._producer.produce(self._topic, value, said.get("alert_id", command_id))
        self._producer.poll(0)

    def _hear(self) -> None:
        self._producer.poll(0)
        answer = self._answers.poll(POLL_S)
        if answer is not None and (given_s := self._given_s.pop(answer.key() or b"", None)) is not None:
            self.waits_ms.append(1000 * (time.monotonic() - given_s))
        if not self._alert_id and (alert := self._alerts.poll(0)) is not None and alert.error() is None:
            self._alert_id = (alert.key() or b"").decode()


def _at_end(servers: str, topic: str) -> Consumer:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"bench-{topic}", "fetch.wait.max.ms": 10})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in partitions])
    return consumer
