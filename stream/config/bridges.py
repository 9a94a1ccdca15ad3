"""The `bridges` section: where bridges take alerts to, each target with what it wants and how long it is tried."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from stream.config.faults import Fault, FaultsError
from stream.config.kafka_rules import is_loopback
from stream.config.registry import SecretText
from stream.config.secret import Secret
from stream.config.tuning import Section, Text
from stream.config.units import UNITS_MS, PositiveDurationMs, format_duration

TARGETS_MAX: Final = 100
SECRETS_MAX: Final = 4
TIMEOUT_MS_MAX: Final = UNITS_MS["m"]
"""A bridge that waits for longer looks as if it stood still."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  what secrets begin with
SECRET_BYTES: Final = range(24, 65)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def url_reason(url: str) -> str | None:
    """Why a URL cannot be posted to, or None."""
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        return "must begin with http:// or https:// and name a host"
    if split.username is not None:
        return "has credentials in it: write a header, or the whole URL as env:NAME or file:PATH"
    return None


def _url(value: Any) -> str | Secret:
    if isinstance(value, Secret):
        return value
    if str(value).startswith(("env:", "file:")):
        return Secret(str(value))
    if reason := url_reason(str(value)):
        raise FaultsError([Fault((), reason)])
    return str(value)


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("is no name of an HTTP header")
    return name


def _short(timeout_ms: int) -> int:
    if timeout_ms > TIMEOUT_MS_MAX:
        raise ValueError(f"must be at most {format_duration(TIMEOUT_MS_MAX)}")
    return timeout_ms


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Url = Annotated[
    str | Secret,
    PlainValidator(_url),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A URL, or where it is found when it is a secret itself."""

Globs = Annotated[
    tuple[Text, ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=TARGETS_MAX),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
Headers = dict[Annotated[str, AfterValidator(_header)], SecretText]


class Target(Section):
    """One place that alerts are taken to."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern="^[a-zA-Z0-9_-]+$")]
    """Names it in metrics, logs and its consumer group; a new name begins with what comes from then on."""
    match: dict[Text, Globs] = Field(default_factory=dict)
    """Globs by label name, or by `signal`, `severity` or `owner`: of several in a list one has to match. All alerts unless written."""
    timeout_ms: Annotated[PositiveDurationMs, AfterValidator(_short)] = Field(10_000, alias="timeout")
    """How long one attempt may take, a minute at most."""
    retry_for_ms: PositiveDurationMs = Field(UNITS_MS["d"], alias="retry_for")
    """How long an alert is tried while the target is away; then it is dead-lettered."""
    refusals_max: Annotated[int, Field(ge=1, le=100)] = 3
    """After so many refusals (4xx) an alert is dead-lettered."""


class HttpTarget(Target):
    """A target that is posted to."""

    url: Url
    """Where it is; as env:NAME or file:PATH if the URL is a secret."""
    headers: Headers = Field(default_factory=dict)
    """Headers by name, their values as env:NAME or file:PATH; for Authorization, for instance."""

    @model_validator(mode="after")
    def _shows_no_secret(self) -> Self:
        split = urlsplit(self.url) if isinstance(self.url, str) else None
        if self.headers and split and split.scheme == "http" and not is_loopback(split.hostname or ""):
            raise FaultsError([Fault(("url",), "would send the headers in the clear: use https")])
        return self


class WebhookTarget(HttpTarget):
    """A program of your own that takes alerts as they are."""

    secrets: Annotated[tuple[SecretText, ...], Field(max_length=SECRETS_MAX)] = ()
    """What requests are signed with, each as env:NAME or file:PATH of `whsec_` and base64; several while one replaces another."""


class AlertmanagerTarget(HttpTarget):
    """An Alertmanager, by its API of version 2."""

    resend_ms: PositiveDurationMs = Field(60_000, alias="resend")
    """How often what is open is sent again; four times as long without it, and Alertmanager takes an alert for resolved."""
    generator_url: Text | None = None
    """What the links from Alertmanager to an alert begin with; its `alert_id` is added."""


class AppriseTarget(Target):
    """People, by whatever Apprise knows how to reach."""

    url: SecretText
    """Apprise's URL of a channel, as env:NAME or file:PATH."""


TargetT = TypeVar("TargetT", bound=Target)


def _named_once(targets: tuple[TargetT, ...]) -> tuple[TargetT, ...]:
    names = [target.name for target in targets]
    faults = [
        Fault((number, "name"), f"another target is named {name!r} already")
        for number, name in enumerate(names)
        if name in names[:number]
    ]
    if faults:
        raise FaultsError(faults)
    return targets


class Bridges(Section):
    """Where `streamgauge bridge` takes alerts to."""

    alertmanager: Annotated[
        tuple[AlertmanagerTarget, ...], Field(max_length=TARGETS_MAX), AfterValidator(_named_once)
    ] = ()
    """Alertmanagers."""
    webhook: Annotated[
        tuple[WebhookTarget, ...], Field(max_length=TARGETS_MAX), AfterValidator(_named_once)
    ] = ()
    """Programs of your own that are posted to."""
    apprise: Annotated[
        tuple[AppriseTarget, ...], Field(max_length=TARGETS_MAX), AfterValidator(_named_once)
    ] = ()
    """Slack, Teams, PagerDuty, e-mail and whatever else Apprise reaches."""


def signing_key(secret: str) -> bytes:
    """The bytes of a secret as Standard Webhooks writes it: `whsec_` and base64.

    Raises:
        ValueError: it is written otherwise, without quoting it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in SECRET_BYTES:
        raise ValueError("is not whsec_ and 24 to 64 bytes in base64")
    return key
