"""`streamgauge silence`, `maintenance`, `cancel` and `silences`: when alerts that globs match are not told."""

import re
import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from detectors.commands import DAYS, Cancel, Day, Maintenance, Recurring, Silence
from stream.alert_stream import messages
from stream.audit_log import in_force, received
from stream.audit_text import quiet_text
from stream.commands.consoles import console_for_people
from stream.commands.following import complain, following
from stream.commands.giving import (
    ForOption,
    FromOption,
    Giver,
    MatchOption,
    UntilOption,
    gives,
    globs_of,
    optional_time,
)
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load
from stream.config.units import UNITS_MS, parse_positive_duration_ms
from stream.exits import Exit, Refused

_EVERY: Final = re.compile(r"(?:(?P<days>[a-z, -]+?)\s+)?(?P<at>\d{1,2}:\d{2})\s+for\s+(?P<duration>\S+)")
_EVERY_HOW: Final = "write days, a time and how long, like 'sat,sun 02:00 for 4h', 'mon-fri 22:30 for 30m' or 'daily 02:00 for 1h'"


@gives
def silence(
    *,
    match: MatchOption,
    duration: ForOption = None,
    until: UntilOption = None,
    starts_at: FromOption = None,
    giver: Giver,
) -> None:
    """Say nothing of the alerts that match, until a time. The answer names the id to cancel it by.

    streamgauge silence --match 'pipeline=orders*' --for 4h --comment "backfill"
    """
    begin = optional_time("--from", starts_at)
    giver.give(Silence, match=globs_of(match), until=giver.end(duration, until, begin), starts_at=begin)


@gives
def maintenance(
    *,
    match: MatchOption,
    starts_at: FromOption = None,
    until: UntilOption = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="A window that comes again: 'sat,sun 02:00 for 4h'.", show_default=False
        ),
    ] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="The zone of --every's clock.")] = "UTC",
    giver: Giver,
) -> None:
    """Say nothing of the alerts that match in a window, once or recurring. The answer names the id to cancel it by.

    streamgauge maintenance --match 'pipeline=orders*' --from 2026-03-07T22:00Z --until 2026-03-08T04:00Z

    streamgauge maintenance --match owner=warehouse --every "sat,sun 02:00 for 4h" --time-zone Europe/Berlin
    """
    giver.give(
        Maintenance,
        match=globs_of(match),
        starts_at=optional_time("--from", starts_at),
        until=optional_time("--until", until),
        recurring=None if every is None else recurring_of(every, time_zone),
    )


@gives
def cancel(
    command_id: Annotated[
        str, typer.Argument(help="The id that the answer to it, and streamgauge silences, show.")
    ],
    *,
    giver: Giver,
) -> None:
    """End a silence or a maintenance window."""
    giver.give(Cancel, cancels=command_id)


def silences(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One command a line, as it was given.")] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """List the silences and maintenance windows that are in force or still to begin, from the audit topic."""
    settings = load(config, overrides(bootstrap_servers))
    now, topic = datetime.now(UTC), settings.audit.topic
    with following(settings, topic, 0) as (consumer, partitions):
        log = received(messages(consumer, partitions, stop_at_end=True, complain=complain), complain)
        found = in_force((it.answer for it in log), now)
        console = console_for_people()
        for quiet in found:
            if as_json:
                sys.stdout.write(msgspec.json.encode(quiet).decode() + "\n")
            else:
                console.print(quiet_text(quiet, now))
    if not found:
        complain("nothing is silenced")


def recurring_of(written: str, time_zone: str) -> Recurring:
    """What `--every` says.

    Raises:
        Refused: it cannot be read.
    """
    found = _EVERY.fullmatch(written.strip().lower())
    if found is None:
        raise Refused(f"--every {written}: {_EVERY_HOW}", Exit.USAGE)
    try:
        minutes, rest = divmod(parse_positive_duration_ms(found["duration"]), UNITS_MS["m"])
        days = _days(found["days"] or "daily")
    except ValueError as error:
        raise Refused(f"--every {written}: {error}; {_EVERY_HOW}", Exit.USAGE) from None
    if rest:
        raise Refused(f"--every {written}: windows last whole minutes", Exit.USAGE)
    return Recurring(days=days, at=found["at"].zfill(5), minutes=minutes, time_zone=time_zone)


def _days(written: str) -> tuple[Day, ...]:
    """Days in the order of the week: names with commas between, spans like mon-fri, or daily."""
    if written.strip() == "daily":
        return DAYS
    chosen: set[str] = set()
    for part in re.split(r"[,\s]+", written.strip(", ")):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f"{part} is no day of {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last)
        chosen |= {DAYS[(begin + step) % 7] for step in range((end - begin) % 7 + 1)}
    return tuple(day for day in DAYS if day in chosen)
