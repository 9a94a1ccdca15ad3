import subprocess
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from faust import App
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import ValidationError

from stream.config import Config, bootstrap_servers, faust_broker, librdkafka_properties
from stream.config.complaints import faults_of
from stream.config.kafka_rules import addresses
from stream.config.properties import PROMISES, SUPPORTED, UNTRANSLATABLE, Role, refusal
from stream.exits import Exit, Refused

SASL = {
    "bootstrap.servers": "one:9093,two",
    "security.protocol": "sasl_ssl",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "me",
    "sasl.password": "env:KAFKA_PASSWORD",
}


def _config(kafka: dict[str, Any]) -> Config:
    return Config.model_validate({"kafka": kafka})


def _faults(kafka: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        Config.model_validate({"kafka": kafka})
    return {str(fault.path[-1]): fault.reason for fault in faults_of(refused.value)}


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")
    return "s3cret"


def test_both_clients_are_told_the_same_servers_identity_and_password(password: str):
    config = _config({**SASL, "client.id": "mine"})
    told, faust = librdkafka_properties(config, "admin"), faust_broker(config)
    assert faust["broker"] == ["kafka://one:9093", "kafka://two:9092"]
    assert told["bootstrap.servers"] == "one:9093,two"
    assert told["client.id"] == faust["broker_client_id"] == "mine"
    auth = credentials_to_aiokafka_auth(faust["broker_credentials"])
    assert auth["security_protocol"] == told["security.protocol"] == "SASL_SSL"
    assert auth["sasl_mechanism"] == told["sasl.mechanism"] == "SCRAM-SHA-512"
    assert auth["sasl_plain_username"] == told["sasl.username"] == "me"
    assert auth["sasl_plain_password"] == told["sasl.password"] == password
    assert auth["ssl_context"].check_hostname


def test_faust_takes_what_it_is_told(password: str):
    app = App("test", **faust_broker(_config(SASL)), broker_request_timeout=30.0)
    assert [str(url) for url in app.conf.broker] == ["kafka://one:9093", "kafka://two:9092"]
    assert isinstance(app.conf.broker_credentials, SASLCredentials)
    assert (app.conf.broker_session_timeout, app.conf.broker_heartbeat_interval) == (10.0, 3.0)


def test_without_a_kafka_section_both_clients_look_on_this_machine():
    config = Config()
    assert bootstrap_servers(config) == "localhost:9092"
    assert faust_broker(config)["broker"] == ["kafka://localhost:9092"]
    assert "broker_credentials" not in faust_broker(config)
    assert librdkafka_properties(config, "producer")["client.id"] == "streamgauge"


def test_group_timings_are_told_to_faust_in_seconds():
    timings = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500, "max.poll.interval.ms": 60000}
    faust = faust_broker(_config({**timings, "metadata.max.age.ms": 9000}))
    assert faust["broker_session_timeout"] == 6
    assert faust["broker_heartbeat_interval"] == 1.5
    assert faust["broker_max_poll_interval"] == 60
    assert faust["consumer_metadata_max_age_ms"] == faust["producer_metadata_max_age_ms"] == 9000


@pytest.mark.parametrize(
    ("role", "client", "promised"),
    [
        ("consumer", Consumer, {"enable.auto.commit": False, "isolation.level": "read_committed"}),
        ("producer", Producer, {"enable.idempotence": True, "acks": "all"}),
        ("admin", AdminClient, {}),
    ],
)
def test_each_client_accepts_its_properties_and_keeps_the_promises(
    role: Role, client: Any, promised: dict[str, Any], capfd: pytest.CaptureFixture[str]
):
    kafka = {
        "fetch.wait.max.ms": 40,
        "linger.ms": 7.5,
        "socket.keepalive.enable": True,
        "session.timeout.ms": 9000,
    }
    properties = librdkafka_properties(_config({**kafka, "acks": -1, "retries": 9}), role)
    client(properties)
    assert properties.items() >= promised.items()
    assert ("fetch.wait.max.ms" in properties, "linger.ms" in properties) == (
        role == "consumer",
        role == "producer",
    )
    assert "CONFWARN" not in capfd.readouterr().err


def test_every_supported_name_is_librdkafkas_and_every_refused_one_has_a_reason():
    for name in SUPPORTED | UNTRANSLATABLE.keys() | PROMISES.keys():
        with pytest.raises(KafkaException) as refused:
            Producer({name: "\x01", "": ""})
        assert f'No such configuration property: "{name}"' not in str(refused.value), name
    assert not {name for name in SUPPORTED if refusal(name)}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("enable.auto.commit", True, "offsets are committed when"),
        ("group.id", "mine", "the group is named by the key `name`"),
        ("isolation.level", "read_committed", "only committed records are read"),
        ("enable.idempotence", False, "without it a retried alert"),
        ("acks", 1, "an alert counts as sent when"),
        ("transactional.id", "t", "transactions are not used"),
        ("sasl.kerberos.principal", "x", "GSSAPI is not supported yet"),
        ("ssl.keystore.location", "x", "use ssl.certificate.location and ssl.key.location"),
        ("statistics.interval.ms", 1000, "needs a callback"),
        ("metadata.broker.list", "a", "use bootstrap.servers"),
        ("plugin.library.paths", "/tmp/x.so", "would load foreign code"),
        ("linger.ms", "soon", "librdkafka refuses 'soon'"),
        ("fetch.wait.max.ms", -5, "outside allowed range"),
        ("session.timeout.ms", 0, "outside allowed range"),
        ("compression.type", "zip", "librdkafka refuses 'zip'"),
        ("linger.ms", [1], "must be one text, number or boolean"),
        ("linger.ms", None, "must be one text, number or boolean"),
        ("sasl.mechanism", "GSSAPI", "'GSSAPI' is not supported"),
        ("security.protocol", "SASL_PLAINTEXT", "SASL without TLS would send credentials in the clear"),
        ("bootstrap.servers", "localhost:port", "a server is written HOST:PORT"),
        ("bootstrap.servers", "PLAINTEXT://localhost:9092", "a server is written HOST:PORT"),
        ("bootstrap.servers", "", "a server is written HOST:PORT"),
        ("bootstrap.servers", "localhost:1,,", "a server is written HOST:PORT"),
        ("heartbeat.interval.ms", 5000, "must be at most a third of session.timeout.ms (10000), and is 5000"),
        ("no.such.property", 1, "unknown key"),
        ("sasl.username", "me", "has no effect without security.protocol: SASL_SSL"),
    ],
)
def test_a_property_that_cannot_stand_is_refused_with_the_reason(name: str, value: Any, reason: str):
    faults = _faults({name: value})
    assert list(faults) == [name]
    assert reason in faults[name]


@pytest.mark.parametrize("written", ["localhost:9092", [], 5, None])
def test_a_kafka_section_that_is_no_map_is_refused(written: Any):
    if written is None:
        assert Config.model_validate({"kafka": None}) == Config()
    else:
        assert "must be a map" in _faults(written)["kafka"]


def test_nothing_goes_to_another_machine_in_plaintext_unless_it_is_written_down():
    assert "must be written" in _faults({"bootstrap.servers": "kafka:9092"})["security.protocol"]
    assert "must be written" in _faults({"bootstrap.servers": "localhost,10.0.0.1"})["security.protocol"]
    written = _config({"bootstrap.servers": "kafka:9092", "security.protocol": "plaintext"})
    assert "broker_credentials" not in faust_broker(written)
    assert _config({"bootstrap.servers": "localhost,127.0.0.2:1,[::1]:9092"}).kafka


def test_sasl_needs_all_its_parts():
    assert list(_faults({"security.protocol": "SASL_SSL"})) == [
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
    ]


def test_addresses_have_a_default_port_and_bracketed_ipv6_hosts():
    assert addresses("a, b:1 ,[::1]:2") == [("a", 9092), ("b", 1), ("[::1]", 2)]


def test_a_secret_that_is_nowhere_is_refused_with_its_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KAFKA_PASSWORD", raising=False)
    for tell in (lambda: librdkafka_properties(_config(SASL), "admin"), lambda: faust_broker(_config(SASL))):
        with pytest.raises(
            Refused, match=r"kafka: sasl.password: the environment variable KAFKA_PASSWORD"
        ) as refused:
            tell()
        assert refused.value.code == Exit.CONFIG


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-keyout", str(key), "-out", str(certificate), "-passout", "pass:s3cret"]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _mutual(certificate: tuple[Path, Path], **more: str) -> Config:
    files = {"ssl.certificate.location": str(certificate[0]), "ssl.key.location": str(certificate[1])}
    return _config({"security.protocol": "SSL", "ssl.ca.location": str(certificate[0]), **files, **more})


def test_certificates_and_an_encrypted_key_reach_fausts_tls(certificate: tuple[Path, Path], password: str):
    assert password
    config = _mutual(certificate, **{"ssl.key.password": "env:KAFKA_PASSWORD"})
    credentials = faust_broker(config)["broker_credentials"]
    assert isinstance(credentials, SSLCredentials)
    assert len(credentials.context.get_ca_certs()) == 1
    AdminClient({**librdkafka_properties(config, "admin"), "log_level": 0})


def test_a_key_without_its_password_is_refused_and_never_asks_on_the_terminal(certificate: tuple[Path, Path]):
    with pytest.raises(Refused, match=r"ssl.certificate.location or ssl.key.location"):
        faust_broker(_mutual(certificate))


def test_a_missing_authority_file_is_refused_by_name():
    config = _config({"security.protocol": "SSL", "ssl.ca.location": "/no/such/file"})
    with pytest.raises(Refused, match=r"kafka: ssl.ca.location or ssl.ca.pem: No such file"):
        faust_broker(config)


@pytest.mark.parametrize(
    ("more", "checks_name", "verifies"),
    [
        ({}, True, True),
        ({"ssl.endpoint.identification.algorithm": "none"}, False, True),
        ({"enable.ssl.certificate.verification": False}, False, False),
    ],
)
def test_verification_is_on_unless_it_is_written_off(more: dict[str, Any], checks_name: bool, verifies: bool):
    credentials = faust_broker(_config({"security.protocol": "SSL", **more}))["broker_credentials"]
    assert isinstance(credentials, SSLCredentials)
    assert credentials.context.check_hostname is checks_name
    assert bool(credentials.context.verify_mode) is verifies
