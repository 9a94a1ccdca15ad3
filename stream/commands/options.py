"""Options that several commands share, and how they reach the configuration."""

from pathlib import Path
from typing import Annotated

import typer

from stream.config import Override

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration file; ./streamgauge.yaml if that exists.", show_default=False
    ),
]
BootstrapServersOption = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        "-b",
        metavar="HOST:PORT",
        help="Where Kafka is, over the configuration.",
        show_default=False,
    ),
]
HttpPortOption = Annotated[
    int | None,
    typer.Option(
        "--http-port", metavar="N", help="Port of /metrics, over the configuration.", show_default=False
    ),
]


def overrides(bootstrap_servers: str | None = None, http_port: int | None = None) -> list[Override]:
    """What these options say, for `stream.config.load`."""
    said = [
        (("kafka", "bootstrap.servers"), bootstrap_servers, "--bootstrap-servers"),
        (("http", "port"), http_port, "--http-port"),
    ]
    return [Override(path, value, option) for path, value, option in said if value is not None]
