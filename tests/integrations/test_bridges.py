"""Bridges as processes, on a real Kafka, to real servers."""

import base64
import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from detectors.alerts import State, decode
from stream.bridges.webhook import signature
from stream.testing.alertmanager import Alertmanager
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


ALERTMANAGER = """
route: {{receiver: test, group_by: [alert_id], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: test
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


def test_a_real_alertmanager_hears_of_what_opens_stays_open_and_ends(
    deploy: Deploy, kafka: str, receiver: Receiver
) -> None:
    with Alertmanager(ALERTMANAGER.format(url=receiver.url)) as alertmanager:
        target = {"name": "main", "url": alertmanager.url, "resend": "1s", "match": {"owner": "data-*"}}
        deployment = deployed(deploy, kafka, {"alertmanager": [target]})
        alerts, states = deployment.config.alerts.topic, deployment.config.alerts.state_topic
        odd = {"pipeline": "bücher.de", "kind": "latency", "data.set": "a b", "severity": "x"}
        before, other = episode(1, labels=odd), episode(2, owner="somebody-else")
        publish(kafka, alerts, before, other, state_topic=states)
        worker = bridge(deployment, "alertmanager")
        publish(kafka, alerts, FIRING, SUPPRESSED, state_topic=states)
        until(lambda: known_to(alertmanager) == {before.alert_id, FIRING.alert_id}, worker)

        assert worker.end(signal.SIGKILL) != 0
        ended = msgspec.structs.replace(
            before, sequence=2, state=State.RESOLVED, ends_at=RESOLVED.ends_at, updated_at=RESOLVED.updated_at
        )
        publish(kafka, alerts, ended, state_topic=states)
        worker = bridge(deployment, "alertmanager")
        time.sleep(5)  # longer than an alert lasts that is not sent again
        assert known_to(alertmanager) == {FIRING.alert_id}
        again = msgspec.structs.replace(FIRING, sequence=3, state=State.FIRING)
        publish(kafka, alerts, again, state_topic=states)

        alertmanager.kill()
        alertmanager.start()
        until(lambda: known_to(alertmanager) == {FIRING.alert_id}, worker)
        publish(kafka, alerts, msgspec.structs.replace(RESOLVED, sequence=4), state_topic=states)
        until(lambda: not known_to(alertmanager), worker)
        until(lambda: (FIRING.alert_id, "resolved") in notified(receiver), worker)
        assert notified(receiver) == {
            (alert_id, state)
            for alert_id in (before.alert_id, FIRING.alert_id)
            for state in ("firing", "resolved")
        }
        assert not deployment.records(deployment.config.dead_letters.topic)
        assert worker.end(signal.SIGTERM) == 0


def notified(receiver: Receiver) -> set[tuple[str, str]]:
    """What the Alertmanager has told its own receiver, by alert."""
    told = (alert for request in list(receiver.requests) for alert in json.loads(request.body)["alerts"])
    return {(alert["labels"]["alert_id"], alert["status"]) for alert in told}


def known_to(alertmanager: Alertmanager) -> set[str]:
    """The alerts that are open to it."""
    try:
        with urllib.request.urlopen(f"{alertmanager.url}/api/v2/alerts", timeout=5) as answer:  # noqa: S310  our own
            return {it["labels"]["alert_id"] for it in json.loads(answer.read())}
    except OSError:
        return set()
