"""The `schema_registry` section: where schemas of records are found, in the words of confluent-kafka's client."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from stream.config.faults import Fault, FaultsError
from stream.config.kafka_rules import is_loopback
from stream.config.secret import SCHEMES, Secret
from stream.config.tuning import Section, Text

REGISTRY_SECRETS = frozenset({"basic.auth.user.info", "ssl.key.password"})


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    try:
        return Secret(str(value))
    except ValueError as error:
        raise FaultsError([Fault((), str(error), SCHEMES)]) from None


SecretText = Annotated[
    Secret, PlainValidator(_secret), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]


class SchemaRegistry(Section):
    """A schema registry that speaks Confluent's API."""

    url: Text
    """Its address, http or https; of several, with commas between, the first that answers."""
    user_info: SecretText | None = Field(None, alias="basic.auth.user.info")
    """USER:PASSWORD, or KEY:SECRET of an API key, as env:NAME or file:PATH."""
    ca: Text | None = Field(None, alias="ssl.ca.location")
    """File of the certificates that its own is checked by; without it those that Python brings."""
    certificate: Text | None = Field(None, alias="ssl.certificate.location")
    """File of the certificate that we show."""
    key: Text | None = Field(None, alias="ssl.key.location")
    """File of its key."""
    key_password: SecretText | None = Field(None, alias="ssl.key.password")
    """Password of that file, as env:NAME or file:PATH."""

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        for url in self.url.split(","):
            split = urlsplit(url.strip())
            if split.scheme not in ("http", "https") or not split.hostname:
                raise FaultsError([Fault(("url",), "must begin with http:// or https:// and name a host")])
            if split.username is not None:
                raise FaultsError(
                    [Fault(("url",), "has credentials in it: write them as basic.auth.user.info")]
                )
            if self.user_info and split.scheme == "http" and not is_loopback(split.hostname):
                reason = "would send credentials in the clear: use https"
                raise FaultsError([Fault(("url",), reason)])
        if (self.key or self.key_password) and not self.certificate:
            raise FaultsError([Fault(("ssl.certificate.location",), "is required by ssl.key.location")])
        return self

    def properties(self) -> dict[str, str]:
        """The same for the client, secrets revealed: never log them. Refused when a secret's reference leads nowhere."""
        written = {
            field.alias or name: getattr(self, name) for name, field in type(self).model_fields.items()
        }
        return {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in written.items()
            if value is not None
        }
