"""`streamgauge alerts`: the alert topic, readable or as JSON."""

from typing import Annotated

import typer

from detectors.alerts import Alert, Kind, State
from stream.alert_stream import follow
from stream.alert_text import render
from stream.commands.following import complain, following, show, since_ms_of
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
        chosen = (it for it in received if _is_wanted(it.alert, state, kind))
        shown = show(chosen, since_ms, as_json, lambda it: render(it.alert))
    if not shown:
        complain(f"no such alerts on {name}" if state or kind or since else f"no alerts on {name}")


def _is_wanted(alert: Alert, states: list[State] | None, kinds: list[Kind] | None) -> bool:
    return (not states or alert.state in states) and (not kinds or alert.kind in kinds)
