"""What the commands that tell Streamgauge something share: who says it, how long to wait, and how the answer is shown."""

import getpass
import os
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from detectors.commands import Command, Configure, Outcome
from stream.audit_text import render
from stream.commanding import give, give_and_await
from stream.commands.consoles import console_for_people
from stream.commands.following import complain
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.commands.sharing import sharing
from stream.config import Config, load
from stream.config.units import parse_positive_duration_ms
from stream.config_offers import configure
from stream.exits import Exit, Refused
from stream.open_alerts import alert_id_of

AUTHOR_LENGTH_MAX: Final = 200

AlertArgument = Annotated[
    str,
    typer.Argument(metavar="ALERT_ID", help="Its id, or at least the first 8 digits of it if it is open."),
]
CommentOption = Annotated[str, typer.Option(help="Why; it stands on the audit topic.", show_default=False)]
AuthorOption = Annotated[
    str | None,
    typer.Option(
        envvar="STREAMGAUGE_AUTHOR", help="Who says so; user@host unless given.", show_default=False
    ),
]
TimeoutOption = Annotated[str, typer.Option(metavar="DURATION", help="How long to wait for the answer.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")]
ForOption = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="For how long, like 2h.", show_default=False)
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Until when, RFC 3339 with a zone.", show_default=False)
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From when on; now unless given.", show_default=False),
]
MatchOption = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=GLOB",
        help="Alerts with such a label, signal, kind, owner or severity; all that are given must match.",
        show_default=False,
    ),
]


class Giver:
    """Gives the command of one command line. Raises Refused where it cannot be given, is refused or is not answered."""

    def __init__(
        self,
        comment: str,
        author: str | None,
        timeout: str,
        wait: bool,
        config: Path | None,
        bootstrap_servers: str | None,
    ) -> None:
        self._comment, self._author, self._wait = comment, author or _user(), wait
        self._timeout_s = _duration("--timeout", timeout).total_seconds()
        self._file, self._bootstrap_servers = config, bootstrap_servers
        self.now = datetime.now(UTC)

    @cached_property
    def config(self) -> Config:
        """Of the workers; it is read only when what was written on the command line is right."""
        return load(self._file, overrides(self._bootstrap_servers))

    def alert_id(self, written: str) -> str:
        """The whole id of an alert."""
        return alert_id_of(written, self.config, complain)

    def end(self, duration: str | None, until: str | None, starts_at: datetime | None = None) -> datetime:
        """When something ends, of which one of `--for` and `--until` is given."""
        if (duration is None) == (until is None):
            raise Refused("give one of --for and --until", Exit.USAGE)
        if until is not None:
            return time_of("--until", until)
        return (starts_at or self.now) + _duration("--for", duration)

    def give(self, kind: type[Any], **fields: Any) -> None:
        """Give a command of a kind, and show what becomes of it."""
        self._send(
            kind(
                command_id=uuid.uuid4().hex,
                author=self._author,
                time=self.now,
                comment=self._comment,
                **fields,
            )
        )

    def offer(self, origin: str, candidate: Config) -> None:
        """Offer the tunable part of a configuration to all workers, and show what becomes of it."""
        self._send(configure(candidate, self.now, self._author, origin, self._comment))

    def _send(self, command: Command | Configure) -> None:
        if not self._wait:
            give(command, self.config, self._timeout_s)
            typer.echo(command.command_id)
            return
        answer = give_and_await(command, self.config, self._timeout_s, complain)
        console_for_people().print(render(answer))
        if answer.outcome is Outcome.REFUSED:
            raise Refused(f"refused: {answer.reason}", Exit.COMMAND_REFUSED)


def gives(command: Callable[..., None]) -> Callable[..., None]:
    """A command line that gives a command: its parameter `giver` comes of options that all of these share, at the end."""

    def run(
        *positional: Any,
        comment: CommentOption = "",
        author: AuthorOption = None,
        timeout: TimeoutOption = "15s",
        wait: WaitOption = True,
        config: ConfigOption = None,
        bootstrap_servers: BootstrapServersOption = None,
        **own: Any,
    ) -> None:
        giver = Giver(comment, author, timeout, wait, config, bootstrap_servers)
        command(*positional, giver=giver, **own)

    return sharing(run, command, "giver")


def time_of(option: str, written: str) -> datetime:
    """A time with a zone. Raises Refused."""
    try:
        moment = datetime.fromisoformat(written.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(
            f"{option} {written}: write a time with its zone, like 2026-03-01T18:00:00Z or 2026-03-01T19:00+01:00",
            Exit.USAGE,
        )
    return moment


def optional_time(option: str, written: str | None) -> datetime | None:
    """A time with a zone, if one is given. Raises Refused."""
    return None if written is None else time_of(option, written)


def globs_of(written: list[str]) -> dict[str, str]:
    """What `--match` says, by name. Raises Refused."""
    globs: dict[str, str] = {}
    for one in written:
        name, sign, glob = one.partition("=")
        if not sign or not name or not glob:
            raise Refused(f"--match {one}: write NAME=GLOB, like pipeline=orders*", Exit.USAGE)
        if name in globs:
            raise Refused(f"--match {one}: {name} is given twice; all globs must match", Exit.USAGE)
        globs[name] = glob
    return globs


def _duration(option: str, written: str | None) -> timedelta:
    try:
        return timedelta(milliseconds=parse_positive_duration_ms(written))
    except ValueError as error:
        raise Refused(f"{option}: {error}", Exit.USAGE) from None


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:AUTHOR_LENGTH_MAX]
