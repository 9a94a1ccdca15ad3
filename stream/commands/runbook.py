"""`streamgauge runbook`: what to do about an alert, from the runbooks that are shipped with the program."""

import re
from importlib.resources import files
from typing import Annotated, Final

import typer
from rich.markdown import Markdown

from detectors.alerts import Kind
from stream.commands.consoles import console_for_people
from stream.exits import Exit, Refused

OVERVIEW: Final = "README"
_SECTION: Final = re.compile(r"^### (?P<reasons>.+)\n(?:(?!##).*\n)*", re.MULTILINE)


def runbook(
    kind: Annotated[
        Kind | None,
        typer.Argument(
            metavar="KIND",
            help="What the alert is about, like volume; the list of kinds unless given.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Argument(
            metavar="REASON",
            help="Why it is told, like below_range: what is said of that alone.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what to do about an alert: where to look first, what its reasons mean, what to set and when it ends."""
    text = page(kind or OVERVIEW)
    if kind is not None and reason is not None:
        text = section(kind, reason, text)
    console = console_for_people()
    console.print(Markdown(text, hyperlinks=False)) if console.is_terminal else typer.echo(text, nl=False)


def page(name: str) -> str:
    """A page of the runbooks, as Markdown."""
    return (files("stream") / "runbooks" / f"{name}.md").read_text(encoding="utf-8")


def section(kind: Kind, reason: str, text: str) -> str:
    """What the page of a kind says of one reason. Raises Refused."""
    sections = {
        told: found.group().rstrip() + "\n"
        for found in _SECTION.finditer(text)
        for told in re.findall(r"`(\w+)`", found["reasons"])
    }
    if reason not in sections:
        known = f"its reasons are {', '.join(sections)}" if sections else "it has none"
        raise Refused(f"{reason} is no reason of an alert of kind {kind}: {known}", Exit.USAGE)
    return sections[reason]
