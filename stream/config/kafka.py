"""The `kafka` section: one map of librdkafka properties, said to confluent-kafka and to Faust in the words of each."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from stream.config.kafka_rules import DEFAULTS, addresses
from stream.config.properties import Role, for_role
from stream.config.secret import Secret
from stream.exits import Exit, Refused

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

PROMISED: Mapping[Role, Mapping[str, Any]] = {
    "consumer": {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
    },
    "member": {"isolation.level": "read_committed"},
    "producer": {"enable.idempotence": True, "acks": "all"},
    "admin": {},
}
"""What every client of a role sets, because a promise rests on it."""


class Connecting(Protocol):
    """What this module needs of a configuration."""

    @property
    def name(self) -> str:
        """Prefix of internal topics, group id, and client id unless one is set."""

    @property
    def kafka(self) -> Mapping[str, str | Secret]:
        """Validated librdkafka properties."""


class FaustBroker(TypedDict, total=False):
    """Keyword arguments for `faust.App` that say where Kafka is and how to talk to it."""

    broker: list[str]
    broker_client_id: str
    broker_credentials: CredentialsT
    broker_session_timeout: float
    broker_heartbeat_interval: float
    broker_max_poll_interval: float
    consumer_metadata_max_age_ms: int
    producer_metadata_max_age_ms: int
    consumer_connections_max_idle_ms: int
    producer_connections_max_idle_ms: int


def librdkafka_properties(cfg: Connecting, role: Role) -> dict[str, Any]:
    """The properties for a confluent-kafka client in `role`, secrets revealed: never log them.

    A consumer gets the group id `cfg.name`, which librdkafka demands even of a consumer that is assigned by hand; a member
    names its group itself.
    Refused when a secret's reference leads nowhere.
    """
    mine = {name: value for name, value in _with_defaults(cfg).items() if for_role(name, role)}
    group = {"group.id": cfg.name} if role == "consumer" else {}
    return {name: _plain(name, value) for name, value in mine.items()} | group | dict(PROMISED[role])


def faust_broker(cfg: Connecting) -> FaustBroker:
    """The same connection for Faust's client. Refused when a secret or a certificate file cannot be read."""
    properties = {name: _plain(name, value) for name, value in _with_defaults(cfg).items()}
    settings = FaustBroker(
        broker=[f"kafka://{host}:{port}" for host, port in addresses(properties["bootstrap.servers"])],
        broker_client_id=properties["client.id"],
        broker_session_timeout=int(properties["session.timeout.ms"]) / 1000,
        broker_heartbeat_interval=int(properties["heartbeat.interval.ms"]) / 1000,
        broker_max_poll_interval=int(properties["max.poll.interval.ms"]) / 1000,
    )
    if age_ms := properties.get("metadata.max.age.ms"):
        settings["consumer_metadata_max_age_ms"] = settings["producer_metadata_max_age_ms"] = int(age_ms)
    if idle_ms := properties.get("connections.max.idle.ms"):
        settings["consumer_connections_max_idle_ms"] = settings["producer_connections_max_idle_ms"] = int(
            idle_ms
        )
    credentials = _credentials(properties)
    if credentials is not None:
        settings["broker_credentials"] = credentials
    return settings


def bootstrap_servers(cfg: Connecting) -> str:
    """Where Kafka is, for messages."""
    return str(_with_defaults(cfg)["bootstrap.servers"])


def _with_defaults(cfg: Connecting) -> dict[str, str | Secret]:
    return {**DEFAULTS, "client.id": cfg.name, **cfg.kafka}


def _plain(name: str, value: str | Secret) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.reveal()
    except Refused as refused:
        raise Refused(f"kafka: {name}: {refused}", refused.code) from None


def _credentials(properties: Mapping[str, str]) -> CredentialsT | None:
    from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415  Faust is only needed by the worker

    protocol = properties["security.protocol"]
    if protocol == "PLAINTEXT":
        return None
    context = _tls_context(properties)
    if protocol == "SSL":
        return SSLCredentials(context)
    return SASLCredentials(
        username=properties["sasl.username"],
        password=properties["sasl.password"],
        mechanism=properties["sasl.mechanism"],
        ssl_context=context,
    )


def _tls_context(properties: Mapping[str, str]) -> ssl.SSLContext:
    with _reading("ssl.ca.location or ssl.ca.pem"):
        context = _trusting(properties.get("ssl.ca.location"), properties.get("ssl.ca.pem"))
    with _reading("ssl.certificate.location or ssl.key.location"):
        if certificate := properties.get("ssl.certificate.location"):
            password = properties.get("ssl.key.password", "")
            context.load_cert_chain(certificate, properties.get("ssl.key.location"), lambda: password)
    with _reading("ssl.cipher.suites"):
        if suites := properties.get("ssl.cipher.suites"):
            context.set_ciphers(suites)
    verifies = properties.get("enable.ssl.certificate.verification", "true") == "true"
    context.check_hostname = verifies and properties.get("ssl.endpoint.identification.algorithm") != "none"
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    return context


def _trusting(location: str | None, pem: str | None) -> ssl.SSLContext:
    """A client context that trusts the given authorities, or the system's when none are given."""
    if location is not None and Path(location).is_dir():
        return ssl.create_default_context(capath=location, cadata=pem)
    return ssl.create_default_context(cafile=location, cadata=pem)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or "cannot be read"
        raise Refused(f"kafka: {name}: {reason}", Exit.CONFIG) from None
