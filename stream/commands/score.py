"""`streamgauge score`: what the numeric detector would have said of one series, sample by sample."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TextIO

import typer

from detectors.settings import UTC, SeriesSettings
from stream.config.tuning import VOLUME_MAX
from stream.config.units import parse_persistence, parse_time_zone
from stream.exits import Exit, Refused
from stream.series_csv import Row, SeriesCsv

if TYPE_CHECKING:
    from detectors.numeric import Judgement, NumericBank

HEADER = ("time", "value", "expected", "lower", "upper", "score", "alert", "firing")
_DEFAULTS = SeriesSettings()


class ScoredSignal(StrEnum):
    """Signals that a CSV of numbers can hold."""

    VALUE = "value"
    LATENCY = "latency"
    VOLUME = "volume"


class Scored(NamedTuple):
    """A row with what the detector said before it knew the row; no judgement where the value is missing."""

    row: Row
    judgement: "Judgement | None"
    alert: bool
    firing: bool


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """The check of an option that `parse` can read."""

    def check(written: str) -> str:
        try:
            parse(written)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        return written

    return check


def score(
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="The series, with a header line; - reads stdin.")
    ],
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="Column of the times.")] = "timestamp",
    value: Annotated[str, typer.Option("--value", metavar="COLUMN", help="Column of the values.")] = "value",
    signal: Annotated[
        ScoredSignal,
        typer.Option("--signal", help="What is measured: any value, or the duration or size of single runs."),
    ] = ScoredSignal.VALUE,
    time_zone: Annotated[
        str,
        typer.Option(
            "--time-zone",
            metavar="NAME",
            callback=_checked(parse_time_zone),
            help="IANA zone whose clock the routines of the series follow.",
        ),
    ] = UTC,
    min_volume: Annotated[
        float,
        typer.Option(
            "--min-volume",
            metavar="N",
            min=0,
            max=VOLUME_MAX,
            help="Values below it are ordinary if expected there.",
        ),
    ] = 0.0,
    persistence: Annotated[
        str,
        typer.Option(
            "--persistence",
            metavar="TEXT",
            callback=_checked(parse_persistence),
            help="Of how many samples how many must cross their limits, such as '2 of 3'.",
        ),
    ] = "1 of 1",
) -> None:
    """Run one numeric series through the default detector, strictly online, and print a CSV row for each row.

    Columns: time, value, expected, lower, upper, score, alert, firing. alert is 1 where a notification would go out,
    firing is 1 while an episode is open. Times are ISO 8601 or epoch seconds or milliseconds; without a zone, UTC.
    """
    settings = SeriesSettings(
        min_volume=min_volume, persistence=parse_persistence(persistence), time_zone=time_zone
    )
    try:
        with _lines(file) as lines:
            series = SeriesCsv(lines, "<stdin>" if file == "-" else file, time, value)
            _write(judged(series, signal, settings), flush_each=file == "-")
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def _write(rows: Iterable[Scored], *, flush_each: bool) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(HEADER)
    for scored in rows:
        out.writerow(_cells(scored))
        if flush_each:
            sys.stdout.flush()
    sys.stdout.flush()


def judged(
    rows: Iterable[Row], signal: ScoredSignal, settings: SeriesSettings = _DEFAULTS
) -> Iterator[Scored]:
    """Judge the rows of one series one after the other, each before it is learned."""
    from detectors.episodes import Episode, Transition  # noqa: PLC0415 - numba loads slowly; other commands need it not

    bank, slot = _bank_for(signal, settings)
    episode = Episode()
    for row in rows:
        if isnan(row.value):
            yield Scored(row, None, alert=False, firing=episode.firing)
            continue
        judgement = bank.judge(slot, row.time_ms, row.value)
        transition = episode.advance(row.time_ms, judgement.anomalous, judgement.score)
        alert = transition is Transition.OPENED or transition is Transition.WORSENED
        yield Scored(row, judgement, alert=alert, firing=episode.firing)


def _bank_for(signal: ScoredSignal, settings: SeriesSettings) -> "tuple[NumericBank, int]":
    from detectors.numeric import Direction, Kind, NumericBank  # noqa: PLC0415 - as above

    bank = NumericBank()
    kind = Kind.VALUES if signal is ScoredSignal.VALUE else Kind.RUNS
    direction = Direction.UP if signal is ScoredSignal.LATENCY else Direction.BOTH
    return bank, bank.add(
        kind,
        direction=direction,
        min_volume=settings.min_volume,
        persistence=settings.persistence,
        time_zone=settings.time_zone,
    )


@contextmanager
def _lines(file: str) -> Iterator[TextIO]:
    if file == "-":
        yield TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        return
    try:
        lines = Path(file).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - only opening may be refused here
    except OSError as error:
        raise Refused(f"{file}: {error.strerror or error}", Exit.DATA) from None
    with lines:
        yield lines


def _cells(scored: Scored) -> tuple[str | int, ...]:
    row, judgement = scored.row, scored.judgement
    flags = int(scored.alert), int(scored.firing)
    if judgement is None:
        return row.time_text, row.value_text, "", "", "", "", *flags
    numbers = (judgement.expected, judgement.lower, judgement.upper, judgement.score)
    return row.time_text, row.value_text, *map(_cell, numbers), *flags


def _cell(number: float) -> str:
    return "" if isnan(number) else f"{number:.10g}"
