"""`streamgauge alerts`: the alert topic, readable or as JSON."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
import typer
from confluent_kafka import Consumer
from rich.console import Console

from detectors.alerts import Kind, State
from stream.alert_stream import Received, assign, follow, open_consumer
from stream.alert_text import WIDTH_PIPED, render
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import bootstrap_servers as bootstrap_servers_of
from stream.config import librdkafka_properties, load
from stream.config.units import parse_duration_ms
from stream.exits import Exit, Refused


def alerts(  # noqa: PLR0913  one option for each way to choose
    *,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All alerts that the topic holds.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Alerts from so long ago on, like 1h.", show_default=False),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for more, or stop at the end of the topic.")
    ] = True,
    state: Annotated[
        list[State] | None,
        typer.Option(
            metavar="STATE", help="Only this state, like firing; may be repeated.", show_default=False
        ),
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            metavar="KIND", help="Only this kind, like latency; may be repeated.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One alert a line, as it is on the topic.")] = False,
    topic: Annotated[
        str | None, typer.Option(help="Topic, over the configuration.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Follow the alert topic. No consumer group is involved.

    New alerts are shown as they come, until Ctrl-C; with --no-follow, all that are there.
    """
    since_ms = _since_ms(from_beginning, since, go_on)
    settings = load(config, overrides(bootstrap_servers))
    name = topic or settings.alerts.topic
    consumer = open_consumer(librdkafka_properties(settings, "consumer"))
    try:
        partitions = _assigned(consumer, name, since_ms, bootstrap_servers_of(settings))
        received = follow(consumer, partitions, stop_at_end=not go_on, complain=_complain)
        chosen = (one for one in received if _is_wanted(one, since_ms or 0, state, kind))
        shown = _show(chosen, _json_writer() if as_json else _text_writer())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.OK) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    finally:
        consumer.close()
    if not shown:
        _complain(f"no such alerts on {name}" if state or kind or since else f"no alerts on {name}")


def _assigned(consumer: Consumer, topic: str, since_ms: int | None, servers: str) -> int:
    try:
        return assign(consumer, topic, since_ms)
    except Refused as refused:
        raise Refused(f"{refused} (Kafka at {servers})", refused.code) from None


def _since_ms(from_beginning: bool, since: str | None, go_on: bool) -> int | None:
    if since is None:
        return 0 if from_beginning or not go_on else None
    if from_beginning:
        raise Refused("--from-beginning and --since exclude each other", Exit.USAGE)
    try:
        return int(time.time() * 1000) - parse_duration_ms(since)
    except ValueError as error:
        raise Refused(f"--since: {error}", Exit.USAGE) from None


def _is_wanted(
    received: Received, since_ms: int, states: list[State] | None, kinds: list[Kind] | None
) -> bool:
    alert = received.alert
    if received.timestamp_ms < since_ms:  # brokers find the offset of a time, or one before it
        return False
    return (not states or alert.state in states) and (not kinds or alert.kind in kinds)


def _show(chosen: Iterable[Received], write: Callable[[Received], None]) -> int:
    count = 0
    for count, received in enumerate(chosen, 1):  # noqa: B007  the count is the answer
        write(received)
    return count


def _json_writer() -> Callable[[Received], None]:
    def write(received: Received) -> None:
        sys.stdout.buffer.write(msgspec.json.format(received.value, indent=-1) + b"\n")
        sys.stdout.buffer.flush()

    return write


class _Console(Console):
    """A console that leaves a closed pipe to its caller."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _text_writer() -> Callable[[Received], None]:
    console = _Console(highlight=False)
    if not console.is_terminal:
        console = _Console(highlight=False, width=WIDTH_PIPED)

    def write(received: Received) -> None:
        console.print(render(received.alert))

    return write


def _complain(what: str) -> None:
    typer.echo(what, err=True)
