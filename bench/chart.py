"""The chart: events a second of every contender as horizontal bars, with the least and greatest of the rounds."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from bench.figures import Summary

WIDTH: Final = 960
LABELS: Final = 310
NUMBERS: Final = 80
ROW: Final = 28
BAR: Final = 16
TOP: Final = 74
COLOURS: Final = {"own": "#d9480f", "state": "#4263eb", "bare": "#adb5bd"}
LEGEND: Final = (
    ("own", "Streamgauge"),
    ("state", "keeps state for each series"),
    ("bare", "client or loop without state"),
)
FONT: Final = "font-family='system-ui, sans-serif'"


class Bar(NamedTuple):
    """One contender: its name, its rates, and one of the kinds of the legend."""

    title: str
    rates: Summary
    kind: str


def chart(title: str, bars: Sequence[Bar]) -> str:
    """An SVG picture of the bars, fastest first."""
    ordered = sorted(bars, key=lambda bar: -bar.rates.median)
    height = TOP + ROW * len(ordered) + 14
    greatest = max((bar.rates.greatest for bar in ordered), default=1.0)
    scale = (WIDTH - LABELS - NUMBERS) / greatest
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' {FONT}>",
        f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>",
        f"<text x='16' y='28' font-size='17' font-weight='600' fill='#212529'>{escape(title)}</text>",
        *_legend(),
        *(_row(bar, TOP + ROW * number, scale) for number, bar in enumerate(ordered)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend() -> list[str]:
    parts, x = [], 16
    for kind, words in LEGEND:
        parts.append(f"<rect x='{x}' y='43' width='12' height='12' fill='{COLOURS[kind]}'/>")
        parts.append(f"<text x='{x + 18}' y='53' font-size='13' fill='#495057'>{words}</text>")
        x += 44 + int(6.6 * len(words))
    return parts


def _row(bar: Bar, y: int, scale: float) -> str:
    middle = y + ROW // 2
    end, least, greatest = (LABELS + rate * scale for rate in bar.rates)
    text = f"y='{middle + 5}' font-size='13' fill='#212529'" + " font-weight='600'" * (bar.kind == "own")
    colour = COLOURS[bar.kind]
    whisker = f"M{least:.1f} {middle}H{greatest:.1f}M{least:.1f} {middle - 4}v8M{greatest:.1f} {middle - 4}v8"
    parts = [
        f"<text x='{LABELS - 10}' text-anchor='end' {text}>{escape(bar.title)}</text>",
        f"<rect x='{LABELS}' y='{middle - BAR // 2}' width='{end - LABELS:.1f}' height='{BAR}' fill='{colour}'/>",
        f"<path d='{whisker}' stroke='#212529' fill='none'/>",
        f"<text x='{max(end, greatest) + 8:.1f}' {text}>{thousands(bar.rates.median)}</text>",
    ]
    return "\n".join(parts)


def thousands(rate: float) -> str:
    """A rate as people say it: `2.8 k`, `327 k`, `1.31 M`."""
    if rate >= 999_500:
        return f"{rate / 1e6:.2f} M"
    return f"{rate / 1e3:.0f} k" if rate >= 9_950 else f"{rate / 1e3:.1f} k"
