"""Reading one numeric series from CSV: a column of times and a column of values, with errors that name the place."""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

from stream.exits import Exit, Refused

MILLISECONDS_FROM = 1e11
"""A number from here on is a time in milliseconds (from 1973 on), below it one in seconds (up to the year 5138)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_9999_MS = 253_402_300_800_000
_MISSING = frozenset({"", "null", "none", "na", "n/a"})
_SHOWN_MAX = 60


class Row(NamedTuple):
    """One row: the time as written and as epoch milliseconds, the value as written and as a number, NaN if missing."""

    time_text: str
    time_ms: int
    value_text: str
    value: float


class SeriesCsv:
    """The rows of a CSV file with a header; columns beyond the two are passed over.

    Times are ISO 8601 or `YYYY-MM-DD HH:MM:SS` (UTC unless they say otherwise), or epoch seconds or milliseconds. An
    empty value, NaN, null, or an infinite one is a missing value.

    Raises:
        Refused: the file is empty, lacks a column, or has a row that cannot be read; the message says where.
    """

    def __init__(self, lines: TextIO, name: str, time_column: str, value_column: str) -> None:
        self._name = name
        self._time_column, self._value_column = time_column, value_column
        self._reader = csv.reader(lines, strict=True)
        header = [column.strip() for column in next(self._records(), [])]
        if not header:
            raise Refused(
                f"{name}: the file is empty; expected a header line with the column names", Exit.DATA
            )
        self._time_at = self._place("--time", time_column, header)
        self._value_at = self._place("--value", value_column, header)

    def __iter__(self) -> Iterator[Row]:
        time_at, value_at = self._time_at, self._value_at
        for record in self._records():
            try:
                time_text = record[time_at]
            except IndexError:
                raise self._bad(self._time_column, f"is missing: the row has {len(record)} columns") from None
            value_text = record[value_at].strip() if value_at < len(record) else ""
            yield Row(time_text, self._time_ms(time_text), value_text, self._value(value_text))

    def _records(self) -> Iterator[list[str]]:
        try:
            for record in self._reader:
                if record:
                    yield record
        except csv.Error as error:
            raise Refused(
                f"{self._name}:{self._reader.line_num}: not readable as CSV: {error}", Exit.DATA
            ) from None
        except UnicodeDecodeError as error:
            raise Refused(
                f"{self._name}: after line {self._reader.line_num}: not UTF-8 text (byte 0x{error.object[error.start]:02x})",
                Exit.DATA,
            ) from None

    def _place(self, option: str, column: str, header: list[str]) -> int:
        if column not in header:
            raise Refused(
                f"{self._name}:1: no column {_shown(column)}; name it with {option}, the columns are: "
                + ", ".join(_shown(known) for known in header),
                Exit.DATA,
            )
        return header.index(column)

    def _time_ms(self, text: str) -> int:
        try:
            if "-" in text or ":" in text or "T" in text:
                time = datetime.fromisoformat(text.strip())
                since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
                return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
            number = _number(text)
            time_ms = math.floor(number if abs(number) >= MILLISECONDS_FROM else number * 1000)
        except (ValueError, OverflowError):
            time_ms = _YEAR_9999_MS
        if abs(time_ms) >= _YEAR_9999_MS:
            raise self._bad(
                self._time_column,
                f"is {_shown(text)}; expected a time such as 2024-05-01T12:00:00Z, 2024-05-01 12:00:00 (UTC), "
                "or epoch seconds or milliseconds",
            )
        return time_ms

    def _value(self, text: str) -> float:
        try:
            number = _number(text)
        except ValueError:
            if text.lower() in _MISSING:
                return math.nan
            raise self._bad(self._value_column, f"is {_shown(text)}; expected a number, or nothing") from None
        return number if math.isfinite(number) else math.nan

    def _bad(self, column: str, problem: str) -> Refused:
        return Refused(f"{self._name}:{self._reader.line_num}: column {_shown(column)} {problem}", Exit.DATA)


def _number(text: str) -> float:
    """A number in the usual notation; `float` alone would let 1_000 pass."""
    return float(text.replace("_", "x"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
