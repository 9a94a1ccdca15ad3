"""Which Kafka a test session runs on: yours, Apache Kafka started here, or the embedded broker."""

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, ResourceType

from stream.embedded import EmbeddedBroker
from stream.local_broker import LocalBroker, quiet_admin
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.apache_kafka_jars import KAFKA_VERSION, java_major, missing_for_apache_kafka

BOOTSTRAP_VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
_PROBE_TIMEOUT_S: Final = 10.0


class BrokerKind(StrEnum):
    """Where the session's Kafka comes from."""

    EXTERNAL = "external"
    APACHE = "apache"
    EMBEDDED = "embedded"


@dataclass(frozen=True)
class BrokerChoice:
    """The decision and its reason, before anything is started."""

    kind: BrokerKind
    reason: str
    bootstrap_servers: str | None = None

    def make(self) -> LocalBroker | None:
        """The broker to start, or None when it runs already.

        Raises:
            Refused: what it needs is missing.
        """
        match self.kind:
            case BrokerKind.EXTERNAL:
                return None
            case BrokerKind.APACHE:
                return ApacheKafka()
            case BrokerKind.EMBEDDED:
                return EmbeddedBroker()


@dataclass(frozen=True)
class KafkaUnderTest:
    """The broker that a session's tests run on."""

    kind: BrokerKind
    bootstrap_servers: str
    is_apache: bool
    description: str


def choose_broker() -> BrokerChoice:
    """`KAFKA_BOOTSTRAP_SERVERS` if it is set; else Apache Kafka if this machine can run it; else the embedded broker."""
    if address := os.environ.get(BOOTSTRAP_VARIABLE):
        return BrokerChoice(BrokerKind.EXTERNAL, f"{address}, from {BOOTSTRAP_VARIABLE}", address)
    if missing := missing_for_apache_kafka():
        return BrokerChoice(BrokerKind.EMBEDDED, f"the embedded broker, because {missing}")
    return BrokerChoice(BrokerKind.APACHE, f"Apache Kafka {KAFKA_VERSION} on Java {java_major()}")


def is_apache_kafka(bootstrap_servers: str) -> bool:
    """Whether the broker there is Apache Kafka in KRaft mode, going by the settings it reports.

    Raises:
        KafkaException: nothing answers there.
    """
    admin = quiet_admin(bootstrap_servers)
    broker_id = min(admin.list_topics(timeout=_PROBE_TIMEOUT_S).brokers)
    resource = ConfigResource(ResourceType.BROKER, str(broker_id))
    try:
        settings = admin.describe_configs([resource], request_timeout=_PROBE_TIMEOUT_S)[resource].result()
    except KafkaException:
        return False
    return "process.roles" in settings


def describe(choice: BrokerChoice, bootstrap_servers: str) -> KafkaUnderTest:
    """What was chosen, now that it runs.

    Raises:
        KafkaException: nothing answers at an external address.
    """
    is_apache = choice.kind is BrokerKind.APACHE or (
        choice.kind is BrokerKind.EXTERNAL and is_apache_kafka(bootstrap_servers)
    )
    return KafkaUnderTest(choice.kind, bootstrap_servers, is_apache, f"{choice.reason} ({bootstrap_servers})")
