"""Plots as SVG: the values over the band that was expected, what happened (shaded), and the alerts. It loads nothing."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from detectors.wording import time_text
from stream.plots.drawn import Drawn, Floats, Times, amount, ticks

WIDTH: Final = 1000
HEIGHT: Final = 220
LEFT: Final = 100
RIGHT: Final = 12
TOP: Final = 34
BOTTOM: Final = 26
PLOT: Final = WIDTH - LEFT - RIGHT
INK: Final = {
    "value": "#364fc7",
    "band": "#96f2d7",
    "expected": "#0ca678",
    "incident": "#ffe3e3",
    "alert": "#e03131",
    "false": "#868e96",
    "text": "#212529",
    "axis": "#adb5bd",
}
TICKS_MAX: Final = 14
DOTS_MAX: Final = 200
"""Values up to which each has a dot of its own."""


class _Scale(NamedTuple):
    first_ms: float
    per_ms: float
    least: float
    per_unit: float

    def x(self, time_ms: float) -> float:
        return LEFT + (time_ms - self.first_ms) * self.per_ms

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.least) * self.per_unit


def drawing(panels: Sequence[Drawn]) -> str:
    """An SVG with the panels one below the other."""
    height = HEIGHT * len(panels)
    size = f"viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} font-family='system-ui, sans-serif'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>",
    ]
    for number, panel in enumerate(panels):
        parts += [f"<g transform='translate(0 {HEIGHT * number})'>", *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(it: Drawn) -> Iterator[str]:
    scale = _scale(it)
    yield f"<text x='{LEFT}' y='20' font-size='14' font-weight='600' fill='{INK['text']}'>{escape(it.title)}</text>"
    yield from _incidents(it, scale)
    yield from _band(it, scale)
    yield from _values(it, scale)
    yield from _strips(it, scale)
    for time_ms in it.alerts_ms:
        inside = any(first <= time_ms <= last for first, last in it.incidents_ms)
        x = scale.x(time_ms)
        yield f"<path d='M{x:.1f} {TOP - 2}l-5 -8h10z' fill='{INK['alert' if inside else 'false']}'/>"
    yield from _axes(it, scale)


def _scale(it: Drawn) -> _Scale:
    (first, last), (least, greatest) = it.span_ms, it.reach
    return _Scale(first, PLOT / max(last - first, 1), least, (HEIGHT - TOP - BOTTOM) / (greatest - least))


def _incidents(it: Drawn, scale: _Scale) -> Iterator[str]:
    for first, last in it.incidents_ms:
        x, width = scale.x(first), max((last - first) * scale.per_ms, 2.0)
        tall = HEIGHT - TOP - BOTTOM
        yield f"<rect x='{x:.1f}' y='{TOP}' width='{width:.1f}' height='{tall}' fill='{INK['incident']}'>"
        yield f"{_tip('incident', first, last)}</rect>"


def _strips(it: Drawn, scale: _Scale) -> Iterator[str]:
    for first, last, before in it.strips:
        x, width = scale.x(first), max((last - first) * scale.per_ms, 3.0)
        y, ink = (TOP - 5, "false") if before else (TOP - 10, "alert")
        yield f"<rect x='{x:.1f}' y='{y}' width='{width:.1f}' height='4' fill='{INK[ink]}'>"
        yield f"{_tip('alert before' if before else 'alert', first, last)}</rect>"


def _tip(what: str, first_ms: int, last_ms: int) -> str:
    return f"<title>{what}: {escape(time_text(first_ms))} to {escape(time_text(last_ms))}</title>"


def _values(it: Drawn, scale: _Scale) -> Iterator[str]:
    places = _envelope(it.times_ms, it.values, scale)
    if not places:
        yield f"<text x='{LEFT + 8}' y='{HEIGHT // 2}' {_small('start')}>this series has no numbers to draw</text>"
        return
    yield _line(places, "value")
    if len(places) <= DOTS_MAX:
        yield from (f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2' fill='{INK['value']}'/>" for x, y in places)


def _band(it: Drawn, scale: _Scale) -> Iterator[str]:
    """Edges that lie outside the panel are drawn at its border; an open side is the border, too."""
    top, bottom = float(TOP), float(HEIGHT - BOTTOM)
    for places in _stretches(np.isfinite(it.lower) | np.isfinite(it.upper)):
        columns = _thinned(places)
        xs = [scale.x(float(it.times_ms[at])) for at in columns]
        uppers = [_within(scale.y(float(it.upper[at])), top, bottom, top) for at in columns]
        lowers = [_within(scale.y(float(it.lower[at])), top, bottom, bottom) for at in columns]
        outline = [*zip(xs, uppers, strict=True), *reversed(list(zip(xs, lowers, strict=True)))]
        yield f"<path d='{_path(outline)}z' fill='{INK['band']}' fill-opacity='.6'/>"
        middle = [_within(scale.y(float(it.expected[at])), top, bottom, bottom) for at in columns]
        yield _line(list(zip(xs, middle, strict=True)), "expected")


def _within(y: float, top: float, bottom: float, unknown: float) -> float:
    return unknown if math.isnan(y) else min(max(y, top), bottom)


def _stretches(known: np.ndarray) -> Iterator[np.ndarray]:
    places = np.flatnonzero(known)
    if len(places):
        yield from np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)


def _thinned(places: np.ndarray) -> list[int]:
    step = max(1, 2 * len(places) // PLOT)
    return [int(at) for at in places[::step]]


def _envelope(times_ms: Times, values: Floats, scale: _Scale) -> list[tuple[float, float]]:
    """The values, or of many in one column of pixels the first, least, greatest and last."""
    columns: dict[int, list[tuple[float, float]]] = {}
    for time_ms, value in zip(times_ms.tolist(), values.tolist(), strict=True):
        if math.isfinite(value):
            x = scale.x(time_ms)
            columns.setdefault(round(x), []).append((x, scale.y(value)))
    return [point for points in columns.values() for point in _outline(points)]


def _outline(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    extremes = {points[0], points[-1], min(points, key=lambda it: it[1]), max(points, key=lambda it: it[1])}
    return sorted(extremes)


def _line(points: Iterable[tuple[float, float]], ink: str) -> str:
    return f"<path d='{_path(points)}' fill='none' stroke='{INK[ink]}' stroke-width='1'/>"


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.1f}" for x, y in points)


def _axes(it: Drawn, scale: _Scale) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    yield f"<path d='M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}' fill='none' stroke='{INK['axis']}'/>"
    for share in (0.05, 0.5, 0.95):
        value = scale.least + share * (bottom - TOP) / scale.per_unit
        text = escape(amount(value, it.unit))
        yield f"<text x='{LEFT - 6}' y='{scale.y(value) + 4:.1f}' {_small('end')}>{text}</text>"
    for time_ms, label in ticks(*it.span_ms, TICKS_MAX):
        yield f"<text x='{scale.x(time_ms):.1f}' y='{HEIGHT - 9}' {_small('middle')}>{label}</text>"


def _small(anchor: str) -> str:
    return f"font-size='11' text-anchor='{anchor}' fill='{INK['text']}'"
