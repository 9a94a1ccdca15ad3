import pytest
from confluent_kafka import Consumer, TopicPartition

from stream.bridges.dead_letters import DeadLetters
from stream.bridges.target import Rejected, Unavailable
from stream.exits import Refused
from stream.testing.topics import TopicMaker
from tests.stream.alert_examples import FIRING
from tests.stream.bridges.scripted import delivery


def test_an_alert_that_is_given_up_is_there_as_it_was_with_the_reason(
    kafka: str, make_topic: TopicMaker
) -> None:
    topic = make_topic()
    given = delivery(FIRING, 17)
    DeadLetters({"bootstrap.servers": kafka}, topic).write(given, Rejected("answers 400: nö"), "webhook/a")
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(20)
    assert message is not None
    assert message.value() == given.value
    assert message.key() == b"alerts/0/17"
    headers = dict(message.headers() or [])
    assert (headers["reason"], headers["bridge"], headers["offset"]) == (b"refused", b"webhook/a", b"17")
    assert headers["detail"] == b"answers 400: n\\xf6"
    assert "truncated" not in headers
    consumer.close()


def test_a_topic_that_is_not_there_is_named_before_anything_is_read(kafka: str) -> None:
    with pytest.raises(Refused, match="no topic nowhere; make it with: streamgauge topics create"):
        DeadLetters({"bootstrap.servers": kafka}, "nowhere")


def test_kafka_being_away_is_something_that_passes(
    kafka: str, make_topic: TopicMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.bridges.dead_letters.WRITE_S_MAX", 1.0)
    letters = DeadLetters({"bootstrap.servers": kafka}, make_topic())
    letters._topic = "gone"
    with pytest.raises(Unavailable, match="dead-letter topic gone"):
        letters.write(delivery(FIRING), Unavailable("away"), "webhook/a")
