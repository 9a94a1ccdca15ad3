"""`streamgauge config`: check a configuration, see what is in force, get its JSON Schema."""

from pathlib import Path
from typing import Annotated

import typer

from stream.commands.options import ConfigOption
from stream.config import load_with_places
from stream.config.loading import FILE_DEFAULT
from stream.config.schema import json_schema_text
from stream.config.show import effective_yaml

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


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    typer.echo(json_schema_text(), nl=False)
