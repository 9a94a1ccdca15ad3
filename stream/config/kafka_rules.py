"""What the `kafka` section must satisfy: names that exist, values librdkafka takes, and a connection that is safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from confluent_kafka import KafkaException, Producer

from stream.config.faults import Fault, FaultsError, unknown_key
from stream.config.properties import GROUP, SECRETS, SUPPORTED, refusal
from stream.config.secret import SCHEMES, Secret
from stream.config.units import shown

PORT_DEFAULT = 9092
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SECURITY_VARIABLE = "STREAMGAUGE__KAFKA__SECURITY_PROTOCOL"
ALL_REPLICAS = ("all", "-1")

DEFAULTS: Mapping[str, str] = {
    "bootstrap.servers": "localhost:9092",
    "security.protocol": "PLAINTEXT",
    "session.timeout.ms": "10000",
    "heartbeat.interval.ms": "3000",
    "max.poll.interval.ms": "300000",
}

Properties = dict[str, str | Secret]


def parse_properties(written: Any) -> Properties:
    """The properties by name, every value as text or `Secret`; FaultsError names every key that cannot stand."""
    if not isinstance(written, Mapping):
        raise FaultsError(
            [Fault((), "must be a map of librdkafka properties, like bootstrap.servers: localhost:9092")]
        )
    faults: list[Fault] = []
    properties: Properties = {}
    for name, value in written.items():
        try:
            properties[name] = _property(str(name), value)
        except FaultsError as found:
            faults += found.faults
    faults += _connection_faults({**properties}, already={fault.path[0] for fault in faults})
    if faults:
        raise FaultsError(faults)
    return properties


def addresses(servers: str) -> list[tuple[str, int]]:
    """Host and port of each of the comma-separated `servers`, IPv6 hosts in brackets; ValueError names a bad one."""
    return [_address(server.strip()) for server in servers.split(",")]


def _address(server: str) -> tuple[str, int]:
    split = SplitResult("", "", "", "", "") if "/" in server else urlsplit(f"//{server}")
    try:
        host, port = split.hostname, split.port
    except ValueError:
        host, port = None, None
    if not host or split.username is not None:
        raise ValueError("a server is written HOST:PORT, without credentials or a scheme")
    return f"[{host}]" if ":" in host else host, PORT_DEFAULT if port is None else port


def _property(name: str, value: Any) -> str | Secret:
    if reason := refusal(name):
        raise FaultsError([Fault((name,), reason)])
    if name not in SUPPORTED:
        raise FaultsError([unknown_key((name,), sorted(SUPPORTED))])
    text = _text(name, value)
    if name in SECRETS:
        return _secret(name, text)
    if name == "security.protocol":
        return _one_of(name, text.upper(), PROTOCOLS)
    if name == "sasl.mechanism":
        return _one_of(name, text.upper(), MECHANISMS)
    if name == "bootstrap.servers":
        return _servers(name, text)
    return _promised(name, _accepted(name, text))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise FaultsError([Fault((name,), "must be one text, number or boolean")])


def _secret(name: str, text: str) -> Secret:
    try:
        return Secret(text)
    except ValueError as error:
        raise FaultsError([Fault((name,), str(error), SCHEMES)]) from None


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text in allowed:
        return text
    reason = f"{shown(text)} is not supported"
    if text == "SASL_PLAINTEXT":
        reason = "SASL without TLS would send credentials in the clear: use SASL_SSL"
    raise FaultsError([Fault((name,), reason, allowed)])


def _servers(name: str, text: str) -> str:
    try:
        addresses(text)
    except ValueError as error:
        raise FaultsError([Fault((name,), str(error), ("HOST:PORT,HOST:PORT",))]) from None
    return text


def _accepted(name: str, text: str) -> str:
    """`text` if librdkafka takes it: asked with an unknown property after it, so that no client is ever made."""
    try:
        Producer({name: text, "": ""})
    except KafkaException as exception:
        said = str(exception.args[0].str()).strip()
        if 'property: ""' not in said:
            raise FaultsError([Fault((name,), f"librdkafka refuses {shown(text)}: {said}")]) from None
    return text


def _promised(name: str, text: str) -> str:
    if name in ("acks", "request.required.acks") and text not in ALL_REPLICAS:
        raise FaultsError(
            [Fault((name,), "an alert counts as sent when all in-sync replicas have it", ALL_REPLICAS)]
        )
    if name == "enable.idempotence" and text != "true":
        raise FaultsError(
            [Fault((name,), "without it a retried alert could be doubled or reordered", ("true",))]
        )
    return text


def _connection_faults(properties: Properties, already: set[Any]) -> Iterator[Fault]:
    """What is wrong with the connection as a whole, leaving out keys that are faulty by themselves."""
    protocol = properties.get("security.protocol")
    if "security.protocol" not in already:
        servers = str(properties.get("bootstrap.servers", DEFAULTS["bootstrap.servers"]))
        if protocol is None and "bootstrap.servers" not in already and not _is_local(servers):
            reason = f"must be written, here or in {SECURITY_VARIABLE}, because {servers} is not this machine"
            yield Fault(("security.protocol",), reason, PROTOCOLS)
        yield from _misplaced(properties, protocol)
    if protocol == "SASL_SSL":
        for name in ("sasl.mechanism", "sasl.username", "sasl.password"):
            if name not in properties and name not in already:
                yield Fault((name,), "is required by security.protocol: SASL_SSL")
    if "ssl.key.location" in properties and "ssl.certificate.location" not in properties:
        yield Fault(("ssl.certificate.location",), "is required by ssl.key.location")
    yield from _group_faults(properties, already)


def _misplaced(properties: Properties, protocol: str | Secret | None) -> Iterator[Fault]:
    for name in properties:
        if name.startswith("sasl.") and protocol != "SASL_SSL":
            yield Fault((name,), "has no effect without security.protocol: SASL_SSL")
        if name.startswith("ssl.") and protocol not in ("SSL", "SASL_SSL"):
            yield Fault((name,), "has no effect without security.protocol: SSL or SASL_SSL")


def _group_faults(properties: Properties, already: set[Any]) -> Iterator[Fault]:
    if already & GROUP:
        return
    session_ms = int(str(properties.get("session.timeout.ms", DEFAULTS["session.timeout.ms"])))
    heartbeat_ms = int(str(properties.get("heartbeat.interval.ms", DEFAULTS["heartbeat.interval.ms"])))
    if heartbeat_ms * 3 > session_ms:
        reason = f"must be at most a third of session.timeout.ms ({session_ms}), and is {heartbeat_ms}"
        yield Fault(("heartbeat.interval.ms",), reason)


def _is_local(servers: str) -> bool:
    return all(is_loopback(host.strip("[]")) for host, _ in addresses(servers))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
