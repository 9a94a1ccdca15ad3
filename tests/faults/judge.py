"""The judge: it knows what was published and what must come of it, and accounts for every record and every alert.

What a broker has acknowledged is an obligation. After the faults the judge publishes one more incident, the canary,
which must be found in time; then it compares everything that is on the topics with the reference fold of the input.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from tests.faults.reference import Read, Reference
from tests.faults.story import CANARY, Story, Told
from tests.faults.topic_log import Entry, read_log, uncommitted
from tests.integrations.deployment import PARTITIONS, Deployment

SOURCE: Final = "events"
CANARY_S: Final = 90.0
ACKNOWLEDGED_S: Final = 120.0
PROCESSING_TIMES: Final = re.compile(rb'"detected_at":"[^"]*",|"detection_delay_ms":-?[0-9]+,')
SLICE: Final = 100
OVERTAKEN_S: Final = 120.0
"""Writes of a worker that woke late are overtaken once more when they are twice as old; see `stream.alert_states`."""

State = tuple[bytes | None, bytes | None]
"""Key of an alert and its state, None once it has ended."""


class Verdict(NamedTuple):
    """What the judge found, when nothing is wrong."""

    records: int
    late: int
    dead_lettered: int
    alerts: int
    repeated_alerts: int
    repeated_dead_letters: int
    canary_s: float


class AlertRecord(NamedTuple):
    """A record of an alert topic without what says when it was processed."""

    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


class Judge:
    """Publishes a story to a deployment and says whether the deployment kept its promises.

    Args:
        deployment: with one source, `events`.
        story: what is published; its seed is in every complaint.
    """

    def __init__(self, deployment: Deployment, story: Story) -> None:
        self.deployment, self.story = deployment, story
        self._topic = deployment.topic(SOURCE)
        self._owed: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
        self._canary_s = 0.0

    def owe(self, told: Iterable[Told]) -> None:
        """Take on records that a test has published itself, in this order."""
        for partition, value in told:
            self._owed[partition].append(value)

    def publish(self, told: Iterable[Told], *, over_s: float = 0.0) -> None:
        """Publish records, evenly over so long, and wait until the broker has acknowledged each."""
        records = list(told)
        producer = Producer({
            "bootstrap.servers": self.deployment.bootstrap_servers,
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": int(ACKNOWLEDGED_S * 1000),
            "message.max.bytes": 12 << 20,
            "log_level": 0,
        })  # fmt: skip
        refused: list[KafkaError] = []

        def answered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                refused.append(error)

        slices = [records[start : start + SLICE] for start in range(0, len(records), SLICE)]
        began_s = time.monotonic()
        for number, part in enumerate(slices, 1):
            for partition, value in part:
                producer.produce(self._topic, value, partition=partition, on_delivery=answered)
            producer.poll(0)
            time.sleep(max(0.0, began_s + over_s * number / len(slices) - time.monotonic()))
        assert producer.flush(ACKNOWLEDGED_S) == 0, f"seed {self.story.seed}: the broker took too long"
        assert not refused, f"seed {self.story.seed}: {refused[0]}"
        self.owe(records)

    @contextmanager
    def publishing(self, told: Sequence[Told], over_s: float) -> Iterator[None]:
        """Publish in the background during the block; at its end everything is acknowledged."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self.publish(told, over_s=over_s)
            except BaseException as error:  # noqa: BLE001  told to the test below
                failures.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(ACKNOWLEDGED_S + over_s)
        assert not thread.is_alive(), "publishing never ended"
        if failures:
            raise failures[0]

    def send_canary(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Publish the canary incident, which must be alerted in time; `meanwhile` is called again and again."""
        before = self._canary_alerts()
        self.publish(self.story.canary())
        started_s = time.monotonic()
        while time.monotonic() - started_s < CANARY_S:
            meanwhile()
            if self._canary_alerts() > before:
                self._canary_s = time.monotonic() - started_s
                return
            time.sleep(0.3)
        raise AssertionError(
            f"{self._case()}: the canary was not found within {CANARY_S:g} s\n{self._logs()}"
        )

    def reference(self) -> Reference:
        """What must come of everything that is on the source topic, which has to be what was acknowledged."""
        log = read_log(self.deployment.bootstrap_servers, self._topic)
        self._check_source(log)
        return Reference(
            self.deployment.config,
            {self._topic: PARTITIONS},
            [Read(self._topic, it.partition, it.offset, it.timestamp_ms, it.value) for it in log],
        )

    def await_open_alerts(self, reference: Reference, meanwhile: Callable[[], object]) -> None:
        """Wait until the open alerts are the right ones, while workers live that can make them so, or in vain."""
        deadline = time.monotonic() + OVERTAKEN_S
        while time.monotonic() < deadline and self._open_alerts() != _states(reference):
            meanwhile()
            time.sleep(1.0)

    def judge(self, reference: Reference) -> Verdict:
        """Compare everything with the reference, once the last worker has drained and ended."""
        log = read_log(self.deployment.bootstrap_servers, self._topic)
        self._check_accounts(log, reference)
        letters = self._check_dead_letters(reference)
        alerts = self._check_alerts(reference)
        self._check_open_alerts(reference)
        self._check_state(reference)
        verdict = Verdict(
            records=len(log),
            late=reference.counts["late", self._topic],
            dead_lettered=len(reference.dead_letters),
            alerts=len(reference.alerts),
            repeated_alerts=alerts,
            repeated_dead_letters=letters,
            canary_s=round(self._canary_s, 1),
        )
        print(f"{self._case()}: {verdict}")  # noqa: T201  pytest shows it with -rP
        return verdict

    def _check_source(self, log: list[Entry]) -> None:
        for partition, owed in self._owed.items():
            held = [it.value for it in log if it.partition == partition]
            assert held == owed, f"{self._case()}: partition {partition} does not hold what was acknowledged"

    def _check_accounts(self, log: list[Entry], reference: Reference) -> None:
        """Every record is processed (late or not) or dead-lettered, and the group says so."""
        dead, processed = len(reference.dead_letters), reference.counts["records", self._topic]
        assert processed == len(log), f"{self._case()}: the reference accounts for {processed} of {len(log)}"
        assert sum(n for (name, *_), n in reference.counts.items() if name == "dead_letters") == dead
        config = self.deployment.config
        topics = [self._topic, config.samples_topic, config.anomalies_topic]
        left = uncommitted(self.deployment.bootstrap_servers, config.name, topics)
        assert left == 0, f"{self._case()}: {left} records are not committed"

    def _check_dead_letters(self, reference: Reference) -> int:
        config = self.deployment.config
        log = read_log(self.deployment.bootstrap_servers, config.dead_letters.topic)
        found = Counter((it.key, it.value, _lasting(it.headers)) for it in log)
        expected = {(it.key, it.value, _lasting(it.headers)) for it in reference.dead_letters}
        self._same("dead letters", set(found), expected)
        return found.total() - len(expected)

    def _check_alerts(self, reference: Reference) -> int:
        entries = read_log(self.deployment.bootstrap_servers, self.deployment.config.alerts.topic)
        expected = {_event_id(it.value): _record(it.key, it.value, it.headers) for it in reference.alerts}
        found: dict[str, set[AlertRecord]] = {}
        for it in entries:
            found.setdefault(_event_id(it.value), set()).add(_record(it.key, it.value, it.headers))
        self._same("event ids", set(found), set(expected))
        wrong = [ids for ids, records in found.items() if records != {expected[ids]}]
        assert not wrong, f"{self._case()}: alerts that differ from the reference's: {wrong[:5]}"
        return len(entries) - len(expected)

    def _check_open_alerts(self, reference: Reference) -> None:
        self._same("open alerts", self._open_alerts(), _states(reference))

    def _open_alerts(self) -> set[State]:
        topic = self.deployment.config.alerts.state_topic
        entries = read_log(self.deployment.bootstrap_servers, topic)
        return set({it.key: it.value and _body(it.value) for it in entries}.items())

    def _check_state(self, reference: Reference) -> None:
        self._same("series", set(self.deployment.followed()), set(reference.followed))

    def _same(self, what: str, found: set[Any], expected: set[Any]) -> None:
        assert found == expected, (
            f"{self._case()}: {what}: missing {sorted(expected - found, key=repr)[:5]} ({len(expected - found)}), "
            f"unknown {sorted(found - expected, key=repr)[:5]} ({len(found - expected)})"
        )

    def _canary_alerts(self) -> int:
        topic = self.deployment.config.alerts.topic
        bodies = [json.loads(it.value or b"{}") for it in read_log(self.deployment.bootstrap_servers, topic)]
        return sum(body["labels"].get("pipeline") == CANARY and body["kind"] == "latency" for body in bodies)

    def _case(self) -> str:
        return f"{self.deployment.name}, seed {self.story.seed}"

    def _logs(self) -> str:
        return "\n".join(
            f"--- {it.log.name}\n{it.log.read_text()[-4000:]}" for it in self.deployment.workers[-3:]
        )


def _states(reference: Reference) -> set[State]:
    """The last record of each key of the compacted topic."""
    return set({it.key: it.value and _body(it.value) for it in reference.alert_states}.items())


def _event_id(value: bytes | None) -> str:
    return str(json.loads(value or b"{}")["event_id"])


def _lasting(headers: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    """The headers of a dead letter, but for the detail of a time in the future: it names the clock of that moment."""
    if ("reason", b"future_time") not in headers:
        return headers
    return tuple((name, value) for name, value in headers if name != "detail")


def _record(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> AlertRecord:
    return AlertRecord(key, headers, _body(value or b"{}"))


def _body(value: bytes) -> bytes:
    return PROCESSING_TIMES.sub(b"", value)
