"""Which librdkafka properties the `kafka` section takes, which client each is for, and why the others are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Role = Literal["consumer", "member", "producer", "admin"]
"""Of two consumers: the one is assigned by hand, the other is a member of a group of its own."""

SECRETS = frozenset({"sasl.password", "ssl.key.password"})

CONNECTION = frozenset(
    """
    bootstrap.servers client.id security.protocol sasl.mechanism sasl.username sasl.password
    ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.key.location ssl.key.password ssl.cipher.suites
    ssl.endpoint.identification.algorithm enable.ssl.certificate.verification
    metadata.max.age.ms connections.max.idle.ms
    """.split()  # noqa: SIM905  a table in words
)
"""Said to librdkafka and to Faust alike, in the words of each."""

GROUP = frozenset({"session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms"})
"""About consumer groups: said to Faust, which runs that of the workers, and to members of others."""

TRANSFER = frozenset(
    """
    message.max.bytes message.copy.max.bytes receive.message.max.bytes
    max.in.flight.requests.per.connection max.in.flight
    metadata.recovery.strategy metadata.recovery.rebootstrap.trigger.ms
    topic.metadata.refresh.interval.ms topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.sparse
    topic.metadata.propagation.max.ms
    socket.timeout.ms socket.send.buffer.bytes socket.receive.buffer.bytes socket.keepalive.enable
    socket.nagle.disable socket.max.fails socket.connection.setup.timeout.ms
    broker.address.ttl broker.address.family client.dns.lookup client.rack
    reconnect.backoff.ms reconnect.backoff.max.ms retry.backoff.ms retry.backoff.max.ms
    api.version.request.timeout.ms enable.metrics.push debug log_level log.thread.name log.connection.close
    """.split()  # noqa: SIM905  a table in words
)
"""About how librdkafka moves data and logs, for every client."""

FETCHING = frozenset(
    """
    queued.min.messages queued.max.messages.kbytes fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes
    max.partition.fetch.bytes fetch.max.bytes fetch.min.bytes fetch.error.backoff.ms check.crcs
    """.split()  # noqa: SIM905  a table in words
)
"""For consumers only."""

PRODUCING = frozenset(
    """
    queue.buffering.max.messages queue.buffering.max.kbytes queue.buffering.max.ms linger.ms
    queue.buffering.backpressure.threshold message.send.max.retries retries
    compression.codec compression.type compression.level batch.num.messages batch.size sticky.partitioning.linger.ms
    request.timeout.ms message.timeout.ms delivery.timeout.ms enable.idempotence acks request.required.acks
    """.split()  # noqa: SIM905  a table in words
)
"""For producers only."""

SUPPORTED = CONNECTION | GROUP | TRANSFER | FETCHING | PRODUCING

ALIASES: Mapping[str, str] = {
    "metadata.broker.list": "bootstrap.servers",
    "sasl.mechanisms": "sasl.mechanism",
}
"""librdkafka's second names of properties that both clients need: one name each, so that they cannot contradict."""

_COUNTS_ONCE = "offsets are committed when the state that holds their records is stored"
_TRANSACTIONS = "transactions are not used: repeats carry the same ids instead"
_GROUP = "the consumer group is run by Faust, which has no such setting"
_OAUTH = "OAUTHBEARER is not supported yet"
_KERBEROS = "GSSAPI is not supported yet"
_NO_FAUST = "cannot be translated for Faust's client"

PROMISES: Mapping[str, str] = {
    "enable.auto.commit": _COUNTS_ONCE,
    "auto.commit.enable": _COUNTS_ONCE,
    "auto.commit.interval.ms": _COUNTS_ONCE,
    "enable.auto.offset.store": _COUNTS_ONCE,
    "auto.offset.reset": "reading starts at the committed offsets, and at the beginning without any",
    "isolation.level": "only committed records are read",
    "group.id": "the group is named by the key `name`",
    "transactional.id": _TRANSACTIONS,
    "transaction.timeout.ms": _TRANSACTIONS,
    "partitioner": "partitions are chosen by key, the same way in every process",
}
"""Properties that would break a promise if they could be set."""

UNTRANSLATABLE: Mapping[str, str] = {
    "group.instance.id": _GROUP,
    "group.protocol": _GROUP,
    "group.protocol.type": _GROUP,
    "group.remote.assignor": _GROUP,
    "partition.assignment.strategy": _GROUP,
    "max.poll.records": _GROUP,
    "ssl.key.pem": f"{_NO_FAUST}: use ssl.key.location",
    "ssl.certificate.pem": f"{_NO_FAUST}: use ssl.certificate.location",
    "ssl.keystore.location": f"{_NO_FAUST}: use ssl.certificate.location and ssl.key.location",
    "ssl.keystore.password": f"{_NO_FAUST}: use ssl.key.password",
    "ssl.crl.location": _NO_FAUST,
    "ssl.curves.list": _NO_FAUST,
    "ssl.sigalgs.list": _NO_FAUST,
    "ssl.providers": _NO_FAUST,
    "ssl.ca.certificate.stores": _NO_FAUST,
    "statistics.interval.ms": "needs a callback, which a file cannot hold",
    "plugin.library.paths": "would load foreign code",
}
"""Properties of librdkafka that have no counterpart in Faust's client, or need code."""

_UNTRANSLATABLE_FAMILIES: Mapping[str, str] = {
    "sasl.oauthbearer.": _OAUTH,
    "enable.sasl.oauthbearer.": _OAUTH,
    "https.ca.": _OAUTH,
    "sasl.kerberos.": _KERBEROS,
    "ssl.engine.": _NO_FAUST,
}


def refusal(name: str) -> str | None:
    """Why librdkafka's property `name` may not be set, or None."""
    if name in ALIASES:
        return f"use {ALIASES[name]}"
    family = next(
        (reason for prefix, reason in _UNTRANSLATABLE_FAMILIES.items() if name.startswith(prefix)), None
    )
    return PROMISES.get(name) or UNTRANSLATABLE.get(name) or family


def for_role(name: str, role: Role) -> bool:
    """Whether a client in `role` takes property `name` (librdkafka warns of those that it does not)."""
    if name in FETCHING:
        return role in {"consumer", "member"}
    if name in PRODUCING:
        return role == "producer"
    return name not in GROUP or role == "member"
