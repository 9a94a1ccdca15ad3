"""`streamgauge shadow` and `promote`: what a configuration would do that runs beside the live one, and making it the live one."""

import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from detectors.alerts import Alert
from stream.alert_stream import follow
from stream.commands.consoles import console_for_people
from stream.commands.following import complain, following, since_ms_of
from stream.commands.giving import Giver, gives
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import Config, load
from stream.exits import Exit, Refused
from stream.trial.compared import compared
from stream.trial.text import compared_text

SINCE: Final = "7d"
ShadowArgument = Annotated[Path, typer.Argument(help="Configuration file with `mode: shadow`.")]


def shadow(
    file: ShadowArgument,
    *,
    since: Annotated[str, typer.Option(metavar="DURATION", help="Alerts from so long ago on.")] = SINCE,
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Compare the alerts of a shadow with those of the live configuration: kept, new and gone.

    The shadow runs like any worker: streamgauge topics create --config FILE, then streamgauge run --config FILE.
    """
    said = overrides(bootstrap_servers)
    candidate, live = _both(file, load(file, said), load(config, said))
    since_ms = since_ms_of(from_beginning=False, since=since, go_on=False)
    found = compared(_alerts(candidate, since_ms), _alerts(live, since_ms), int(time.time() * 1000))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    console_for_people().print(compared_text(found, file.name))


@gives
def promote(file: ShadowArgument, *, giver: Giver) -> None:
    """Put the tunable part of a shadow in force in the live workers, which keep what they have learned, and show the answer.

    Write it into their file, too: a worker that starts with a newer file offers that.
    """
    candidate, _ = _both(file, load(file), giver.config)
    giver.offer(str(file), candidate)


def _both(file: Path, candidate: Config, live: Config) -> tuple[Config, Config]:
    """The two, if they are a shadow and its live configuration. Raises Refused."""
    if candidate.mode != "shadow":
        raise Refused(f"{file}: is no shadow: write `mode: shadow` into it", Exit.CONFIG)
    if live.mode == "shadow":
        raise Refused("--config names a shadow; it must be the live configuration", Exit.CONFIG)
    return candidate, live


def _alerts(config: Config, since_ms: int | None) -> list[Alert]:
    with following(config, config.alerts.topic, since_ms) as (consumer, partitions):
        return [it.alert for it in follow(consumer, partitions, stop_at_end=True, complain=complain)]
