"""`streamgauge backtest`: what the detectors would have said of recorded records."""

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from detectors.alerts import encode
from stream.backtest import Backtest, read_lines, survey
from stream.commands.options import ConfigOption
from stream.config import Config, load
from stream.exits import Exit, Refused
from stream.ingest import Ingest
from stream.wiring import schemas_of


def backtest(
    events: Annotated[Path, typer.Argument(help="Recorded records, one a line; - reads standard input.")],
    config: ConfigOption = None,
) -> None:
    """Run recorded records through the detectors; alert events leave as JSON, one a line.

    A line is a Kafka value, or {"topic": …, "key": …, "value": …, "timestamp": ms, "headers": {…}} with key, value
    and headers as strings.
    Records that cannot be read are reported on standard error, and a summary ends the run.
    """
    settings = load(config)
    with _recording(events) as recording:
        _run(settings, recording)


def _run(config: Config, recording: IO[bytes]) -> None:
    formats = {source.topic: source.format for source in config.sources}
    contents = survey(read_lines(recording, formats), formats)
    recording.seek(0)
    partitions = Counter(place.topic for place in contents.places)
    settings = config.settings()
    ingest = Ingest(
        contents.formats | {source.topic: source.reading for source in config.sources},
        settings.shards,
        partitions,
        config.limits_for_ingest(),
        settings.allowed_skew_ms,
        schemas_of(config),
    )
    test = Backtest(settings, ingest, contents.places, int(time.time() * 1000))
    states: Counter[str] = Counter()
    for alert in test.run(read_lines(recording, formats)):
        states[alert.state] += 1
        sys.stdout.buffer.write(encode(alert) + b"\n")
        _report(test)
    sys.stdout.buffer.flush()
    _report(test)
    typer.echo(_summary(test, states), err=True)


@contextmanager
def _recording(path: Path) -> Iterator[IO[bytes]]:
    """The file, or standard input as a file that can be read twice."""
    if str(path) != "-":
        try:
            with path.open("rb") as file:
                yield file
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}", Exit.DATA) from None
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy


def _report(test: Backtest) -> None:
    for letter in test.dead_letters:
        said = {name: value.decode() for name, value in letter.headers}
        typer.echo(
            f"dead-letter {said['topic']}[{said['partition']}]@{said['offset']} {said['reason']}: {said['detail']}",
            err=True,
        )
    test.dead_letters.clear()


def _summary(test: Backtest, states: Counter[str]) -> str:
    counts, gauges = test.counts, test.gauges()
    records = sum(count for (name, *_), count in counts.items() if name == "records")
    dead = sum(count for (name, *_), count in counts.items() if name == "dead_letters")
    muted = sum(count for (name, *_), count in counts.items() if name == "muted")
    late = sum(count for (name, *_), count in counts.items() if name == "late")
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    return (
        f"backtest: {records:,} records ({dead:,} dead-lettered, {late:,} late rows), {gauges['series']:,.0f} series,"
        f" {states.total():,} alerts ({told}), {gauges['episodes']:,.0f} still open,"
        f" {muted:,} muted by the fleet's ceiling"
    )
