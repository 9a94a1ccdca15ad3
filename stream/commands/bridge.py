"""`streamgauge bridge`: takes alerts to where people see them, until it is told to stop."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from stream import logs
from stream.bridges.running import run_bridges
from stream.bridges.target import Target as Opened
from stream.bridges.telemetry import BridgeTelemetry
from stream.commands.options import BootstrapServersOption, ConfigOption, HttpPortOption, overrides
from stream.commands.run import Level
from stream.commands.sharing import sharing
from stream.config import Config, Override, librdkafka_properties, load
from stream.config.bridges import AlertmanagerTarget, Target
from stream.exits import Exit, Refused

INSTALL_COMMAND = "pip install 'streamgauge[apprise]'"
UNNAMED = "default"
"""The name of the target that an option gives."""

app = typer.Typer(
    help="Take alerts on, each at least once: to Alertmanager, to a webhook, or to people through Apprise.",
    no_args_is_help=True,
)

OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Only this target of the configuration; may be repeated.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", help="One target, `default`, in place of those of the configuration.", show_default=False
    ),
]
LevelOption = Annotated[Level, typer.Option("--log-level", help="Least severity that is logged.")]
FormatOption = Annotated[logs.LogFormat, typer.Option("--log-format", help="For people or machines.")]
TargetT = TypeVar("TargetT", bound=Target)


class Bridging:
    """Runs the bridge of one command line. Raises Refused where it cannot."""

    def __init__(
        self,
        only: list[str] | None,
        config: Path | None,
        bootstrap_servers: str | None,
        http_port: int | None,
    ) -> None:
        self._only, self._file = only, config
        self._said = overrides(bootstrap_servers, http_port)

    def configured(self, kind: str, url: str | None = None) -> Config:
        """The configuration, with one target of a kind in place of its own if there is a URL."""
        given = [] if url is None else [Override(("bridges", kind), [{"name": UNNAMED, "url": url}], "--url")]
        return load(self._file, [*self._said, *given])

    def run(
        self,
        config: Config,
        kind: str,
        targets: Sequence[TargetT],
        make: Callable[[TargetT, BridgeTelemetry], Opened],
    ) -> None:
        """Take alerts to the targets that are chosen, until told to stop."""
        known = {target.name: target for target in targets}
        if not known:
            raise Refused(
                f"the configuration has no targets in bridges.{kind}; see docs/how-to/bridges.md", Exit.CONFIG
            )
        if unknown := [name for name in self._only or () if name not in known]:
            raise Refused(f"bridges.{kind} has no target {unknown[0]}, but {', '.join(known)}", Exit.USAGE)
        run_bridges(config, kind, [known[name] for name in self._only or known], make)


def bridges(command: Callable[..., None]) -> Callable[..., None]:
    """A command line that runs a bridge: its parameter `bridging` comes of options that all of these share, at the end."""

    def run(
        *,
        only: OnlyOption = None,
        config: ConfigOption = None,
        bootstrap_servers: BootstrapServersOption = None,
        http_port: HttpPortOption = None,
        log_level: LevelOption = "info",
        log_format: FormatOption = "console",
        **own: Any,
    ) -> None:
        logs.configure(log_level, log_format)
        command(bridging=Bridging(only, config, bootstrap_servers, http_port), **own)

    return sharing(run, command, "bridging")


@app.command()
@bridges
def webhook(*, url: UrlOption = None, bridging: Bridging) -> None:
    """Post alerts to programs of your own, as CloudEvents, signed as Standard Webhooks says."""
    from stream.bridges.webhook import Webhook  # noqa: PLC0415  each kind loads what it needs

    config = bridging.configured("webhook", url)
    bridging.run(config, "webhook", config.bridges.webhook, lambda of, _: Webhook(of))


@app.command()
@bridges
def alertmanager(*, url: UrlOption = None, bridging: Bridging) -> None:
    """Send alerts to Alertmanager, and again while they are open."""
    from stream.bridges.alertmanager import Alertmanager  # noqa: PLC0415  each kind loads what it needs
    from stream.bridges.open_alerts import OpenAlerts, StateTopic  # noqa: PLC0415  as above

    config = bridging.configured("alertmanager", url)

    def make(of: AlertmanagerTarget, telemetry: BridgeTelemetry) -> Opened:
        known = OpenAlerts()
        feed = StateTopic(librdkafka_properties(config, "consumer"), config.alerts.state_topic, known)
        feed.read_all()
        return Alertmanager(of, known, feed, telemetry)

    bridging.run(config, "alertmanager", config.bridges.alertmanager, make)


@app.command()
@bridges
def apprise(*, bridging: Bridging) -> None:
    """Send alerts to people: to Slack, Teams, PagerDuty, by e-mail, and wherever else Apprise reaches."""
    try:
        from stream.bridges.channel import Channel  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        needed = (
            f"people are reached through Apprise, which is not installed ({error.name}): {INSTALL_COMMAND}"
        )
        raise Refused(needed, Exit.CONFIG) from None
    config = bridging.configured("apprise")
    bridging.run(config, "apprise", config.bridges.apprise, lambda of, _: Channel(of))
