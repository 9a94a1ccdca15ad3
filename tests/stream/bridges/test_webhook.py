"""Webhooks as they arrive at a real HTTP server."""

import base64
import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from detectors.alerts import decode
from stream.bridges.target import Rejected, Unavailable
from stream.bridges.webhook import Webhook
from stream.config.bridges import WebhookTarget
from stream.exits import Refused
from tests.stream.alert_examples import FIRING
from tests.stream.bridges.receiver import Receiver, Request, status
from tests.stream.bridges.scripted import delivery

GUIDE = Path(__file__).parents[3] / "docs/how-to/bridges.md"
KEY = base64.b64encode(b"0123456789" * 3).decode()
NOW_S = 1_795_000_000.7


def webhook(url: str, **more: Any) -> Webhook:
    return Webhook(WebhookTarget(name="test", url=url, **more), lambda: NOW_S)


def slowly(_: Request) -> tuple[int, dict[str, str], bytes]:
    time.sleep(2)
    return 204, {}, b""


def verify() -> Any:
    """The receiver's side as the guide shows it."""
    found = re.search(r"```python\n(import base64.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(compile(found[1], str(GUIDE), "exec"), names)  # noqa: S102  the guide's own words
    return names["verified"]


def test_the_alert_arrives_as_it_is_and_as_a_cloud_event() -> None:
    with Receiver() as receiver:
        webhook(receiver.url + "/hook?team=a").deliver(delivery(FIRING))
    (request,) = receiver.requests
    assert decode(request.body) == FIRING
    assert request.path == "/hook?team=a"
    assert request.headers["webhook-id"] == FIRING.event_id
    assert "webhook-signature" not in request.headers
    event = from_binary(HTTPMessage(request.headers, request.body), JSONFormat())
    assert (event.get_id(), event.get_type()) == (FIRING.event_id, "io.streamgauge.alert.firing.v1")
    assert event.get_subject() == 'latency{pipeline="orders",task="load"}'
    assert event.get_data() == json.loads(request.body)


def test_the_guide_s_verification_takes_what_is_signed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK", f"whsec_{KEY}")
    monkeypatch.setenv("OLD", base64.b64encode(b"y" * 64).decode())
    with Receiver() as receiver:
        webhook(receiver.url, secrets=["env:OLD", "env:HOOK"]).deliver(delivery(FIRING))
    (request,) = receiver.requests
    verified = verify()
    assert verified(f"whsec_{KEY}", request.headers, request.body, now_s=NOW_S)
    assert verified(f"whsec_{KEY}", request.headers, request.body, now_s=NOW_S + 299)
    assert not verified(f"whsec_{KEY}", request.headers, request.body, now_s=NOW_S + 301)
    assert not verified(f"whsec_{KEY}", request.headers, request.body + b" ", now_s=NOW_S)
    assert not verified(base64.b64encode(b"z" * 32).decode(), request.headers, request.body, now_s=NOW_S)
    other = {**request.headers, "webhook-id": "other"}
    assert not verified(f"whsec_{KEY}", other, request.body, now_s=NOW_S)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(500, Unavailable), (503, Unavailable), (429, Unavailable), (408, Unavailable), (400, Rejected), (401, Rejected), (404, Rejected), (410, Rejected), (302, Rejected), (307, Rejected)],
)  # fmt: skip
def test_an_answer_that_is_no_success_says_whether_to_try_again(code: int, expected: type[Exception]) -> None:
    with Receiver(status(code, b"because\n\x00 of \xff", Retry_After="7", Location="/elsewhere")) as receiver:
        with pytest.raises(expected, match=rf"answers {code}: because") as caught:
            webhook(receiver.url).deliver(delivery(FIRING))
        assert len(receiver.requests) == 1
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after_s == 7


def test_a_target_that_does_not_answer_is_away() -> None:
    with Receiver() as receiver:
        slow = webhook(receiver.url, timeout="1s")
        receiver.answer = slowly
        with pytest.raises(Unavailable, match="timed out"):
            slow.deliver(delivery(FIRING))
    with pytest.raises(Unavailable, match="refused"):
        slow.deliver(delivery(FIRING))
    with pytest.raises(Unavailable, match=r"nowhere\.invalid"):
        webhook("http://nowhere.invalid/x").deliver(delivery(FIRING))


def test_no_secret_is_part_of_what_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Receiver(status(403)) as receiver:
        monkeypatch.setenv("WHERE", f"{receiver.url}/token-in-path")
        monkeypatch.setenv("AUTH", "Bearer token-in-header")
        monkeypatch.setenv("KEY", KEY)
        target = WebhookTarget(
            name="test", url="env:WHERE", headers={"Authorization": "env:AUTH"}, secrets=["env:KEY"]
        )
        with pytest.raises(Rejected) as caught:
            Webhook(target).deliver(delivery(FIRING))
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer token-in-header"
    assert request.path == "/token-in-path"
    said = f"{caught.value} {target!r} {target.model_dump_json()} {caplog.text}"
    assert not re.search(f"token|{re.escape(KEY)}", said)


@pytest.mark.parametrize("secret", ["whsec_short", "no base64 at all!", "whsec_" + "A" * 200])
def test_a_secret_that_is_none_is_refused_without_quoting_it(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", secret)
    with pytest.raises(Refused, match="24 to 64 bytes in base64") as caught:
        webhook("http://localhost:1", secrets=["env:HOOK"])
    assert secret not in str(caught.value)


def test_an_url_from_a_secret_that_is_none_is_refused_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHERE", "ftp://me:pass@host/")
    with pytest.raises(Refused, match="must begin with http") as caught:
        webhook("env:WHERE")
    assert "pass" not in str(caught.value)
