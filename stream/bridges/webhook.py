"""Webhooks: alerts posted as they are, as CloudEvents over HTTP, signed as Standard Webhooks says.

The body is the alert's bytes on the topic. The signature covers id, time and body: HMAC-SHA256 of `ID.TIMESTAMP.BODY`
(https://www.standardwebhooks.com, https://github.com/cloudevents/spec, HTTP binding).
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final

from cloudevents.core.bindings.http import to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from detectors.alerts import Alert
from stream.alert_group import Delivery
from stream.alert_match import AlertMatch
from stream.alert_records import cloudevent_attributes
from stream.bridges.posting import Poster
from stream.config.bridges import WebhookTarget, signing_key
from stream.exits import Exit, Refused

_FORMAT: Final = JSONFormat()


class Webhook:
    """One webhook.

    Args:
        config: what the configuration says of it.
        now_s: the wall clock, Unix seconds.

    Raises:
        Refused: a secret cannot be read or is not written as it should be.
    """

    def __init__(self, config: WebhookTarget, now_s: Callable[[], float] = time.time) -> None:
        self._match = AlertMatch(globs=config.match)
        self._poster = Poster(config)
        self._keys = _keys(config)
        self._now_s = now_s

    def wants(self, alert: Alert) -> bool:
        """Whether it matches."""
        return self._match.wants(alert)

    def deliver(self, delivery: Delivery) -> None:
        """Post it."""
        headers = {**_cloud_event(delivery.alert), **self._signed(delivery)}
        self._poster.post(delivery.value, headers)

    def keep_up(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Nothing is held."""

    def _signed(self, delivery: Delivery) -> dict[str, str]:
        event_id, moment = delivery.alert.event_id, str(int(self._now_s()))
        headers = {"webhook-id": event_id, "webhook-timestamp": moment}
        if self._keys:
            headers["webhook-signature"] = signature(self._keys, event_id, moment, delivery.value)
        return headers


def signature(keys: Sequence[bytes], event_id: str, timestamp: str, body: bytes) -> str:
    """`v1,BASE64` for each key, with spaces between.

    >>> key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _keys(config: WebhookTarget) -> list[bytes]:
    try:
        return [signing_key(secret.reveal()) for secret in config.secrets]
    except ValueError as error:
        raise Refused(f"a secret of the webhook {config.name} {error}", Exit.CONFIG) from None


def _cloud_event(alert: Alert) -> dict[str, str]:
    return to_binary(CloudEvent(cloudevent_attributes(alert)), _FORMAT).headers
