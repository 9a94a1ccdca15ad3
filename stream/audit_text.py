"""Answers, silences and maintenance windows as people read them in a terminal."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from detectors.commands import DAYS, Answer, Maintenance, Outcome, Recurring, Silence
from stream.alert_text import shown
from stream.config import Config
from stream.config.tunable import tunable_part

_INDENT: Final = (0, 0, 0, 2)
_STYLES: Final = {Outcome.DONE: "bold green", Outcome.REFUSED: "bold red"}
_TOLD_APART: Final = ("command", "command_id", "author", "time", "comment")


def render(answer: Answer) -> RenderableType:
    """One compact block: time, outcome, command and author; what was asked for; why it was refused; the ids."""
    about = [_said(answer.command), str(answer.command.get("comment") or ""), answer.reason]
    ids = " · ".join([f"command {answer.command_id}", *(f"alert {it}" for it in answer.alerts)])
    return Group(
        _headline(answer),
        *(Padding(Text(shown(line)), _INDENT, expand=False) for line in about if line),
        Padding(Text(shown(ids), style="dim"), _INDENT, expand=False),
    )


def _headline(answer: Answer) -> Text:
    return Text("  ").join([
        Text(shown(answer.answered_at.replace("T", " ").replace("Z", " UTC"))),
        Text(answer.outcome.upper(), style=_STYLES[answer.outcome]),
        Text(shown(str(answer.command.get("command", "no command"))), style="bold"),
        Text(shown(answer.author)),
    ])  # fmt: skip


def _said(command: Mapping[str, Any]) -> str:
    """The fields that are this command's own."""
    return " · ".join(
        f"{name} {_value(name, value) if isinstance(value, dict) else value}"
        for name, value in command.items()
        if name not in _TOLD_APART
    )


def _value(name: str, value: Mapping[str, Any]) -> str:
    return _globs(_tuned(value)) or "as by default" if name == "config" else _globs(value)


def _tuned(part: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as by default in the tunable part of a configuration, by its dotted keys; lists by how many they are."""
    defaults = dict(_leaves(tunable_part(Config())))
    return {key: value for key, value in _leaves(part) if defaults.get(key) != value}


def _leaves(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", len(value) if isinstance(value, list) else value


def quiet_text(quiet: Silence | Maintenance, now: datetime) -> Text:
    """One line: the id to cancel it by, what it is, whom it silences, when, and who set it."""
    kind = "silence" if isinstance(quiet, Silence) else "maintenance"
    words = [quiet.command_id, kind, _globs(quiet.match), _when(quiet, now), quiet.author, quiet.comment]
    return Text("  ").join([Text(shown(word)) for word in words if word])


def _when(quiet: Silence | Maintenance, now: datetime) -> str:
    recurring = quiet.recurring if isinstance(quiet, Maintenance) else None
    parts = [_recurring_text(recurring)] if recurring else []
    if quiet.starts_at and quiet.starts_at > now:
        parts.append(f"from {_clock(quiet.starts_at)}")
    if quiet.until:
        parts.append(f"until {_clock(quiet.until)}")
    return " ".join(parts)


def _recurring_text(recurring: Recurring) -> str:
    days = "daily" if set(recurring.days) == set(DAYS) else ",".join(recurring.days)
    return f"{days} {recurring.at} for {recurring.minutes}m {recurring.time_zone}"


def _globs(match: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={glob}" for name, glob in match.items())


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
