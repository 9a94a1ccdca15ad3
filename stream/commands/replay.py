"""`streamgauge replay`: an alert made once more from what Kafka retains, and compared with what was told."""

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from stream.alert_story import Story
from stream.alert_text import shown
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.commands.retained import AlertArgument, find_story, reading
from stream.config import Config, librdkafka_properties, load
from stream.exits import Exit, Refused
from stream.rederived import (
    MISSING,
    NEW,
    Difference,
    Gone,
    Rederived,
    ShardLog,
    differences,
    reasons,
    rederive,
)
from stream.retained import Retained

_VALUE_CHARACTERS_MAX = 200


def replay(
    alert: AlertArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON object.")] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Make an alert once more from Kafka, and compare it with what was told, byte for byte but for processing times.

    Exit code 0 says that it is equal, 8 that something differs; then it is said what, and why that can be.
    """
    settings = load(config, overrides(bootstrap_servers))
    story = find_story(settings, alert)
    result, gone = _rederived(settings, story)
    found = differences(story.alerts, story.values, result.alerts)
    if any(it.field == NEW for it in found):  # it may have been told meanwhile
        story = find_story(settings, story.latest.alert_id)
        found = differences(story.alerts, story.values, result.alerts)
    why = reasons(settings.settings(), story.latest, found, result, gone) if found else []
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(_plain(story, result, found, why)) + b"\n")
    else:
        _print(story, result, found, why)
    if found:
        raise typer.Exit(Exit.CONDITION)


def _rederived(config: Config, story: Story) -> tuple[Rederived, Gone]:
    settings, properties = config.settings(), librdkafka_properties(config, "consumer")
    notes = Retained(properties, config.anomalies_topic, 0)
    with closing(notes):
        samples = [Retained(properties, config.samples_topic, shard) for shard in range(settings.shards)]
        if not len(notes):
            raise Refused(
                f"the topic {config.anomalies_topic} retains nothing: there is nothing to replay", Exit.DATA
            )
        with reading("replaying", [notes, *samples]) as (heard, *logs):
            begins = [part.begin for part in samples]
            shard_logs = [ShardLog(*it) for it in zip(begins, logs, strict=True)]
            result = rederive(settings, story.latest, heard, shard_logs)
    return result, Gone(any(begins), notes.begin > 0)


def _plain(
    story: Story, result: Rederived, found: Sequence[Difference], why: Sequence[str]
) -> dict[str, Any]:
    return {
        "alert_id": story.latest.alert_id,
        "equal": not found,
        "records": len(story.alerts),
        "batches": result.batches,
        "differences": [it._asdict() for it in found],
        "reasons": why,
    }


def _print(story: Story, result: Rederived, found: Sequence[Difference], why: Sequence[str]) -> None:
    console, batches = console_for_people(), result.batches
    told = f"{_counted(len(story.alerts), 'record')} of {story.latest.alert_id}"
    outcome = _counted(len(found), "difference") if found else "equal but for processing times"
    console.print(Text(f"{told}: {outcome}", "bold red" if found else "bold green"))
    console.print(
        Text(
            f"detect's batches: {batches.equal:,} as recorded, {batches.differing:,} otherwise"
            + (f" (the first at samples {batches.first_differing})" if batches.differing else "")
            + (
                f", {batches.not_retained:,} not made again but taken as recorded: their samples are gone"
                if batches.not_retained
                else ""
            )
        )
    )
    for it in found:
        console.print(Text(shown(_line(it))))
    for reason in why:
        console.print(Text(shown(f"why: {reason}")))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _line(it: Difference) -> str:
    if it.field == MISSING:
        return f"record {it.sequence} ({it.told}) was not made again"
    if it.field == NEW:
        return f"record {it.sequence} ({it.derived}) was not told"
    return f"record {it.sequence}, {it.field}: told {_value(it.told)}, now {_value(it.derived)}"


def _value(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:_VALUE_CHARACTERS_MAX]
