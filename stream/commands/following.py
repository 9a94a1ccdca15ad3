"""What the commands that follow a topic share: from when on, where, how it is shown, and how they end."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import msgspec
import typer
from confluent_kafka import Consumer
from rich.console import RenderableType

from stream.alert_stream import assign, open_consumer
from stream.commands.consoles import console_for_people
from stream.config import Config, bootstrap_servers, librdkafka_properties
from stream.config.units import parse_duration_ms
from stream.exits import Exit, Refused

"""Columns where there is no terminal: more than any sentence has."""


@contextmanager
def following(config: Config, topic: str, since_ms: int | None) -> Iterator[tuple[Consumer, int]]:
    """A consumer that reads a topic from the end (None) or a time on, and its number of partitions.

    Ctrl-C and a closed pipe end the command without a word. Raises Refused.
    """
    consumer = open_consumer(librdkafka_properties(config, "consumer"))
    try:
        yield consumer, _assigned(consumer, topic, since_ms, bootstrap_servers(config))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.OK) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    finally:
        consumer.close()


def _assigned(consumer: Consumer, topic: str, since_ms: int | None, servers: str) -> int:
    try:
        return assign(consumer, topic, since_ms)
    except Refused as refused:
        raise Refused(f"{refused} (Kafka at {servers})", refused.code) from None


def since_ms_of(from_beginning: bool, since: str | None, go_on: bool) -> int | None:
    """The time from which to read, in epoch milliseconds; None is the end. Raises Refused."""
    if since is None:
        return 0 if from_beginning or not go_on else None
    if from_beginning:
        raise Refused("--from-beginning and --since exclude each other", Exit.USAGE)
    try:
        return int(time.time() * 1000) - parse_duration_ms(since)
    except ValueError as error:
        raise Refused(f"--since: {error}", Exit.USAGE) from None


class Timed(Protocol):
    """What came in a record: its bytes, and its Kafka timestamp."""

    @property
    def value(self) -> bytes:
        """The value of the record."""

    @property
    def timestamp_ms(self) -> int:
        """When Kafka says that it was written."""


TimedT = TypeVar("TimedT", bound=Timed)


def show(
    received: Iterable[TimedT],
    since_ms: int | None,
    as_json: bool,
    render: Callable[[TimedT], RenderableType],
) -> int:
    """Print what came since a time as it comes, for people or as JSON, one record a line; how many there were."""
    console, count = console_for_people(), 0
    for one in received:
        if one.timestamp_ms < (since_ms or 0):  # brokers find the offset of a time, or one before it
            continue
        count += 1
        if as_json:
            sys.stdout.buffer.write(msgspec.json.format(one.value, indent=-1) + b"\n")
            sys.stdout.buffer.flush()
        else:
            console.print(render(one))
    return count


def complain(what: str) -> None:
    """Say something that is no data."""
    typer.echo(what, err=True)
