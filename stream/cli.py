"""The `streamgauge` command: registers every subcommand, and turns what users can mend into one clear message."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from stream.commands import (
    acknowledge,
    alerts,
    audit,
    backtest,
    bridge,
    budget,
    config,
    demo,
    explain,
    feedback,
    publish,
    replay,
    run,
    runbook,
    score,
    shadow,
    silence,
    simulate,
    snooze,
    state,
    suggest,
    topics,
)
from stream.exits import Exit, Refused

app = typer.Typer(
    name="streamgauge",
    help="Watch data pipelines through Kafka: run events and metrics in, alerts out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("streamgauge"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Watch data pipelines through Kafka: run events and metrics in, alerts out."""


app.command()(run.run)
app.command()(demo.demo)
app.command()(publish.publish)
app.command()(alerts.alerts)
app.command()(explain.explain)
app.command()(runbook.runbook)
app.command()(replay.replay)
for command in (
    acknowledge.ack,
    acknowledge.unack,
    snooze.snooze,
    silence.silence,
    silence.maintenance,
    silence.cancel,
    silence.silences,
    feedback.feedback,
    feedback.accept,
    feedback.expect,
    audit.audit,
):
    app.command()(command)
app.command()(budget.budget)
app.command()(score.score)
app.command()(backtest.backtest)
app.command()(suggest.suggest)
app.command()(simulate.simulate)
app.command()(shadow.shadow)
app.command()(shadow.promote)
app.add_typer(topics.app, name="topics")
app.add_typer(config.app, name="config")
app.add_typer(state.app, name="state")
app.add_typer(bridge.app, name="bridge")


def main() -> None:
    """Run the command line; every way out ends in a documented exit code."""
    try:
        app()
    except Refused as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[bold red]error:[/] {escape(str(error))}"
        )
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(Exit.OK)
