"""Config offers: the records of the topic of configurations, as workers and the command line write and read them."""

import contextlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer

from detectors.commands import Configure, read_configure
from stream.alert_stream import assign, messages, open_consumer
from stream.config import Config
from stream.config.tunable import tunable_part

KEY: Final = b"config"


def offered(properties: Mapping[str, Any], topic: str) -> Configure | None:
    """The configuration that was last offered, if any; what cannot be read is passed over.

    Raises:
        Refused: Kafka cannot be reached, or there is no such topic.
    """
    latest: Configure | None = None
    with contextlib.closing(open_consumer(properties)) as consumer:
        for value in _values(consumer, topic):
            with contextlib.suppress(ValueError, RecursionError):
                latest = read_configure(value)
    return latest


def _values(consumer: Consumer, topic: str) -> list[bytes]:
    partitions = assign(consumer, topic, 0)
    found = messages(consumer, partitions, stop_at_end=True, complain=lambda _: None)
    return [value for message in found if (value := message.value()) is not None]


def configure(config: Config, written: datetime, author: str, origin: str, comment: str = "") -> Configure:
    """The offer of a configuration's tunable part, written at a time."""
    return Configure(
        command_id=uuid.uuid4().hex,
        author=author,
        time=written,
        comment=comment,
        config=tunable_part(config),
        origin=origin,
    )


def encoded(command: Configure) -> bytes:
    """The record of an offer."""
    return msgspec.json.encode(command)
