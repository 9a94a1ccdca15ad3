"""Consoles: what people read in a terminal, and the same for pipes and files, where nothing may be cut or wrapped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

WIDTH_PIPED: Final = 10_000


class PipedConsole(Console):
    """A console that leaves a closed pipe to its caller."""

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError


def console_for_people(file: IO[str] | None = None) -> PipedConsole:
    """A console on standard output, or on a file, in which sentences wrap in a terminal, and are cut nowhere else."""
    console = PipedConsole(file=file, highlight=False)
    return console if console.is_terminal else PipedConsole(file=file, highlight=False, width=WIDTH_PIPED)


@contextmanager
def progress(what: str, records: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; call with how many records more are done."""
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=max(records, 1))
        yield lambda more: bar.advance(task, more)
