"""`streamgauge backtest`: what the detectors would have said of history, and what a change of the configuration would change."""

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from detectors.alerts import encode
from stream.commands.consoles import console_for_people, progress
from stream.commands.options import BootstrapServersOption, ConfigOption, overrides
from stream.config import Config, load
from stream.exits import Exit, Refused
from stream.trial.conditions import parse_condition
from stream.trial.history import FORM, parse_since
from stream.trial.labels import read_labels
from stream.trial.page import page, series_of
from stream.trial.recordings import FileRecording, KafkaRecording, Recording, reading_of
from stream.trial.report import Judged, report
from stream.trial.running import Trial, try_out
from stream.trial.samples import Samples
from stream.trial.text import markdown, rich_text

"""The width of tables that go to no terminal: nothing is cut."""


class Form(StrEnum):
    """What is printed."""

    ALERTS = "alerts"
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


EventsArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Recorded records, one a line; - reads standard input.", metavar="FILE", show_default=False
    ),
]
FromOption = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="TOPIC@-30d", help=f"History in Kafka: {FORM}. May be repeated."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="What really happened, as YAML: match, from, to, kind."),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written.")
]


def backtest(  # noqa: PLR0913  each is an option
    events: EventsArgument = None,
    *,
    since: FromOption = None,
    config: ConfigOption = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="The configuration to compare with.")
    ] = None,
    labels: LabelsOption = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="alerts unless --against or --labels is given, else table."),
    ] = None,
    output: OutputOption = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="CONDITION",
            help="End with exit code 8 on: new, gone, recall<0.9, false-alarms>2, alerts>5 (a week). May be repeated.",
        ),
    ] = None,
    bootstrap_servers: BootstrapServersOption = None,
) -> None:
    """Run history through the detectors: what they would have said, or what a change would change.

    History is a file of records or what Kafka retains. A line of a file is a Kafka value, or {"topic": …, "key": …,
    "value": …, "timestamp": ms, "headers": {…}} with key, value and headers as strings.
    With --against, alerts are compared: kept, new, gone. With --labels, recall, delay and false alarms are told.
    """
    files = [config, against] if against else [config]
    configs = [load(file, overrides(bootstrap_servers)) for file in files]
    happened = read_labels(labels) if labels else None
    given = {"labels": happened is not None, "against": against is not None}
    conditions = [parse_condition(text, **given) for text in fail_on or ()]
    form = form or (Form.TABLE if against or labels or conditions else Form.ALERTS)
    with recording_of(events, since or [], configs) as recording:
        trial = _tried(configs, recording)
        if form is Form.ALERTS:
            write("".join(encode(it).decode() + "\n" for it in trial.runs[0].alerts), output)
            typer.echo(_summary(trial), err=True)
            if not conditions:
                return
        judged = report(trial, [str(file or "the configuration") for file in files], happened)
        if form is not Form.ALERTS:
            _print(judged, form, output, lambda: _samples(judged, configs[0], recording))
    met = [it.sentence(judged.report) for it in conditions if it.holds(judged.report)]
    if met:
        raise Refused("\n".join(met), Exit.CONDITION)


def _tried(configs: Sequence[Config], recording: Recording) -> Trial:
    with progress("reading", recording.records) as seen:
        return try_out(configs, recording, seen, _dead_letter)


def _dead_letter(said: dict[str, str]) -> None:
    typer.echo(
        f"dead-letter {said['topic']}[{said['partition']}]@{said['offset']} {said['reason']}: {said['detail']}",
        err=True,
    )


def _samples(judged: Judged, config: Config, recording: Recording) -> Samples:
    """The numbers to be drawn: history is read once more."""
    drawn = series_of(judged)
    incidents = judged.labels.incidents if judged.labels else []
    samples = Samples(
        lambda it: it in drawn or any(each.concerns(it.signal, dict(it.labels)) for each in incidents)
    )
    reading = reading_of(config, recording, int(time.time() * 1000))
    with progress("drawing", recording.records) as seen:
        for stretch in recording.stretches():
            if stretch.place.topic in recording.formats(config):
                samples.add(reading.take(stretch))
            seen(0 if stretch.columns is None else len(stretch.columns.offsets))
    return samples


def _print(judged: Judged, form: Form, output: Path | None, samples: Callable[[], Samples]) -> None:
    match form:
        case Form.JSON:
            write(msgspec.json.format(msgspec.json.encode(judged.report), indent=1).decode() + "\n", output)
        case Form.MARKDOWN:
            write(markdown(judged.report) + "\n", output)
        case Form.HTML:
            write(page(judged, samples()), output)
        case _ if output is None:
            console_for_people().print(rich_text(judged.report))
        case _:
            with _opened(output) as file:
                console_for_people(file).print(rich_text(judged.report))


def write(text: str, output: Path | None) -> None:
    """To a file, or to standard output.

    Raises:
        Refused: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with _opened(output) as file:
        file.write(text)


@contextmanager
def _opened(output: Path) -> Iterator[IO[str]]:
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise Refused(f"--output {output}: {error.strerror}", Exit.USAGE) from None


@contextmanager
def recording_of(events: Path | None, since: Sequence[str], configs: Sequence[Config]) -> Iterator[Recording]:
    """What is to be read: a file, standard input as a file that can be read again, or Kafka.

    Raises:
        Refused: both are given, or neither; or it cannot be read.
    """
    if (events is None) == (not since):
        raise Refused("give either a FILE or --from TOPIC@-30d", Exit.USAGE)
    if since:
        now_ms = int(time.time() * 1000)
        yield KafkaRecording(configs, [parse_since(text, now_ms) for text in since])
    elif str(events) == "-":
        with tempfile.NamedTemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
            yield FileRecording(Path(copy.name), configs)
    elif events is not None:
        yield FileRecording(events, configs)


def _summary(trial: Trial) -> str:
    run = trial.runs[0]
    counts = run.counts

    def counted(wanted: str) -> int:
        return sum(count for (name, *_), count in counts.items() if name == wanted)

    states = Counter(it.state for it in run.alerts)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    return (
        f"backtest: {counted('records'):,} records ({counted('dead_letters'):,} dead-lettered, {counted('late'):,} late"
        f" rows), {run.gauges['series']:,.0f} series, {states.total():,} alerts ({told}),"
        f" {run.gauges['episodes']:,.0f} still open, {counted('muted'):,} muted by the fleet's ceiling"
    )
