"""The audit log as people look at it: answers as they come, and what they say is in force."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
from confluent_kafka import Message

from detectors.commands import Answer, Cancel, Command, Maintenance, Outcome, Silence, read_command
from stream import answers
from stream.alert_stream import UNREADABLE

Quiet = Silence | Maintenance


class Received(NamedTuple):
    """An answer, the bytes it came in, and the Kafka timestamp of its record."""

    answer: Answer
    value: bytes
    timestamp_ms: int


def received(messages: Iterable[Message], complain: Callable[[str], None]) -> Iterator[Received]:
    """The answers in records of the audit topic; what holds none is told and passed over."""
    for message in messages:
        value = message.value() or b""
        try:
            yield Received(answers.decode(value), value, message.timestamp()[1])
        except UNREADABLE as error:
            complain(f"no answer: {message.topic()}[{message.partition()}]@{message.offset()}: {error}")


def in_force(log: Iterable[Answer], now: datetime) -> list[Quiet]:
    """The silences and maintenance windows that were set, not cancelled and are not over, in the order in which they were set.

    Those that are still to begin are among them.
    """
    found: dict[str, Quiet] = {}
    for answer in log:
        if answer.outcome is not Outcome.DONE:
            continue
        match _command(answer):
            case Cancel(cancels=command_id):
                found.pop(command_id, None)
            case Silence() | Maintenance() as quiet:
                found[quiet.command_id] = quiet
    return [it for it in found.values() if it.until is None or it.until > now]


def _command(answer: Answer) -> Command | None:
    try:
        return read_command(msgspec.json.encode(answer.command))
    except ValueError:
        return None
