"""Plots in a terminal: values as dots of Braille over the shaded band, alerts above it, and the incident under the axis.

It can be read without colours too: a value that lies outside the band stands on no shade.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from rich.text import Text

from stream.plots.drawn import Drawn, amount, ticks

HEIGHT: Final = 14
WIDTH_MIN: Final = 40
GUTTER: Final = 10
"""Columns for what the axis says."""
_TICK_COLUMNS: Final = 12
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a Braille character, by row and column."""
_BRAILLE: Final = 0x2800
_SHADE, _INCIDENT, _ALERT = "░", "▀", "▼"
_VALUE_STYLE, _OUTSIDE_STYLE, _SHADE_STYLE = "bold blue", "bold red", "green"


class _Cells(NamedTuple):
    """How values and times fall into cells; the first row is the greatest."""

    first_ms: int
    per_column_ms: float
    least: float
    per_row: float
    columns: int

    def column(self, time_ms: float, parts: int = 1) -> int:
        """Of a time; in parts of columns when there are several."""
        at = int((time_ms - self.first_ms) / self.per_column_ms * parts)
        return min(max(at, 0), self.columns * parts - 1)

    def row(self, value: float, parts: int = 1) -> int:
        """Of a value; in parts of rows when there are several."""
        below_top = HEIGHT * parts - (value - self.least) / self.per_row * parts
        return int(min(max(below_top, 0.0), HEIGHT * parts - 1))


def plot(it: Drawn, width: int) -> list[Text]:
    """The lines of a plot that is `width` columns wide, `WIDTH_MIN` at least."""
    cells = _cells(it, max(width, WIDTH_MIN) - GUTTER)
    return [
        _gutter("", _marks(_ALERT, it.alerts_ms, cells)),
        *_rows(it, cells),
        _gutter("", Text("└" + "─" * cells.columns)),
        _gutter("", _spans(it.incidents_ms, cells)),
        _gutter("", _ticks(it, cells)),
    ]


def _cells(it: Drawn, columns: int) -> _Cells:
    (first, last), (least, greatest) = it.span_ms, it.reach
    columns -= 1
    return _Cells(first, max(last - first, 1) / columns, least, (greatest - least) / HEIGHT, columns)


def _rows(it: Drawn, cells: _Cells) -> list[Text]:
    dots, shaded = _dotted(it, cells), _shaded(it, cells)
    said = {round(share * (HEIGHT - 1)): share for share in (0.0, 0.5, 1.0)}
    lines = []
    for row in range(HEIGHT):
        line = Text("│")
        for column in range(cells.columns):
            line.append(*_cell(int(dots[row, column]), bool(shaded[row, column])))
        value = cells.least + (HEIGHT - row - 0.5) * cells.per_row
        lines.append(_gutter(amount(value, it.unit) if row in said else "", line))
    return lines


def _cell(dots: int, shaded: bool) -> tuple[str, str]:
    if dots:
        return chr(_BRAILLE + dots), _VALUE_STYLE if shaded else _OUTSIDE_STYLE
    return (_SHADE, _SHADE_STYLE) if shaded else (" ", "")


def _dotted(it: Drawn, cells: _Cells) -> np.ndarray:
    """The dots of each cell as bits."""
    found = np.zeros((HEIGHT, cells.columns), np.int64)
    for time_ms, value in zip(it.times_ms.tolist(), it.values.tolist(), strict=True):
        if np.isfinite(value):
            x, y = cells.column(time_ms, 2), cells.row(value, 4)
            found[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    return found


def _shaded(it: Drawn, cells: _Cells) -> np.ndarray:
    """Which cells lie within the band: that of the next sample, and of the samples in a column the last one."""
    found = np.zeros((HEIGHT, cells.columns), np.bool_)
    if not len(it.times_ms):
        return found
    ends_ms = cells.first_ms + (np.arange(cells.columns) + 1) * cells.per_column_ms
    inside = np.searchsorted(it.times_ms, ends_ms) - 1
    begins_ms = cells.first_ms + np.arange(cells.columns) * cells.per_column_ms
    following = np.searchsorted(it.times_ms, begins_ms)
    samples = np.minimum(np.maximum(inside, following), len(it.times_ms) - 1)
    for column, sample in enumerate(samples.tolist()):
        lower, upper = float(it.lower[sample]), float(it.upper[sample])
        if np.isfinite(lower) or np.isfinite(upper):
            top = cells.row(upper) if np.isfinite(upper) else 0
            bottom = cells.row(lower) if np.isfinite(lower) else HEIGHT - 1
            found[top : bottom + 1, column] = True
    return found


def _marks(sign: str, times_ms: Sequence[int], cells: _Cells) -> Text:
    columns = {cells.column(time_ms) for time_ms in times_ms}
    line = "".join(sign if column in columns else " " for column in range(cells.columns))
    return Text(" " + line, "red")


def _spans(spans_ms: Sequence[tuple[int, int]], cells: _Cells) -> Text:
    columns: set[int] = set()
    for first_ms, last_ms in spans_ms:
        columns |= set(range(cells.column(first_ms), cells.column(last_ms) + 1))
    line = "".join(_INCIDENT if column in columns else " " for column in range(cells.columns))
    return Text(" " + line, "red")


def _ticks(it: Drawn, cells: _Cells) -> Text:
    line = [" "] * (cells.columns + 1)
    for time_ms, label in ticks(*it.span_ms, max(2, cells.columns // _TICK_COLUMNS)):
        at = 1 + cells.column(time_ms)
        if at + len(label) <= len(line):
            line[at : at + len(label)] = label
    return Text("".join(line))


def _gutter(said: str, line: Text) -> Text:
    return Text(said[: GUTTER - 1].rjust(GUTTER - 1), "dim").append(" ").append_text(line)
