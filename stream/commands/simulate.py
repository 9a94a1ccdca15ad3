"""`streamgauge simulate`: the benchmark of pipeline faults, written to a directory."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import typer
import yaml

from stream.exits import Exit, Refused
from stream.simulate.incidents import Kind
from stream.simulate.recording import FAULTS_PER_WEEK, Recording, Request, record, span

EVENTS, INCIDENTS, PLATFORM = "events.ndjson", "incidents.yaml", "platform.yaml"
END = "2025-11-10T00:00:00Z"
DAYS_MAX = 3_660
END_MS_MAX = 253_370_764_800_000
"""9999-01-01T00:00:00Z"""
T = TypeVar("T")


def simulate(  # noqa: PLR0913 - the options of a command
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Directory to write to; made if missing.", show_default=False
        ),
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 1,
    pipelines: Annotated[int, typer.Option("--pipelines", min=1, help="How many pipelines.")] = 200,
    days: Annotated[int, typer.Option("--days", min=1, max=DAYS_MAX, help="How many days.")] = 60,
    end: Annotated[
        str, typer.Option("--end", metavar="TIME", help="RFC 3339 time at which the recording ends.")
    ] = END,
    faults: Annotated[
        str, typer.Option("--faults", metavar="KINDS", help="all, none, or kinds separated by commas.")
    ] = "all",
    faults_per_week: Annotated[
        float,
        typer.Option(
            "--faults-per-week", min=0, max=10, help="Faults of one pipeline in a week, on average."
        ),
    ] = FAULTS_PER_WEEK,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="One IANA zone for all pipelines instead of several.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a directory that is not empty.")] = False,
) -> None:
    """Simulate a data platform with labelled faults: a benchmark for detectors, the same bytes for the same seed.

    Writes events.ndjson (records in the order of their publication, for `streamgauge backtest`), incidents.yaml (what was
    done to which pipeline, from when to when, and the signals that can show it) and platform.yaml (what each pipeline is).
    A pipeline has no fault in its first two weeks.

    Kinds of faults: late_run, missing_run, stuck_run, slow_drift, sudden_slowdown, partial_load, duplicate_load, backfill,
    null_burst, unit_flip, clock_skew, failure_burst, level_shift, schema_change.
    """
    from_ms, to_ms = span(_time(end), days)
    if from_ms <= 0 or to_ms > END_MS_MAX:
        raise Refused(f"--end: {days} days up to {end} do not lie between 1970 and 9999", Exit.USAGE)
    request = Request(seed, pipelines, from_ms, to_ms, _kinds(faults), faults_per_week, _zone(timezone))
    _prepare(out, force=force)
    typer.echo(f"simulating {pipelines:,} pipelines over {days:,} days", err=True)
    recording = record(request, lambda platform: _shown(platform, pipelines, "pipelines"))
    written = _write(recording, out, days)
    typer.echo(f"{out}: {written:,} records, {len(recording.labels):,} incidents", err=True)


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"--end: {text!r} is no RFC 3339 time, such as {END}", Exit.USAGE) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000


def _kinds(text: str) -> tuple[Kind, ...]:
    if text in ("all", "none"):
        return tuple(Kind) if text == "all" else ()
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in set(Kind)]
    if unknown:
        raise Refused(f"--faults: no kind {unknown[0]!r}; there are all, none, {', '.join(Kind)}", Exit.USAGE)
    return tuple(kind for kind in Kind if kind in names)


def _zone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise Refused(f"--timezone: no zone {name!r}; IANA names such as Europe/Berlin are meant", Exit.USAGE)
    return ZoneInfo(name).key if name else None


def _prepare(out: Path, *, force: bool) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        filled = any(out.iterdir())
    except OSError as error:
        raise Refused(f"{out}: {error.strerror}", Exit.USAGE) from None
    if filled and not force:
        raise Refused(f"{out} is not empty; --force writes into it all the same", Exit.USAGE)


def _write(recording: Recording, out: Path, days: int) -> int:
    """The three files; the events under another name until they are complete."""
    partial, count = out / f"{EVENTS}.partial", 0
    try:
        with partial.open("wb") as file:
            for day in _shown(recording.days(), days, "days"):
                file.writelines(sent.line() for sent in day)
                count += len(day)
        partial.replace(out / EVENTS)
        _write_yaml(out / INCIDENTS, recording.incidents())
        _write_yaml(out / PLATFORM, recording.platform())
    except OSError as error:
        raise Refused(f"{error.filename or out}: {error.strerror}", Exit.DATA) from None
    finally:
        partial.unlink(missing_ok=True)
    return count


def _shown(items: Iterable[T], count: int, what: str) -> Iterator[T]:
    """With a bar on a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    with typer.progressbar(items, length=count, label=f"{what:>9}", file=sys.stderr) as shown:
        yield from shown


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110), "utf-8")
