"""`streamgauge explain`: an alert's story and the evidence behind it, from what is stored."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from detectors.series import canonical_labels, shard_of
from stream import explanation
from stream.alert_story import Story
from stream.commands.consoles import console_for_people
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.commands.retained import AlertArgument, find_story, reading
from stream.config import Config, librdkafka_properties, load
from stream.evidence import Evidence, around, drawn, fold, has_samples, nothing, watch_of
from stream.exits import Exit, Refused
from stream.plots.svg import drawing
from stream.retained import Retained

_INDENT = 2
_PLOT_WIDTH_PIPED = 100
"""Columns of a plot where there is no terminal."""
_UNDRAWN = "this alert is about no series of numbers: there is nothing to draw"


def explain(
    alert: AlertArgument,
    *,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the plot to a file as well.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON object.")] = False,
    config: ConfigOption = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Show an alert's story, its causes and source records, and draw its series with what was expected.

    The band is worked out anew from the samples that Kafka still holds. Nothing is joined or committed.
    """
    settings = load(config, overrides(bootstrap_servers))
    story = find_story(settings, alert)
    evidence = _evidence(settings, story)
    if svg is not None:
        _write(svg, story, evidence)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(explanation.plain(story, evidence)) + b"\n")
        return
    console = console_for_people()
    width = console.width - _INDENT if console.is_terminal else _PLOT_WIDTH_PIPED
    console.print(explanation.text(story, evidence, width))


def _evidence(config: Config, story: Story) -> Evidence:
    latest = story.latest
    if not has_samples(latest):
        return nothing(story.alerts, _UNDRAWN)
    settings, watch = config.settings(), watch_of(latest)
    shard = shard_of(canonical_labels(latest.series.labels), settings.shards)
    samples = Retained(librdkafka_properties(config, "consumer"), config.samples_topic, shard)
    with reading("reading samples", [samples]) as (records,):
        fold(settings, shard, watch, records)
    return around(story.alerts, watch.seen)


def _write(path: Path, story: Story, evidence: Evidence) -> None:
    if not evidence.samples:
        typer.echo(f"{path} is not written: {evidence.notes[-1]}", err=True)
        return
    try:
        path.write_text(drawing([drawn(story.alerts, evidence)]), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", Exit.USAGE) from None
