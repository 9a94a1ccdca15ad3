"""Bridges as processes, on a real Kafka, to real servers."""

import base64
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from detectors.alerts import State, decode
from stream.bridges.webhook import signature
from tests.integrations.deployment import PATIENCE_S, Deployment, Worker
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.alert_topic import episode, publish
from tests.stream.bridges.receiver import Receiver, status

Deploy = Callable[..., Deployment]
KEY = b"0123456789" * 3
SUPPRESSED = msgspec.structs.replace(FIRING, state=State.SUPPRESSED)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def deployed(deploy: Deploy, kafka: str, bridges: dict[str, Any]) -> Deployment:
    """A deployment whose groups notice within a second or two that a member is gone, or does not poll."""
    quick = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 300, "max.poll.interval.ms": 3000}
    return deploy({"events": "events"}, {"bridges": bridges, "kafka": {"bootstrap.servers": kafka, **quick}})


def bridge(deployment: Deployment, kind: str, **env: str) -> Worker:
    started = deployment.start(command=("bridge", kind), env=env)
    until(lambda: started.is_ready, started)
    return started


def until(is_so: Callable[[], object], worker: Worker) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert worker.process.poll() is None, worker.log.read_text()
        assert time.monotonic() < deadline, worker.log.read_text()
        time.sleep(0.05)


def test_a_webhook_gets_every_notification_over_outage_and_kill(
    deploy: Deploy, kafka: str, receiver: Receiver
) -> None:
    secret = base64.b64encode(KEY).decode()
    target = {"name": "hook", "url": f"{receiver.url}/all", "secrets": ["env:HOOK"]}
    strict = {"name": "strict", "url": f"{receiver.url}/strict", "match": {"severity": "critical"}}
    deployment = deployed(deploy, kafka, {"webhook": [target, strict | {"refusals_max": 2}]})
    receiver.answer = lambda request: status(400 if request.path == "/strict" else 503, b"not now")(request)
    critical = episode(9, severity="critical")
    worker = bridge(deployment, "webhook", HOOK=f"whsec_{secret}")
    publish(kafka, deployment.config.alerts.topic, FIRING, b"nonsense", SUPPRESSED, RESOLVED, critical)
    until(lambda: receiver.requests, worker)
    assert worker.end(signal.SIGKILL) != 0

    worker = bridge(deployment, "webhook", HOOK=f"whsec_{secret}")
    before = len(receiver.requests)
    time.sleep(4)  # longer than a member may be silent, and than it may go without a poll
    until(lambda: len(receiver.requests) > before, worker)
    receiver.answer = lambda request: status(400 if request.path == "/strict" else 204)(request)
    receiver.requests.clear()
    until(lambda: worker.metric("streamgauge_bridge_delivered_total") == 3, worker)
    got = [it for it in receiver.requests if it.path == "/all"]
    assert [decode(it.body) for it in got] == [FIRING, RESOLVED, critical]
    for request in got:
        ids = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        assert request.headers["webhook-signature"] == signature([KEY], *ids, request.body)

    letters = deployment.records(deployment.config.dead_letters.topic)
    assert letters
    for _, value, headers in letters:
        assert decode(value or b"") == critical
        assert (headers["reason"], headers["bridge"]) == (b"refused", b"webhook/strict")
        assert b"answers 400: not now" in headers["detail"]
    assert worker.metric('streamgauge_bridge_unreadable_total{target="webhook/hook"}') == 1
    assert worker.get("/healthz")
    assert worker.end(signal.SIGTERM) == 0
    assert not worker.logged("kafka.says"), "it lost its place in the group"
    assert secret not in worker.log.read_text()
