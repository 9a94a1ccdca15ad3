"""A report for people: tables for a terminal, and Markdown for a pull request."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from detectors.wording import duration_text
from stream.trial.compared import Compared
from stream.trial.report import Happened, Report, Told

ROWS_MAX: Final = 50
UNKNOWN: Final = "unknown"

Row = tuple[str, ...]


def rich_text(report: Report) -> Group:
    """Everything, for a terminal."""
    parts: list[Table | Text] = [Text(headline(report)), table("", *summary(report))]
    parts += [table(title, HEADER, rows) for title, rows in lists(report)]
    if report.incidents:
        parts.append(table(f"incidents ({len(report.incidents)})", *happened(report)))
    return Group(*parts)


def markdown(report: Report) -> str:
    """The same as GitHub-flavoured Markdown; lists are folded."""
    lines = [f"### Backtest\n\n{headline(report)}\n", *_rows(*summary(report)), ""]
    for title, rows in lists(report):
        lines += _folded(title, HEADER, rows)
    if report.incidents:
        lines += _folded(f"incidents ({len(report.incidents)})", *happened(report))
    return "\n".join(lines)


def compared_text(found: Compared, candidate: str) -> Group:
    """What a candidate's alerts differ in from the live ones, for a terminal."""
    headline = (
        f"{candidate}: {len(found.kept):,} alerts kept, {len(found.new):,} new, {len(found.gone):,} gone."
    )
    named = (("new", found.new), ("gone", found.gone), ("kept", found.kept))
    tables = [
        table(f"{title} ({len(told)})", HEADER, [_row(it) for it in told]) for title, told in named if told
    ]
    return Group(Text(headline), *tables)


def headline(report: Report) -> str:
    """What was read, and in one sentence what would change."""
    read = f"{report.records:,} records from {report.starts_at} to {report.ends_at}"
    if report.against is None:
        return f"{read}: {report.config.alerts:,} alerts."
    return f"{read}: {len(report.kept):,} alerts kept, {len(report.new):,} new, {len(report.gone):,} gone."


def summary(report: Report) -> tuple[Row, list[Row]]:
    """How each configuration did."""
    both = [it for it in (report.config, report.against) if it is not None]
    rows: list[Row] = [
        ("alerts", *(f"{it.alerts:,}" for it in both)),
        ("alerts a week", *(f"{it.alerts_a_week:.3g}" for it in both)),
    ]
    if report.config.false_alarms_a_week is not None:
        rows += [
            ("false alarms a week", *(_number(it.false_alarms_a_week) for it in both)),
            ("recall", *(UNKNOWN if it.recall is None else f"{it.recall:.0%}" for it in both)),
            ("median delay", *(_delay(it.delay_ms) for it in both)),
        ]
    rows += [
        ("series", *(f"{it.series:,}" for it in both)),
        ("dead letters", *(f"{it.dead_letters:,}" for it in both)),
    ]
    return ("", *(it.file for it in both)), rows


HEADER: Final[Row] = ("told at", "series", "what it says", "incident")


def lists(report: Report) -> Iterator[tuple[str, list[Row]]]:
    """The alerts that are new, gone and kept, those of most interest first."""
    against = report.against is not None
    named = [("new" if against else "alerts", report.new), ("gone", report.gone), ("kept", report.kept)]
    for title, told in named:
        if told:
            yield f"{title} ({len(told)})", [_row(it) for it in told]


def happened(report: Report) -> tuple[Row, list[Row]]:
    """What became of each incident."""
    header: Row = ("incident", "series", "starts at", "told after")
    compared = report.against is not None
    rows = [_of_incident(it, compared=compared) for it in report.incidents]
    return (*header, "before") if compared else header, rows


def _of_incident(it: Happened, *, compared: bool) -> Row:
    matched = ", ".join(f"{key}={value}" for key, value in it.match.items())
    missed = "expected" if it.expected else "not told"
    told = (missed if it.delay_ms is None else _delay(it.delay_ms),)
    before = (missed if it.delay_ms_before is None else _delay(it.delay_ms_before),) if compared else ()
    return (it.name, matched, it.starts_at, *told, *before)


def _row(it: Told) -> Row:
    return it.told_at, it.series, it.summary, it.incident or ""


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3g}"


def _delay(delay_ms: float | None) -> str:
    return UNKNOWN if delay_ms is None else duration_text(delay_ms)


def table(title: str, header: Row, rows: Sequence[Row], rest: str = "") -> Table:
    """A table of at most `ROWS_MAX` rows for a terminal; `rest` says where any more are."""
    table = Table(title=f"\n{title}" if title else None, title_justify="left", box=None, header_style="dim")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows[:ROWS_MAX]:
        table.add_row(*map(Text, row))
    if len(rows) > ROWS_MAX:
        table.add_row(f"… and {len(rows) - ROWS_MAX:,} more{rest}")
    return table


def _folded(title: str, header: Row, rows: Sequence[Row]) -> list[str]:
    more = [f"\n… and {len(rows) - ROWS_MAX:,} more"] if len(rows) > ROWS_MAX else []
    return [
        f"<details><summary>{title}</summary>\n",
        *_rows(header, rows[:ROWS_MAX]),
        *more,
        "\n</details>\n",
    ]


def _rows(header: Row, rows: Sequence[Row]) -> list[str]:
    rule = "|".join("---" for _ in header)
    return [_line(header), f"|{rule}|", *map(_line, rows)]


def _line(cells: Row) -> str:
    escaped = (
        cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
        for cell in cells
    )
    return f"| {' | '.join(escaped)} |"
