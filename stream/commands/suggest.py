"""`streamgauge suggest`: settings for noisy and blind series, with what would have changed; as a patch, never silently."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from detectors.wording import time_text
from stream.commands.backtest import (
    EventsArgument,
    FromOption,
    LabelsOption,
    recording_of,
    write,
)
from stream.commands.consoles import console_for_people, progress
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import load
from stream.trial.labels import read_labels
from stream.trial.patch import evidence, patch
from stream.trial.proposals import Suggestions
from stream.trial.proposals import suggest as find
from stream.trial.text import table

READINGS = 3


def suggest(
    events: EventsArgument = None,
    *,
    since: FromOption = None,
    config: ConfigOption = None,
    labels: LabelsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the proposals as entries of `series`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Propose settings for series that alarm too often, or that could lose half unseen, with what would have changed.

    History is read up to three times. No configuration is changed: the proposals are printed, and written as a patch
    with --output.
    """
    settings = load(config, overrides(bootstrap_servers))
    happened = read_labels(labels) if labels else None
    with (
        recording_of(events, since or [], [settings]) as recording,
        progress("reading", READINGS * recording.records) as seen,
    ):
        found = find(settings, recording, happened, seen)
    if output is not None:
        write(patch(found, settings.settings().config_hash), output)
    if as_json:
        typer.echo(json.dumps(_plain(found), ensure_ascii=False))
    else:
        console_for_people().print(_text(found, output))


def _plain(found: Suggestions) -> dict[str, Any]:
    return {
        "records": found.records,
        "from": time_text(found.from_ms),
        "to": time_text(found.to_ms),
        "alerts": found.alerts,
        "gone": len(found.matched.gone),
        "new": len(found.matched.new),
        "proposals": [
            {
                "series": it.name.text,
                "problem": it.problem,
                "entry": it.entry().model_dump(mode="json", exclude_none=True),
                "why": it.candidate.why,
                "change": it.change._asdict(),
                "sight": it.sight and {"before": it.sight[0], "after": it.sight[1]},
            }
            for it in found.proposals
        ],
        "unhelped": [{"series": it.name.text, "problem": it.problem} for it in found.unhelped],
        "young": [it.text for it in found.young],
    }


def _text(found: Suggestions, output: Path | None) -> Group:
    parts: list[Text | Table] = [Text(_headline(found))]
    rest = "; --json has all"
    if found.proposals:
        rows = [
            (it.name.text, it.problem, f"{it.candidate.key}: {it.candidate.value}", evidence(it))
            for it in found.proposals
        ]
        parts.append(
            table("", ("series", "what is wrong", "proposal", "what would have changed"), rows, rest)
        )
    if found.unhelped:
        parts.append(
            table(
                "",
                ("no setting helps", "what is wrong"),
                [(it.name.text, it.problem) for it in found.unhelped],
                rest,
            )
        )
    if found.proposals:
        parts.append(
            Text(f"written to {output}" if output else "--output FILE writes them as entries of `series`")
        )
    return Group(*parts)


def _headline(found: Suggestions) -> str:
    read = f"{found.records:,} records from {time_text(found.from_ms)} to {time_text(found.to_ms)}"
    young = (
        f" {len(found.young):,} series have too few samples to be judged; no setting helps them."
        if found.young
        else ""
    )
    if not found.proposals:
        return f"{read}: {found.alerts:,} alerts, nothing to propose.{young}"
    gone, new = len(found.matched.gone), len(found.matched.new)
    return f"{read}: with all proposals {gone:,} of {found.alerts:,} alerts would be gone and {new:,} new.{young}"
