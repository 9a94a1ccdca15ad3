"""`streamgauge budget`: what the alert budgets have spent, what is left, and what the fleet's ceiling muted."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.ledger import FLEET_DAYS, SERIES_DAYS, FleetAccount, Ledger, Muted, SeriesAccount
from detectors.wording import time_text
from stream.alert_stream import open_consumer
from stream.alert_text import shown
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import librdkafka_properties, load
from stream.ledgers import read_ledger

_ROWS = 20


def budget(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything the ledger holds, as one line.")
    ] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Show the alert budgets: spent, left, and what the fleet's ceiling muted.

    It is read from the state that the workers store, so it is as old as the last snapshot. No worker is disturbed.
    """
    settings = load(config, overrides(bootstrap_servers))
    consumer = open_consumer(librdkafka_properties(settings, "consumer"))
    try:
        ledger = read_ledger(consumer, settings.triage_state_topic)
    finally:
        consumer.close()
    if ledger is None:
        typer.echo("nothing stored yet: has a worker run?", err=True)
    elif as_json:
        sys.stdout.buffer.write(msgspec.json.encode(_plain(ledger)) + b"\n")
    else:
        _print(ledger, console_for_people())


def _plain(ledger: Ledger) -> dict[str, Any]:
    return {
        "at": time_text(ledger.now_ms),
        "fleet": {"days": FLEET_DAYS, **msgspec.structs.asdict(ledger.fleet())},
        "series": {"days": SERIES_DAYS, "accounts": ledger.series()},
        "muted": ledger.latest_muted,
    }


def _print(ledger: Ledger, console: Console) -> None:
    console.print(Text(_fleet_sentence(ledger.fleet(), ledger.now_ms)), soft_wrap=True)
    accounts, muted = ledger.series(), ledger.latest_muted
    if accounts:
        console.print(_accounts(accounts[:_ROWS]))
    if muted:
        console.print(_muted(muted[: -_ROWS - 1 : -1]))


def _fleet_sentence(fleet: FleetAccount, now_ms: int) -> str:
    """How the fleet stands, in one sentence."""
    ceiling = (
        "no ceiling"
        if fleet.budget is None or fleet.left is None
        else f"{fleet.left:.3g} left of {fleet.budget:.3g}"
    )
    return (
        f"{FLEET_DAYS} days to {time_text(now_ms)}: alerts opened {fleet.spent} ({ceiling}), by chance alone at most "
        f"{fleet.expected:.2g}, muted {fleet.muted}, series that can alarm {fleet.series}"
    )


def _accounts(accounts: Sequence[SeriesAccount]) -> Table:
    table = Table("series", f"opened in {SERIES_DAYS} days", "muted", box=None, pad_edge=False)
    for each in accounts:
        table.add_row(Text(shown(each.series)), str(each.spent), str(each.muted))
    return table


def _muted(muted: Sequence[Muted]) -> Table:
    table = Table("muted", "at", "by chance every", "needed", box=None, pad_edge=False)
    for each in muted:
        table.add_row(
            Text(shown(each.series)),
            time_text(each.time_ms),
            _every(each.chance_per_day),
            _every(each.needed_per_day),
        )
    return table


def _every(per_day: float) -> str:
    return f"{1 / per_day:,.0f} d" if per_day > 0 else "never"
