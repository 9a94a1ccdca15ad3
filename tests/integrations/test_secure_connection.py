"""One `kafka` section, three clients: all must come in by it, or none, on a real TLS listener."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka.client import AIOKafkaClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from stream import topics
from stream.config import Config, faust_broker, librdkafka_properties
from stream.exits import Refused
from stream.librdkafka import Consumer, Report
from stream.local_broker import LOOPBACK, free_ports
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.topics import TopicMaker

pytestmark = pytest.mark.needs_apache

PASSWORD = "s3cret"  # noqa: S105  of a broker that lives for this test
REQUEST_MS = 3_000


@dataclass(frozen=True)
class Secured:
    """A broker with a mutual-TLS listener and a SASL one, and the files a client needs."""

    mutual_tls: str
    sasl: str
    certificate: Path
    key: Path
    topic: str


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", f"subjectAltName=IP:{LOOPBACK}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    store = folder / "store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    plain, controller, mutual, sasl = (f"{LOOPBACK}:{port}" for port in free_ports(4))
    kafka = ApacheKafka(_properties(plain, controller, mutual, sasl, store, certificate))
    kafka.bootstrap_servers = plain
    with kafka:
        yield Secured(mutual, sasl, certificate, key, TopicMaker(plain)())


def _properties(
    plain: str, controller: str, mutual: str, sasl: str, store: Path, certificate: Path
) -> dict[str, str]:
    clients = f"PLAINTEXT://{plain},SSL://{mutual},SASL_SSL://{sasl}"
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "listeners": f"{clients},CONTROLLER://{controller}",
        "advertised.listeners": clients,
        "controller.quorum.bootstrap.servers": controller,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{module} required user_me="{PASSWORD}";',
    }


def _reaches_by_librdkafka(config: Config) -> bool:
    try:
        topics.Broker(config).reach()
    except Refused:
        return False
    return True


def _reads(config: Config, topic: str) -> bool:
    """Whether the source topic's end is reached."""
    properties = librdkafka_properties(config, "consumer") | {"enable.partition.eof": True}
    consumer = Consumer(properties, 1)
    consumer.assign({(topic, 0): 0})
    deadline = time.monotonic() + REQUEST_MS / 1000
    reports: list[Report] = []
    while not reports and time.monotonic() < deadline:
        reports = consumer.fetch(0.1).reports
    consumer.close()
    return bool(reports)


def _reaches_by_faust(config: Config) -> bool:
    told = faust_broker(config)

    async def bootstrap() -> None:
        client = AIOKafkaClient(
            bootstrap_servers=told["broker"][0].removeprefix("kafka://"),
            request_timeout_ms=REQUEST_MS,
            **credentials_to_aiokafka_auth(told["broker_credentials"]),
        )
        try:
            await client.bootstrap()
        finally:
            await client.close()

    try:
        asyncio.run(bootstrap())
    except Exception:  # noqa: BLE001  whatever the reason is: it does not reach
        return False
    return True


@pytest.mark.parametrize(
    ("listener", "left_out", "password", "reaches"),
    [
        ("mutual_tls", "", PASSWORD, True),
        ("mutual_tls", "ssl.ca.location", PASSWORD, False),
        ("mutual_tls", "ssl.certificate.location", PASSWORD, False),
        ("sasl", "", PASSWORD, True),
        ("sasl", "ssl.ca.location", PASSWORD, False),
        ("sasl", "", "wrong", False),
    ],
)
def test_all_clients_come_in_or_none(
    secured: Secured,
    monkeypatch: pytest.MonkeyPatch,
    listener: str,
    left_out: str,
    password: str,
    reaches: bool,
):
    monkeypatch.setattr(topics, "ANSWER_S_MAX", REQUEST_MS / 1000)
    monkeypatch.setenv("KAFKA_PASSWORD", password)
    kafka = {"security.protocol": "SSL", "ssl.ca.location": str(secured.certificate)}
    if listener == "mutual_tls":
        kafka |= {"ssl.certificate.location": str(secured.certificate), "ssl.key.location": str(secured.key)}
    else:
        kafka |= {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "me"}
        kafka |= {"sasl.password": "env:KAFKA_PASSWORD"}
    if left_out == "ssl.certificate.location":
        del kafka["ssl.key.location"]
    kafka = {name: value for name, value in kafka.items() if name != left_out}
    config = Config.model_validate({"kafka": {"bootstrap.servers": getattr(secured, listener), **kafka}})
    assert (_reaches_by_librdkafka(config), _reaches_by_faust(config)) == (reaches, reaches)
    assert _reads(config, secured.topic) == reaches
