"""`streamgauge config`: check a configuration, see what is in force, get its JSON Schema."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from stream.commands.consoles import console_for_people
from stream.commands.giving import AuthorOption, CommentOption, Giver, TimeoutOption, WaitOption
from stream.commands.options import BootstrapServersOption, ConfigOption
from stream.config import Loaded, load_with_places
from stream.config.explain import Layer, as_json, explain
from stream.config.loading import FILE_DEFAULT
from stream.config.schema import json_schema_text
from stream.config.selector import Selector, parse_selector
from stream.config.show import DEFAULT, effective_yaml

app = typer.Typer(name="config", help="Check and show the configuration.", no_args_is_help=True)


@app.command()
def validate(
    file: Annotated[
        Path | None, typer.Argument(help=f"Configuration file; ./{FILE_DEFAULT} if that exists.")
    ] = None,
) -> None:
    """Check a configuration, with the environment's overrides: prints ok, or every fault with its line."""
    loaded = load_with_places(file)
    typer.echo(f"{loaded.file or 'built-in defaults'}: ok")


@app.command()
def show(config: ConfigOption = None) -> None:
    """Print every setting in force and where it came from. Secrets read ***."""
    typer.echo(effective_yaml(load_with_places(config)), nl=False)


@app.command("explain")
def explain_series(
    series: Annotated[str, typer.Argument(help="A series, such as 'latency{pipeline=orders}'.")],
    *,
    config: ConfigOption = None,
    json_: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say which lines decide the settings of one series, and which they override."""
    selector = parse_selector(series)
    loaded = load_with_places(config)
    if json_:
        typer.echo(json.dumps(as_json(loaded, selector), ensure_ascii=False))
    else:
        console_for_people().print(Text(f"{selector}\n"), _table(loaded, selector))


def _table(loaded: Loaded, series: Selector) -> Table:
    """The settings; what is overridden stands below what decided, struck through."""
    table = Table(box=None, header_style="dim")
    for column in ("setting", "value", "decided by", ""):
        table.add_column(column, overflow="fold")
    for it in explain(loaded, series):
        table.add_row(it.key, Text(it.decided.value, "bold"), Text(_place(it.decided)), "")
        for layer in it.overridden:
            table.add_row(
                "", Text(layer.value, "dim strike"), Text(_place(layer), "dim"), Text("overridden", "dim")
            )
    return table


def _place(layer: Layer) -> str:
    return layer.section if layer.place == DEFAULT else f"{layer.place} ({layer.section})"


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Configuration file.")],
    *,
    comment: CommentOption = "",
    author: AuthorOption = None,
    timeout: TimeoutOption = "15s",
    wait: WaitOption = True,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Put the tunable part of a configuration in force in all workers, and show the answer.

    That is defaults, signals, series, lineage and how alerts are told. Sources, topics and connections need a restart of the workers.
    """
    giver = Giver(comment, author, timeout, wait, file, bootstrap_servers)
    giver.offer(str(file), giver.config)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    typer.echo(json_schema_text(), nl=False)
