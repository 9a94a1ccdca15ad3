"""Names of topics as Kafka allows them."""

from typing import Annotated

from pydantic import AfterValidator, Field

TOPIC_PATTERN = "^[a-zA-Z0-9._-]+$"
TOPIC_LENGTH_MAX = 249
NAME_LENGTH_MAX = 200


def _not_dots(value: str) -> str:
    if value in (".", ".."):
        raise ValueError(f"Kafka does not allow the name {value!r}")
    return value


TopicName = Annotated[
    str, Field(min_length=1, max_length=TOPIC_LENGTH_MAX, pattern=TOPIC_PATTERN), AfterValidator(_not_dots)
]
Prefix = Annotated[
    str, Field(min_length=1, max_length=NAME_LENGTH_MAX, pattern=TOPIC_PATTERN), AfterValidator(_not_dots)
]
