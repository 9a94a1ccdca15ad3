"""The topics that Streamgauge needs: which, how they must be, what is wrong with those that are there, and making them.

Kafka's own defaults would lose data here (a state topic that is not compacted, a samples topic with another number
of partitions than its state topic), so topics are made by an administrator's step, never by use.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from stream.config import Config, bootstrap_servers, librdkafka_properties
from stream.config.shadow import SHADOW
from stream.exits import Exit, Refused

ANSWER_S_MAX = 8.0
CREATE_S_MAX = 30.0
POLL_S = 0.1

SOURCE_PARTITIONS = 4
TRIAGE_PARTITIONS = 1
"""Triage must see all pipelines, to know which alert explains which."""
RETENTION_MS = 7 * 24 * 3_600_000
AUDIT_RETENTION_MS = 3 * 365 * 24 * 3_600_000
BATCH_BYTES_MAX = 8 << 20
STATE_SEGMENT_BYTES = 64 << 20

DELETED = {"cleanup.policy": "delete"}
COMPACTED = {"cleanup.policy": "compact"}
BATCHES = {"max.message.bytes": str(BATCH_BYTES_MAX)}
KEPT = {"retention.ms": str(RETENTION_MS)}
KEPT_FOR_YEARS = {"retention.ms": str(AUDIT_RETENTION_MS)}
COMPACTED_SOON = {"segment.bytes": str(STATE_SEGMENT_BYTES), "min.cleanable.dirty.ratio": "0.1"}

UNLIMITED = -1


class ProblemKind(StrEnum):
    """What is wrong with a topic."""

    MISSING = "missing"
    MISMATCHED = "mismatched"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must be there.

    `must` are properties that have to hold exactly, `at_least` numbers that may be larger; a topic made here gets
    both and `hints`. `partitions` are for making it, and have to hold exactly when `is_sharded`.
    """

    name: str
    purpose: str
    partitions: int
    replication_factor: int
    must: Mapping[str, str] = field(default_factory=dict)
    at_least: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    is_sharded: bool = False

    @property
    def properties(self) -> dict[str, str]:
        """The properties that the topic is made with."""
        return {**self.hints, **self.at_least, **self.must}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a topic cannot be used as it is, and what to do."""

    spec: TopicSpec
    kind: ProblemKind
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.spec.name}: {self.kind}: {self.reason}; {self.remedy}"


def wanted(config: Config) -> list[TopicSpec]:
    """Every topic that `config` reads or writes, sources first."""
    copies, shards = config.topics.replication_factor, config.topics.samples_partitions
    sources = [
        TopicSpec(source.topic, f"source ({source.format})", SOURCE_PARTITIONS, copies)
        for source in config.sources
    ]
    return [
        *sources,
        TopicSpec(
            config.samples_topic, "samples", shards, copies, DELETED, {**BATCHES, **KEPT}, is_sharded=True
        ),
        TopicSpec(
            config.anomalies_topic,
            "anomalies",
            TRIAGE_PARTITIONS,
            copies,
            DELETED,
            {**BATCHES, **KEPT},
            is_sharded=True,
        ),
        _state(config.detect_state_topic, "detect's snapshots", shards, copies),
        _state(config.triage_state_topic, "triage's snapshots", TRIAGE_PARTITIONS, copies),
        TopicSpec(config.dead_letters.topic, "dead letters", 1, copies, DELETED),
        TopicSpec(config.commands.topic, "commands", 1, copies, DELETED, KEPT),
        TopicSpec(config.audit.topic, "audit", 1, copies, DELETED, hints=KEPT_FOR_YEARS),
        TopicSpec(config.configs.topic, "configurations", 1, copies, COMPACTED),
        TopicSpec(config.alerts.topic, "alerts", 1, copies, DELETED),
        *_of_shadow(config),
        TopicSpec(config.alerts.state_topic, "open alerts", 1, copies, COMPACTED, hints=COMPACTED_SOON),
    ]


def _of_shadow(config: Config) -> list[TopicSpec]:
    """The topic for alerts on series in the shadow, where some may be; a configuration in the shadow has its own."""
    if config.mode == SHADOW:
        return []
    return [
        TopicSpec(
            config.shadow_alerts_topic, "alerts in the shadow", 1, config.topics.replication_factor, DELETED
        )
    ]


def _state(name: str, purpose: str, partitions: int, copies: int) -> TopicSpec:
    return TopicSpec(name, purpose, partitions, copies, COMPACTED, hints=COMPACTED_SOON, is_sharded=True)


class Broker:
    """Kafka as an administrator sees it; it keeps the client alive while answers are awaited."""

    def __init__(self, config: Config) -> None:
        self._servers = bootstrap_servers(config)
        self._last_error = "no answer"
        properties: dict[str, Any] = librdkafka_properties(config, "admin")
        properties |= {"log_level": 0, "error_cb": self._remember}
        try:
            self.admin = AdminClient(properties)
        except KafkaException as exception:
            raise Refused(f"kafka: {exception.args[0].str()}", Exit.CONFIG) from None

    def reach(self) -> None:
        """Return when a broker answers; Refused names the address and the last error when none does in time."""
        try:
            self.admin.list_topics(timeout=ANSWER_S_MAX)
        except KafkaException:
            self.admin.poll(0)
            raise Refused(
                f"no Kafka broker answers at {self._servers}: {self._last_error}. "
                "Is it running, and is kafka.bootstrap.servers (or --bootstrap-servers) right?",
                Exit.KAFKA,
            ) from None

    def _remember(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  librdkafka's own codes begin with _
            self._last_error = error.str()


def check(admin: AdminClient, specs: Iterable[TopicSpec]) -> list[Problem]:
    """What is wrong with the topics of `specs`, none when they can be used; KafkaException when Kafka does not answer."""
    specs = list(specs)
    there = admin.list_topics(timeout=ANSWER_S_MAX).topics
    present = [spec for spec in specs if spec.name in there and there[spec.name].error is None]
    actual = _properties(admin, [spec.name for spec in present])
    problems = []
    for spec in specs:
        if spec not in present:
            problems.append(_missing(spec))
        elif found := _mismatch(spec, len(there[spec.name].partitions), actual[spec.name]):
            problems.append(found)
    return problems


def create(admin: AdminClient, specs: Iterable[TopicSpec]) -> None:
    """Make the topics of `specs` and wait until they are seen; one that somebody else made meanwhile is fine.

    Raises:
        Refused: Kafka will not make one, with its reason.
    """
    specs = list(specs)
    if not specs:
        return
    new = [
        NewTopic(
            spec.name, spec.partitions, replication_factor=spec.replication_factor, config=spec.properties
        )
        for spec in specs
    ]
    futures: dict[str, Future[Any]] = admin.create_topics(new, request_timeout=CREATE_S_MAX)
    refused = [reason for name, future in futures.items() if (reason := _refusal(name, future))]
    if refused:
        raise Refused("\n".join(refused), Exit.KAFKA)
    _await_seen(admin, {spec.name for spec in specs})


def _refusal(name: str, future: Future[Any]) -> str | None:
    try:
        future.result(CREATE_S_MAX)
    except KafkaException as exception:
        error = exception.args[0]
        if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            return f"{name}: cannot be created: {error.str()}"
    return None


def _await_seen(admin: AdminClient, names: set[str]) -> None:
    """A topic is known to the controller before every broker has heard of it."""
    deadline = time.monotonic() + CREATE_S_MAX
    while names - admin.list_topics(timeout=ANSWER_S_MAX).topics.keys():
        if time.monotonic() > deadline:
            raise Refused(
                f"created, but not seen by the broker in {CREATE_S_MAX:g} s: {sorted(names)}", Exit.KAFKA
            )
        time.sleep(POLL_S)


def _properties(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = admin.describe_configs(resources, request_timeout=ANSWER_S_MAX)
    return {
        resource.name: {key: entry.value for key, entry in future.result(ANSWER_S_MAX).items()}
        for resource, future in futures.items()
    }


def _missing(spec: TopicSpec) -> Problem:
    return Problem(spec, ProblemKind.MISSING, "there is no such topic", "run streamgauge topics create")


def _mismatch(spec: TopicSpec, partitions: int, actual: Mapping[str, str]) -> Problem | None:
    reasons, changes = [], []
    for key, value in spec.must.items():
        if key in actual and actual[key] != value:
            reasons.append(f"{key} is {actual[key]}, not {value}")
            changes.append(f"{key}={value}")
    for key, value in spec.at_least.items():
        if key in actual and UNLIMITED < int(actual[key]) < int(value):
            reasons.append(f"{key} is {actual[key]}, less than {value}")
            changes.append(f"{key}={value}")
    remedy = f"set it with kafka-configs.sh --alter --topic {spec.name} --add-config {','.join(changes)}"
    if spec.is_sharded and partitions != spec.partitions:
        reasons.append(f"it has {partitions} partitions, not {spec.partitions}")
        remedy = _repartition(spec, partitions)
    return Problem(spec, ProblemKind.MISMATCHED, ", ".join(reasons), remedy) if reasons else None


def _repartition(spec: TopicSpec, partitions: int) -> str:
    another = (
        "choose another `name`: the topics of one name keep their partitions, because state lies by partition"
    )
    if spec.partitions == TRIAGE_PARTITIONS and spec.purpose in ("anomalies", "triage's snapshots"):
        return another
    return f"set topics.samples_partitions to {partitions}, or {another}"
