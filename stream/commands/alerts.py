"""`streamgauge alerts`: the alert topic, readable or as JSON."""

import sys
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
import typer

from detectors.alerts import Kind, State
from stream.alert_stream import Received, follow
from stream.alert_text import render
from stream.commands.consoles import console_for_people
from stream.commands.following import complain, following, since_ms_of
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load


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
    since_ms = since_ms_of(from_beginning, since, go_on)
    settings = load(config, overrides(bootstrap_servers))
    name = topic or settings.alerts.topic
    with following(settings, name, since_ms) as (consumer, partitions):
        received = follow(consumer, partitions, stop_at_end=not go_on, complain=complain)
        chosen = (one for one in received if _is_wanted(one, since_ms or 0, state, kind))
        shown = _show(chosen, _json_writer() if as_json else _text_writer())
    if not shown:
        complain(f"no such alerts on {name}" if state or kind or since else f"no alerts on {name}")


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


def _text_writer() -> Callable[[Received], None]:
    console = console_for_people()

    def write(received: Received) -> None:
        console.print(render(received.alert))

    return write
