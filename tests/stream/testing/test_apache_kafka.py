import signal
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream.exits import Refused
from stream.local_broker import answers_metadata
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.apache_kafka_jars import apache_kafka_jars
from stream.testing.topics import TopicMaker

pytestmark = pytest.mark.needs_apache


def produce(bootstrap_servers: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def values(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "unused", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = consumer.consume(count, timeout=30)
    consumer.close()
    return [record.value() for record in records]


def test_its_data_survives_a_stop_and_a_kill() -> None:
    with ApacheKafka() as kafka:
        topic = TopicMaker(kafka.bootstrap_servers)()
        produce(kafka.bootstrap_servers, topic, b"first")
        kafka.stop()
        assert not answers_metadata(kafka.bootstrap_servers, timeout_s=0.2)
        kafka.start()
        produce(kafka.bootstrap_servers, topic, b"second")
        kafka.kill()
        kafka.start()
        assert values(kafka.bootstrap_servers, topic, 2) == [b"first", b"second"]
    assert not kafka.folder.exists()


def test_frozen_it_answers_nobody_and_thawed_it_goes_on() -> None:
    with ApacheKafka() as kafka:
        kafka.send(signal.SIGSTOP)
        assert not answers_metadata(kafka.bootstrap_servers, timeout_s=0.5)
        kafka.send(signal.SIGCONT)
        assert answers_metadata(kafka.bootstrap_servers, timeout_s=30)


def test_a_wrong_property_is_refused_with_kafkas_own_reason() -> None:
    kafka = ApacheKafka({"process.roles": "conductor"})
    with pytest.raises(Refused, match="conductor"):
        kafka.start()
    kafka.close()


def test_concurrent_callers_publish_one_complete_folder_of_jars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found: list[Path] = []
    callers = [threading.Thread(target=lambda: found.append(apache_kafka_jars())) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert [entry.name for entry in (tmp_path / "streamgauge").iterdir()] == [found[0].name]
    assert any(jar.name.startswith("log4j-slf4j-impl") for jar in found[0].iterdir())


def test_jars_that_maven_cannot_fetch_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Refused, match=r"could not fetch Apache Kafka 0\.0\.1"):
        apache_kafka_jars("0.0.1")
    assert list((tmp_path / "streamgauge").iterdir()) == []
