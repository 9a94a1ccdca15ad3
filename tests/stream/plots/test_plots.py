"""Plots: the same picture for the same numbers, in SVG and in a terminal, whatever the numbers and names."""

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.plots.drawn import Drawn, ticks
from stream.plots.svg import drawing
from stream.plots.terminal import GUTTER, HEIGHT, WIDTH_MIN, plot

HOUR_MS = 3_600_000
START_MS = 1_780_272_000_000
NAN = math.nan


def drawn(values: list[float], *, lower: float = 80.0, upper: float = 120.0, title: str = "a < b") -> Drawn:
    times = START_MS + np.arange(len(values), dtype=np.int64) * HOUR_MS
    flat = np.ones(len(values))
    incident = START_MS + 4 * HOUR_MS, START_MS + 6 * HOUR_MS
    shown_ms = START_MS, START_MS + 8 * HOUR_MS
    return Drawn(
        title,
        times,
        np.array(values, np.float64),
        flat * 100,
        flat * lower,
        flat * upper,
        [incident],
        [incident[0]],
        "ms",
        shown_ms,
    )


VALUES = [100.0, 104.0, 97.0, 101.0, 400.0, 390.0, 102.0, 99.0, 100.0]


def test_a_terminal_shows_values_band_alert_and_incident():
    lines = [line.plain.rstrip() for line in plot(drawn(VALUES), WIDTH_MIN)]
    assert lines == PICTURE.strip("\n").splitlines()


PICTURE = """
                         ▼
   406 ms │              ⢀
          │                  ⠁
          │
          │
          │
          │
   261 ms │
          │
          │
          │
          │
          │
          │░░░⢀░░░░░░░░░░░░░░░░░░░░░░░░░
  90.9 ms │⠁░░░░░░⠂░░⠈░░░░░░░░░░⠈░░░⠁░░⠈
          └─────────────────────────────
                         ▀▀▀▀▀▀▀▀
           06-01                06:00
"""


def test_the_svg_is_as_it_was():
    assert drawing([drawn(VALUES[:5])]) == SVG.lstrip("\n")


SVG = """
<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1000 220' width='1000' height='220' font-family='system-ui, sans-serif'>
<rect width='1000' height='220' fill='#fff'/>
<g transform='translate(0 0)'>
<text x='100' y='20' font-size='14' font-weight='600' fill='#212529'>a &lt; b</text>
<rect x='544.0' y='34' width='222.0' height='160' fill='#ffe3e3'>
<title>incident: 2026-06-01T04:00:00.000Z to 2026-06-01T06:00:00.000Z</title></rect>
<path d='M100 174.6L211 174.6L322 174.6L433 174.6L544 174.6L544 193.4L433 193.4L322 193.4L211 193.4L100 193.4z' fill='#96f2d7' fill-opacity='.6'/>
<path d='M100 184.0L211 184.0L322 184.0L433 184.0L544 184.0' fill='none' stroke='#0ca678' stroke-width='1'/>
<path d='M100 184.0L211 182.1L322 185.4L433 183.5L544 42.6' fill='none' stroke='#364fc7' stroke-width='1'/>
<circle cx='100.0' cy='184.0' r='2' fill='#364fc7'/>
<circle cx='211.0' cy='182.1' r='2' fill='#364fc7'/>
<circle cx='322.0' cy='185.4' r='2' fill='#364fc7'/>
<circle cx='433.0' cy='183.5' r='2' fill='#364fc7'/>
<circle cx='544.0' cy='42.6' r='2' fill='#364fc7'/>
<path d='M544.0 32l-5 -8h10z' fill='#e03131'/>
<path d='M100 34V194H988' fill='none' stroke='#adb5bd'/>
<text x='94' y='190.0' font-size='11' text-anchor='end' fill='#212529'>95.8 ms</text>
<text x='94' y='118.0' font-size='11' text-anchor='end' fill='#212529'>248 ms</text>
<text x='94' y='46.0' font-size='11' text-anchor='end' fill='#212529'>401 ms</text>
<text x='100.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>06-01</text>
<text x='211.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>01:00</text>
<text x='322.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>02:00</text>
<text x='433.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>03:00</text>
<text x='544.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>04:00</text>
<text x='655.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>05:00</text>
<text x='766.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>06:00</text>
<text x='877.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>07:00</text>
<text x='988.0' y='211' font-size='11' text-anchor='middle' fill='#212529'>08:00</text>
</g>
</svg>
"""


numbers = st.lists(st.floats(width=32) | st.just(NAN), max_size=30)


@given(numbers, st.floats(), st.floats(), st.text(), st.integers(0, 200))
@example([NAN], 0.0, 1.5e307, "", 0)
def test_no_numbers_and_no_title_break_a_plot(
    values: list[float], lower: float, upper: float, title: str, width: int
):
    it = drawn(values, lower=lower, upper=upper, title=title.replace("\x00", ""))
    lines = plot(it, width)
    assert len(lines) == HEIGHT + 4
    assert max(len(line.plain) for line in lines) <= max(width, WIDTH_MIN)
    assert all(len(line.plain) >= GUTTER for line in lines)
    assert "nan" not in drawing([it._replace(title="x")])


def test_a_label_is_no_markup():
    root = ET.fromstring(drawing([drawn(VALUES, title="<script>&")]))  # noqa: S314  our own picture
    assert "<script>&" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("span_ms", "labels"),
    [
        (3 * HOUR_MS, ["06-01", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00"]),
        (10 * 60_000, ["06-01", *(f"00:0{minute}" for minute in range(1, 10)), "00:10"]),
        (70 * 24 * HOUR_MS, ["06-01", "06-06", "06-11", "06-16", "06-21", "06-26", "07-01"]),
    ],
)
def test_ticks_are_round_times_and_few(span_ms: int, labels: list[str]):
    found = list(ticks(START_MS, START_MS + span_ms, 14))
    assert [label for _, label in found][: len(labels)] == labels
    assert len(found) <= 15
