"""`streamgauge state`: back up what detectors know and triage remembers, look into it, and bring it back."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.wording import time_text
from stream.alert_text import shown
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load
from stream.config.selector import parse_selector
from stream.exits import Exit, Refused

STDOUT: Final = Path("-")
_HEADINGS: Final = {"first_ms": "first", "last_ms": "last"}

app = typer.Typer(
    name="state", help="Back up detector state, look into it, and bring it back.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Back up detector state, look into it, and bring it back."""


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write it; - for standard output.", metavar="FILE")],
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Write the state of all workers to one file: what every series has learned, the open alerts, silences, and the configuration.

    It is what the workers stored last, with its positions. They may run on, and are not disturbed.
    """
    from stream.state.archive import write, write_to  # noqa: PLC0415  numba takes a second to load
    from stream.state.exporting import exported  # noqa: PLC0415

    archive = exported(load(config, overrides(bootstrap_servers)), _now_ms(), _say)
    if file == STDOUT:
        size = write_to(archive, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        size = write(archive, file)
    head = archive.head
    heads = sum(measure is not None for it in archive.series for measure in it.measures)
    age_s = max(0.0, (head.exported_at_ms - head.stored_at_ms) / 1000)
    typer.echo(
        f"{head.series} label sets with {heads} numeric series from {len(head.standings)} shards of {head.name}, {size:,} bytes. "
        f"It is the state that was stored last, {age_s:.0f} s before the export ({time_text(head.stored_at_ms)})",
        err=True,
    )


@app.command()
def inspect(
    file: Annotated[
        Path | None,
        typer.Argument(help="What export wrote; - for standard input.", metavar="FILE", show_default=False),
    ] = None,
    *,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Look into what the workers have stored, instead of a file.")
    ] = False,
    series: Annotated[
        str | None,
        typer.Option(
            "--series",
            metavar="SERIES",
            help="Only one series, such as 'latency{pipeline=orders}'.",
            show_default=False,
        ),
    ] = None,
    show_config: Annotated[
        bool,
        typer.Option("--show-config", help="Print the configuration that was in force, without secrets."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as one line.")] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Show what is in a file of state, or in Kafka: versions, shards, series, sizes, open alerts; or all about one series."""
    selector = None if series is None else parse_selector(series)
    if (file is None) != from_kafka:
        raise Refused("name a file, or say --from-kafka", Exit.USAGE)
    from stream.state.archive import read, read_from  # noqa: PLC0415
    from stream.state.exporting import exported  # noqa: PLC0415
    from stream.state.looking import known_series, summary_of  # noqa: PLC0415

    if file is None:
        archive = exported(load(config, overrides(bootstrap_servers)), _now_ms(), _say)
    elif file == STDOUT:
        archive = read_from(sys.stdin.buffer, "standard input")
    else:
        archive = read(file)
    if show_config:
        typer.echo(archive.head.config, nl=False)
        return
    found: Any = summary_of(archive) if selector is None else known_series(archive, selector)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    elif selector is None:
        _print_summary(found, console_for_people())
    else:
        _print_series(found, console_for_people())


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What export wrote; - for standard input.", metavar="FILE")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Put it in place of the state that is stored there.")
    ] = False,
    leave_out: Annotated[
        bool,
        typer.Option("--leave-out", help="Leave out series that mean something else in this configuration."),
    ] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Bring state back: into the topics of a configuration, with any number of shards. No worker may run meanwhile.

    Workers that start afterwards go on from it. Sources that are the very same topics are read on from where the state stands; others from now on.
    """
    from stream.state.archive import read, read_from  # noqa: PLC0415
    from stream.state.importing import carried_out, planned  # noqa: PLC0415

    cfg = load(config, overrides(bootstrap_servers))
    archive = read_from(sys.stdin.buffer, "standard input") if file == STDOUT else read(file)
    plan = planned(archive, cfg, leave_out=leave_out, say=_say)
    _print_plan(plan, archive, console_for_people())
    if plan.is_done:
        typer.echo("this state is stored there already: nothing to do", err=True)
        return
    there = [it for stored in plan.stored.values() for it in stored if it.snapshot is not None]
    if there and not force:
        stored_ms = max(it.stored_at_ms for it in there)
        age = "newer" if stored_ms > archive.head.stored_at_ms else "older"
        raise Refused(
            f"there is state of {cfg.name} already, stored at {time_text(stored_ms)}, which is {age} than that of the archive "
            f"({time_text(archive.head.stored_at_ms)}). To put the archive in its place: --force. Export what is there first",
            Exit.CONDITION,
        )
    if dry_run:
        typer.echo("nothing was changed (--dry-run)", err=True)
        return
    carried_out(plan, archive, cfg, _say)
    typer.echo(f"imported: {plan.series} label sets in {len(plan.shards)} shards of {cfg.name}", err=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(what: str) -> None:
    typer.echo(what, err=True)


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _print_plan(plan: Any, archive: Any, console: Console) -> None:
    head = archive.head
    _line(
        console,
        f"{plan.series} of {head.series} label sets from {len(head.standings)} shards go to {len(plan.shards)}; "
        f"{len(archive.desk.alerts)} open alerts; stored at {time_text(head.stored_at_ms)} by Streamgauge {head.product}",
    )
    for left in plan.left:
        _line(console, f"left out: {left.series} label sets of {left.topic}: {left.reason}")
    table = Table("source", "partition", "goes on at", "why", box=None, pad_edge=False)
    for it in plan.positions:
        table.add_row(it.topic, str(it.partition), str(it.next_offset), _why(it))
    console.print(table)


def _why(position: Any) -> str:
    if not position.goes_on:
        return "another topic than the state is from: only what comes from now on"
    if position.lost:
        return f"where the oldest record is; {position.lost} records that were never read are gone"
    return "where the state stands"


def _print_summary(found: Any, console: Console) -> None:
    _line(
        console,
        f"state of {found.name}, stored at {found.stored_at}, exported at {found.exported_at} by Streamgauge {found.product}",
    )
    _line(
        console,
        f"file format {found.format}, state format {found.state_format}, config {found.config_hash}, cluster {found.cluster or 'without id'}",
    )
    _line(
        console,
        f"{found.label_sets} label sets, {found.series} series, {found.heads} of them numeric, {found.bytes:,} bytes; "
        f"latest samples from {found.oldest or 'never'} to {found.newest or 'never'}",
    )
    signals = Table("signal", "series", "kinds", "warming up", "bytes", box=None, pad_edge=False)
    for it in found.signals:
        kinds = ", ".join(f"{count} {kind}" for kind, count in it.by_kind.items())
        signals.add_row(it.signal, str(it.series), kinds, str(it.warming), f"{it.bytes:,}")
    console.print(signals)
    shards = Table("shard", "samples up to", "event time", "sources up to", box=None, pad_edge=False)
    for it in found.shards:
        read = ", ".join(f"{place}@{offset}" for place, offset in it.read.items())
        shards.add_row(str(it.shard), str(it.covered_offset), it.event_time, Text(read))
    console.print(shards)
    largest = Table("largest", "bytes", box=None, pad_edge=False)
    for it in found.largest:
        largest.add_row(Text(shown(it.labels)), f"{it.bytes:,}")
    console.print(largest)
    _print_alerts(found, console)


def _print_alerts(found: Any, console: Console) -> None:
    if found.open_alerts:
        alerts = Table("open alert", "series", "state", "since", "", box=None, pad_edge=False)
        for it in found.open_alerts:
            words = (
                it.acknowledged_by and f"acknowledged by {it.acknowledged_by}",
                it.silenced_by and f"silenced by {it.silenced_by}",
                it.snoozed_until and f"snoozed until {it.snoozed_until}",
            )
            said = ", ".join(word for word in words if word)
            alerts.add_row(it.alert_id, Text(shown(it.series)), it.state, it.since, Text(shown(said)))
        console.print(alerts)
    if found.silences:
        silences = Table("silence", "matches", "by", box=None, pad_edge=False)
        for it in found.silences:
            match = ", ".join(f"{name}={value}" for name, value in it.match.items())
            silences.add_row(it.command_id, Text(shown(match)), Text(shown(it.author)))
        console.print(silences)


def _print_series(found: Any, console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in msgspec.to_builtins(found).items():
        if name.endswith("_ms"):
            table.add_row(_HEADINGS.get(name, name), time_text(value))
        elif name == "labels":
            table.add_row(name, Text(shown(", ".join(f"{label}={text}" for label, text in value.items()))))
        else:
            table.add_row(name, Text(shown(_value_text(value))))
    console.print(table)


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
