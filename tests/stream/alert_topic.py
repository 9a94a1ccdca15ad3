"""Alerts written to topics as a worker writes them."""

import msgspec
from confluent_kafka import Producer

from detectors.alerts import Alert
from detectors.outputs import Destination
from detectors.series import content_id
from stream.alert_records import alert_outputs
from tests.stream.alert_examples import FIRING

TIMEOUT_S = 30


def episode(number: int, **fields: object) -> Alert:
    """The first alert of an episode of its own."""
    ids = {"alert_id": content_id("episode", number), "event_id": content_id("event", number)}
    return msgspec.structs.replace(FIRING, **(ids | fields))


def publish(kafka: str, topic: str, *given: Alert | bytes, state_topic: str | None = None) -> None:
    """Write alerts, or bytes that are none, to the alert topic; with `state_topic` to that, too."""
    topics = {Destination.ALERTS: topic, Destination.ALERT_STATE: state_topic}
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})
    for one in given:
        if isinstance(one, bytes):
            producer.produce(topic, one, b"?", partition=0)
            continue
        for output in alert_outputs(one):
            if to := topics.get(output.destination):
                producer.produce(to, output.value, output.key, headers=list(output.headers))
    assert producer.flush(TIMEOUT_S) == 0
