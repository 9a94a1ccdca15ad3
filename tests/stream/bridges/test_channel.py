"""People, through a real Apprise that posts to a real HTTP server."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from apprise import Apprise
from typer.testing import CliRunner

from detectors.alerts import State
from stream.bridges.channel import Channel, url_for
from stream.bridges.target import Rejected, Unavailable
from stream.cli import app
from stream.config.bridges import AppriseTarget
from stream.exits import Exit, Refused
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.bridges.receiver import Receiver, status
from tests.stream.bridges.scripted import delivery

PAGER = "pagerduty://" + "k" * 32 + "@" + "a" * 20


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(url: str, **more: Any) -> Channel:
        monkeypatch.setenv("CHANNEL", url.replace("http://", "json://"))
        return Channel(AppriseTarget(name="team", url="env:CHANNEL", **more))

    return make


def test_an_alert_arrives_as_a_message_of_its_severity_and_its_end_as_a_success(channel: Any) -> None:
    with Receiver(status(200)) as receiver:
        team = channel(receiver.url)
        team.deliver(delivery(FIRING))
        team.deliver(delivery(msgspec.structs.replace(FIRING, severity="critical")))
        team.deliver(delivery(RESOLVED))
        said = [json.loads(request.body) for request in receiver.requests]
    assert [it["type"] for it in said] == ["warning", "failure", "success"]
    assert said[0]["title"].startswith("Firing · warning · latency")
    assert FIRING.summary in said[0]["message"]
    assert said[2]["title"].startswith("Resolved")


@pytest.mark.parametrize(
    ("code", "expected"), [(401, Rejected), (404, Rejected), (429, Unavailable), (500, Unavailable)]
)
def test_what_apprise_says_of_a_failure_tells_whether_to_try_again(
    channel: Any, code: int, expected: type[Exception]
) -> None:
    with Receiver(status(code)) as receiver:
        team = channel(f"{receiver.url}/?+X-Token=token-in-url")
        with pytest.raises(expected, match=str(code)) as caught:
            team.deliver(delivery(FIRING))
    assert "token" not in str(caught.value)


def test_a_channel_that_cannot_be_reached_is_away(channel: Any) -> None:
    with Receiver() as receiver:
        team = channel(receiver.url)
    with pytest.raises(Unavailable):
        team.deliver(delivery(FIRING))


def test_people_are_told_of_what_matches_and_not_of_acknowledgements(channel: Any) -> None:
    with Receiver(status(200)) as receiver:
        team = channel(receiver.url, match={"owner": "data-*"})
    assert team.wants(FIRING)
    assert team.wants(RESOLVED)
    assert not team.wants(msgspec.structs.replace(FIRING, owner="x"))
    assert not team.wants(msgspec.structs.replace(FIRING, state=State.ACKNOWLEDGED, notify=False))


def test_pagerduty_hears_of_one_incident_how_grave_it_is_and_when_it_ends() -> None:
    pager: Any = Apprise.instantiate(url_for(PAGER, FIRING))
    assert (pager.dedup, pager.action, pager.severity) == (FIRING.alert_id, "map", "warning")
    mine: Any = Apprise.instantiate(url_for(f"{PAGER}?action=trigger&region=eu", FIRING))
    assert (mine.action, mine.region_name) == ("trigger", "eu")
    assert url_for("slack://a/b/c", FIRING) == "slack://a/b/c"


def test_an_url_that_apprise_does_not_know_is_refused_without_quoting_it(channel: Any) -> None:
    with pytest.raises(Refused, match="the target team") as caught:
        channel("nothing://token-in-url")
    assert "token" not in str(caught.value)


def test_the_command_says_how_to_install_apprise_and_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "streamgauge.yaml"
    config.write_text("bridges: {apprise: [{name: team, url: 'env:CHANNEL'}]}\n")

    def refusal(*arguments: str) -> Refused:
        done = CliRunner().invoke(app, ["bridge", "apprise", *arguments])
        assert isinstance(done.exception, Refused)
        return done.exception

    monkeypatch.setattr("stream.logs.configure", lambda *_: None)
    monkeypatch.setenv("CHANNEL", "nothing://x")
    assert "does not understand the URL" in str(refusal("--config", str(config)))
    assert "has no target x, but team" in str(refusal("--config", str(config), "--target", "x"))
    assert refusal().code is Exit.CONFIG
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "stream.bridges.channel")
    assert "(apprise): pip install 'streamgauge[apprise]'" in str(refusal("--config", str(config)))
