"""Commanding: a command on its way to the workers, and its answer on the way back."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import msgspec
from confluent_kafka import Consumer

from detectors.commands import Answer, Cancel, Command, Configure, read_command
from stream import answers
from stream.alert_stream import UNREADABLE, assign, messages, open_consumer
from stream.config import Config, librdkafka_properties
from stream.config_offers import KEY, encoded
from stream.deliveries import Deliveries
from stream.exits import Exit, Refused

ANSWER_POLL_S: Final = 0.1


def checked(command: Command) -> bytes:
    """A command as the bytes of its record.

    Raises:
        Refused: a worker would refuse its form; nothing needs to be sent to know that.
    """
    said = {name: value for name, value in msgspec.to_builtins(command).items() if value not in (None, "")}
    value = msgspec.json.encode(said)
    try:
        read_command(value)
    except ValueError as error:
        raise Refused(str(error), Exit.USAGE) from None
    return value


def give(command: Command | Configure, config: Config, timeout_s: float) -> None:
    """Put a command on the command topic, or a configuration on its own; those about one alert, and about one silence, keep their order.

    Raises:
        Refused: it is malformed, or Kafka does not take it in time.
    """
    if isinstance(command, Configure):
        topic, key, value = config.configs.topic, KEY, encoded(command)
    else:
        topic, key, value = config.commands.topic, _subject(command).encode(), checked(command)
    deliveries = Deliveries(librdkafka_properties(config, "producer"), topic, timeout_s)
    deliveries.send(key, value)
    deliveries.finish()


def give_and_await(
    command: Command | Configure, config: Config, timeout_s: float, complain: Callable[[str], None]
) -> Answer:
    """Put a command on the command topic and wait for what becomes of it; seconds count for both together.

    Raises:
        Refused: it is malformed, Kafka does not take it, or nobody answers in time.
    """
    began_s = time.monotonic()
    with closing(open_consumer(librdkafka_properties(config, "consumer"))) as consumer:
        partitions = assign(consumer, config.audit.topic, None)
        give(command, config, timeout_s)
        left_s = timeout_s - (time.monotonic() - began_s)
        answer = _answer(consumer, partitions, command.command_id, left_s, complain)
    if answer is None:
        raise Refused(
            f"command {command.command_id} was given, but not answered within {timeout_s:g} s: it will be done when a worker "
            "reads it. Does one run (streamgauge run), with the same `name`? streamgauge audit shows the answer",
            Exit.UNANSWERED,
        )
    return answer


def _answer(
    consumer: Consumer, partitions: int, command_id: str, for_s: float, complain: Callable[[str], None]
) -> Answer | None:
    for message in messages(
        consumer, partitions, stop_at_end=False, complain=complain, poll_s=ANSWER_POLL_S, for_s=for_s
    ):
        if message.key() == command_id.encode() and (value := message.value()):
            try:
                return answers.decode(value)
            except UNREADABLE as error:
                complain(f"no answer: {message.topic()}[{message.partition()}]@{message.offset()}: {error}")
    return None


def _subject(command: Command) -> str:
    """What a command is about: an alert, a silence or window, or else itself."""
    if isinstance(command, Cancel):
        return command.cancels
    return getattr(command, "alert_id", None) or command.command_id
