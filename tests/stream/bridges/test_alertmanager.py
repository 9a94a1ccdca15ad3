"""What an Alertmanager is sent, and when."""

import json
from typing import Any

import msgspec
import pytest

from detectors.alerts import AlertSeries, Mode, RootCause, State
from stream.bridges.alertmanager import Alertmanager, annotations, labels, posted
from stream.bridges.open_alerts import OpenAlerts
from stream.bridges.target import Rejected, Unavailable
from stream.bridges.telemetry import BridgeTelemetry
from stream.config.bridges import AlertmanagerTarget
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.alert_topic import episode
from tests.stream.bridges.receiver import Receiver, status
from tests.stream.bridges.scripted import delivery

NOW_S = 1_795_000_000.0
NOW = "2026-11-18T11:06:40+00:00"


class NoFeed:
    closed = False

    def read(self) -> None:
        """Nothing comes."""

    def close(self) -> None:
        self.closed = True


class Clocked:
    """A bridge to a receiver with a clock of the test's own."""

    def __init__(self, url: str, **more: Any) -> None:
        self.now_s, self.known, self.feed = NOW_S, OpenAlerts(), NoFeed()
        self.telemetry = BridgeTelemetry("test")
        config = AlertmanagerTarget(name="main", url=url, resend="1m", **more)
        self.target = Alertmanager(config, self.known, self.feed, self.telemetry, lambda: self.now_s)

    def resent(self) -> float:
        value: float = self.telemetry.resent.labels("alertmanager/main")._value.get()
        return value


def bodies(receiver: Receiver) -> list[list[dict[str, Any]]]:
    return [json.loads(request.body) for request in receiver.requests]


def test_labels_and_annotations_are_the_alert_s_own_and_those_people_route_and_read_by() -> None:
    assert labels(FIRING) == {
        "alertname": "StreamgaugeLatency",
        "alert_id": FIRING.alert_id,
        "severity": "warning",
        "owner": "data-platform",
        "pipeline": "orders",
        "task": "load",
        "kind": "latency",
    }
    assert annotations(FIRING) == {
        "summary": FIRING.summary,
        "series": 'latency{pipeline="orders",task="load"}',
        "runbook_url": "https://runbooks.example/orders",
        "state": "firing",
        "reason": "opened: above_range",
    }
    caused = msgspec.structs.replace(
        FIRING,
        root_cause=RootCause("f" * 32, []),
        children=["a" * 32, "b" * 32],
        annotations={"error": "OOM"},
    )
    assert annotations(caused) | {"error": "OOM", "root_cause": "f" * 32, "children": "2"} == annotations(
        caused
    )


def test_names_that_alertmanager_does_not_take_are_written_otherwise() -> None:
    odd = {"data.set": "a", "data_set": "b", "severity": "high", "1st": "x", "": "y", "ß": "z", "empty": ""}
    alert = msgspec.structs.replace(FIRING, labels=odd, owner=None, series=AlertSeries("latency", odd, ""))
    named = labels(alert)
    assert named["data_set"] == "a"
    assert named["exported_severity"] == "high"
    assert named["severity"] == "warning"
    assert named["_1st"] == "x"
    assert "owner" not in named
    assert "empty" not in named
    assert all(
        name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() for name in named
    )


def test_two_incidents_of_one_series_are_two_alerts() -> None:
    assert labels(episode(1)) != labels(episode(2))


def test_what_is_open_lasts_a_while_and_what_has_ended_ends_when_it_did_but_not_before_it_began() -> None:
    firing = posted(FIRING, NOW_S, 240)
    assert (firing["startsAt"], firing["endsAt"]) == (
        "2026-03-01T09:58:00+00:00",
        "2026-11-18T11:10:40+00:00",
    )
    assert posted(RESOLVED, NOW_S, 240)["endsAt"] == "2026-03-01T10:30:00+00:00"
    ahead = msgspec.structs.replace(RESOLVED, ends_at="2027-01-01T00:00:00.000Z")
    assert posted(ahead, NOW_S, 240)["endsAt"] == NOW
    begins_ahead = msgspec.structs.replace(ahead, starts_at="2026-12-01T00:00:00.000Z")
    assert posted(begins_ahead, NOW_S, 240)["endsAt"] == "2026-12-01T00:00:00+00:00"
    assert posted(FIRING, NOW_S, 240, "https://x/a")["generatorURL"] == "https://x/a"


def test_open_alerts_are_sent_again_at_once_after_a_start_and_then_at_each_interval_until_they_end() -> None:
    with Receiver() as receiver:
        bridge = Clocked(receiver.url + "/", generator_url="https://x/alerts/", match={"severity": "warning"})
        for alert in (FIRING, episode(1, mode=Mode.SHADOW), episode(2, severity="info")):
            bridge.known.learn(alert)
        bridge.target.keep_up()
        bridge.now_s += 59
        bridge.target.keep_up()
        assert len(receiver.requests) == 1
        bridge.now_s += 2
        bridge.target.keep_up()
        first, second = bodies(receiver)
        assert [it["labels"]["alert_id"] for it in first] == [FIRING.alert_id]
        assert first[0]["generatorURL"] == f"https://x/alerts/{FIRING.alert_id}"
        assert second[0]["endsAt"] > first[0]["endsAt"]
        assert receiver.requests[0].path == "/api/v2/alerts"
        bridge.target.deliver(delivery(RESOLVED))
        bridge.now_s += 60
        bridge.target.keep_up()
        assert len(receiver.requests) == 3
        assert bridge.resent() == 2


def test_many_open_alerts_go_in_batches() -> None:
    with Receiver() as receiver:
        bridge = Clocked(receiver.url)
        for number in range(250):
            bridge.known.learn(episode(number))
        bridge.target.keep_up()
        assert [len(body) for body in bodies(receiver)] == [100, 100, 50]


def test_an_alertmanager_that_is_away_is_sent_what_is_open_soon_after() -> None:
    with Receiver(status(503)) as receiver:
        bridge = Clocked(receiver.url)
        bridge.known.learn(FIRING)
        bridge.target.keep_up()
        with pytest.raises(Unavailable):
            bridge.target.deliver(delivery(FIRING))
        receiver.answer = status(200)
        bridge.now_s += 16
        bridge.target.keep_up()
        assert bridge.resent() == 1


def test_what_it_refuses_is_not_sent_again() -> None:
    with Receiver(status(400, b"bad label")) as receiver:
        bridge = Clocked(receiver.url)
        with pytest.raises(Rejected, match="bad label"):
            bridge.target.deliver(delivery(FIRING))
        bridge.now_s += 100
        bridge.target.keep_up()
        assert len(receiver.requests) == 1


def test_what_is_acknowledged_stays_open() -> None:
    with Receiver() as receiver:
        bridge = Clocked(receiver.url)
        bridge.target.deliver(delivery(FIRING))
        bridge.target.deliver(delivery(msgspec.structs.replace(FIRING, sequence=2, state=State.ACKNOWLEDGED)))
        bridge.target.keep_up()
        ends = [body[0]["endsAt"] for body in bodies(receiver)]
        assert ends == ["2026-11-18T11:10:40+00:00"] * 3
        assert bodies(receiver)[-1][0]["annotations"]["state"] == "acknowledged"
    bridge.target.close()
    assert bridge.feed.closed
