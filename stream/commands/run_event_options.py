"""Options of a run event, one for each field."""

from typing import Annotated

import typer

TaskOption = Annotated[str | None, typer.Option(help="Step of the pipeline.", show_default=False)]
RunIdOption = Annotated[
    str | None,
    typer.Option(help="The same in all events of one run; made up for started.", show_default=False),
]
TookOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="How long it took: 5312ms, 5.3s, 2m.", show_default=False),
]
RowsOption = Annotated[int | None, typer.Option(min=0, help="Rows written.", show_default=False)]
BytesOption = Annotated[int | None, typer.Option("--bytes", min=0, help="Bytes written.", show_default=False)]
DatasetOption = Annotated[str | None, typer.Option(help="What was written to.", show_default=False)]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="DATASET", help="What is read; may be repeated.", show_default=False),
]
OutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output", metavar="DATASET", help="What else is written; may be repeated.", show_default=False
    ),
]
AfterOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PIPELINE", help="What it comes after; may be repeated.", show_default=False),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A label; may be repeated.", show_default=False),
]
OwnerOption = Annotated[str | None, typer.Option(help="Who is told of alerts.", show_default=False)]
ErrorOption = Annotated[str | None, typer.Option(help="Why the run failed.", show_default=False)]
TimeOption = Annotated[
    str | None, typer.Option(help="RFC 3339 or epoch milliseconds; now unless given.", show_default=False)
]
