"""Plots: a series around an alert or an incident, as SVG that stands by itself in a page."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

import numpy as np

from detectors.wording import amount_text, time_text
from stream.trial.samples import Points

WIDTH: Final = 900
HEIGHT: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 90, 10, 26, 24
POINTS_MAX: Final = 1_500


class Shade(NamedTuple):
    """A span of time that is marked: `incident` behind the plot; `now` and `before` are strips of alerts above it."""

    kind: str
    from_ms: int
    to_ms: int


class Plot(NamedTuple):
    """What is drawn. `limits` are expected, lower and upper value as an alert said them."""

    points: Points
    unit: str
    from_ms: int
    to_ms: int
    shades: Sequence[Shade]
    limits: tuple[float | None, float | None, float | None] = (None, None, None)


class _Scale(NamedTuple):
    from_ms: int
    per_ms: float
    least: float
    per_unit: float

    def x(self, time_ms: float) -> float:
        return min(max(LEFT + (time_ms - self.from_ms) * self.per_ms, LEFT), WIDTH - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.least) * self.per_unit


def svg(plot: Plot) -> str:
    """The plot; a series without numbers has its shades alone."""
    during = (plot.points.times_ms >= plot.from_ms) & (plot.points.times_ms <= plot.to_ms)
    points = _thinned(Points(plot.points.times_ms[during], plot.points.values[during]))
    scale = _scale(plot, points)
    parts = [*_shades(plot, scale), *_limits(plot, scale), *_line(points, scale), *_axes(plot, scale)]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def _thinned(points: Points) -> Points:
    """The least and the greatest of each of so many stretches, where there are more points than can be seen."""
    if len(points.values) <= POINTS_MAX:
        return points
    stretches = np.array_split(np.arange(len(points.values)), POINTS_MAX // 2)
    chosen = sorted({int(it[side(points.values[it])]) for it in stretches for side in (np.argmin, np.argmax)})
    return Points(points.times_ms[chosen], points.values[chosen])


def _scale(plot: Plot, points: Points) -> _Scale:
    known = [float(it) for it in points.values if math.isfinite(it)]
    known += [it for it in plot.limits if it is not None and math.isfinite(it)]
    least, greatest = (min(known), max(known)) if known else (0.0, 1.0)
    margin = 0.06 * (greatest - least) or abs(greatest) or 1.0
    least, greatest = least - margin, greatest + margin
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    return _Scale(plot.from_ms, width / max(plot.to_ms - plot.from_ms, 1), least, height / (greatest - least))


def _shades(plot: Plot, scale: _Scale) -> Iterator[str]:
    places = {"incident": (TOP, HEIGHT - TOP - BOTTOM), "now": (4, 8), "before": (14, 8)}
    for kind, from_ms, to_ms in plot.shades:
        x, (y, height) = scale.x(from_ms), places[kind]
        width = max(scale.x(to_ms) - x, 3)
        said = f"{kind}: {time_text(from_ms)} to {time_text(to_ms)}"
        yield f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}">'
        yield f"<title>{escape(said)}</title></rect>"


def _limits(plot: Plot, scale: _Scale) -> Iterator[str]:
    spans = [it for it in plot.shades if it.kind in ("now", "before")]
    if not spans:
        return
    from_ms, to_ms = min(it.from_ms for it in spans), max(it.to_ms for it in spans)
    from_x, to_x = scale.x(from_ms) - 12, scale.x(to_ms) + 12
    for kind, value in zip(("expected", "limit", "limit"), plot.limits, strict=True):
        if value is not None and math.isfinite(value):
            y = scale.y(value)
            yield f'<path class="{kind}" d="M{from_x:.1f} {y:.1f}H{to_x:.1f}"/>'


def _line(points: Points, scale: _Scale) -> Iterator[str]:
    if not len(points.values):
        yield f'<text class="none" x="{LEFT + 8}" y="{HEIGHT // 2}">this series has no numbers to draw</text>'
        return
    places = [
        (scale.x(t), scale.y(v))
        for t, v in zip(points.times_ms.tolist(), points.values.tolist(), strict=True)
    ]
    yield f'<path class="line" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>'
    if len(places) <= POINTS_MAX // 5:
        yield from (f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="1.8"/>' for x, y in places)


def _axes(plot: Plot, scale: _Scale) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}"/>'
    for share in (0.0, 0.5, 1.0):
        value = scale.least + share * (bottom - TOP) / scale.per_unit
        said = escape(amount_text(value, plot.unit))
        yield f'<text class="y" x="{LEFT - 6}" y="{scale.y(value) + 4:.1f}">{said}</text>'
        time_ms = plot.from_ms + share * (plot.to_ms - plot.from_ms)
        anchor = ("start", "middle", "end")[round(share * 2)]
        when = time_text(int(time_ms))[:16].replace("T", " ")
        yield f'<text x="{scale.x(time_ms):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{when}</text>'
