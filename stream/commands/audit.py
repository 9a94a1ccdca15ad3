"""`streamgauge audit`: every command and what became of it, readable or as JSON."""

from typing import Annotated

import typer

from stream.alert_stream import messages
from stream.audit_log import received
from stream.audit_text import render
from stream.commands.following import complain, following, show, since_ms_of
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load


def audit(
    *,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All answers that the topic holds.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Answers from so long ago on, like 7d.", show_default=False),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for more, or stop at the end of the topic.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="One answer a line, as it is on the topic.")
    ] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Follow the audit topic: who asked for what and when, and what became of it.

    New answers are shown as they come, until Ctrl-C; with --no-follow, all that are there.
    """
    since_ms = since_ms_of(from_beginning, since, go_on)
    settings = load(config, overrides(bootstrap_servers))
    with following(settings, settings.audit.topic, since_ms) as (consumer, partitions):
        records = messages(consumer, partitions, stop_at_end=not go_on, complain=complain)
        shown = show(received(records, complain), since_ms, as_json, lambda it: render(it.answer))
    if not shown:
        complain(f"no answers on {settings.audit.topic}")
