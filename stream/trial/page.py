"""The page: a report as one HTML file with a plot for each alert and incident. It loads nothing and runs no script."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import numpy as np

from detectors.series import canonical_labels
from stream.plots.drawn import Drawn, Strip
from stream.plots.svg import drawing
from stream.trial.episodes import Episode
from stream.trial.labels import Incident, Labels
from stream.trial.report import Judged
from stream.trial.samples import Name, Points, Samples
from stream.trial.text import happened, headline, summary

PLOTS_MAX: Final = 200
"""Plots of one list; of the others only the sentence is told."""
MARGIN_MS: Final = 2 * 86_400_000
_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#212529}
table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;padding:.2rem .9rem .2rem 0;vertical-align:top}
th{color:#868e96;font-weight:500}tr+tr{border-top:1px solid #e9ecef}h2{margin-top:2.2rem}
figure{margin:1.6rem 0}figcaption code{color:#495057}svg{width:100%;height:auto}
"""
_LEGEND: Final = (
    "Red strips are alerts of the configuration that is tried, grey ones of what it is compared with, red ground is an incident. "
    "Green is what was expected, from the lower to the upper limit, as the alert told them."
)


def series_of(judged: Judged) -> set[Name]:
    """The series that the page draws."""
    episodes = [it for pair in judged.matched.kept for it in pair] + judged.matched.new + judged.matched.gone
    return {_name(it) for it in episodes}


def page(judged: Judged, samples: Samples) -> str:
    """The whole file."""
    report, matched = judged.report, judged.matched
    title = "alerts" if report.against is None else "new"
    parts = [
        f"<h1>Backtest</h1><p>{escape(headline(report))}</p>",
        _table(*summary(report)),
        f"<p>{_LEGEND}</p>",
        *_section(title, [(it,) for it in matched.new], (False,), judged.labels, samples),
        *_section("gone", [(it,) for it in matched.gone], (True,), judged.labels, samples),
        *_section("kept", matched.kept, (False, True), judged.labels, samples),
        *_incidents(judged, samples),
    ]
    head = f'<meta charset="utf-8"><title>Streamgauge backtest</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _section(
    title: str,
    pairs: Sequence[Sequence[Episode]],
    befores: Sequence[bool],
    labels: Labels | None,
    samples: Samples,
) -> Iterator[str]:
    """One figure for each alert, or for each pair of alerts of both configurations."""
    if pairs:
        yield f"<h2>{title} ({len(pairs)})</h2>"
    for number, told in enumerate(pairs):
        strips = [Strip(it.from_ms, it.to_ms, before) for it, before in zip(told, befores, strict=True)]
        drawn = drawing([_alert(told[0], strips, labels, samples)]) if number < PLOTS_MAX else ""
        caption = f"{escape(told[0].first.summary)}<br><code>{escape(told[0].series)}</code>"
        yield f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def _alert(told: Episode, strips: list[Strip], labels: Labels | None, samples: Samples) -> Drawn:
    """What an alert told, on its series from before its strips to after them."""
    first, around = told.first, _around(strips, labels, told)
    spans = [*((it.first_ms, it.last_ms) for it in strips), *around]
    span_ms = min(it for it, _ in spans), max(it for _, it in spans)
    at_ms = min(it.first_ms for it in strips), max(it.last_ms for it in strips)
    drawn = _drawn(samples.of(_name(told)), at_ms, span_ms, (first.expected, first.lower, first.upper))
    return drawn._replace(unit=first.series.unit, incidents_ms=around, strips=strips)


def _drawn(
    points: Points,
    at_ms: tuple[int, int],
    span_ms: tuple[int, int],
    limits: tuple[float | None, float | None, float | None] = (None, None, None),
) -> Drawn:
    """The points around a span, with limits that held in `at_ms`: its ends are there, without a value, so that they are drawn to there."""
    margin_ms = max(MARGIN_MS, span_ms[1] - span_ms[0])
    shown_ms = span_ms[0] - margin_ms, span_ms[1] + margin_ms
    shown = (points.times_ms >= shown_ms[0]) & (points.times_ms <= shown_ms[1])
    times_ms = np.concatenate([points.times_ms[shown], at_ms])
    values = np.concatenate([points.values[shown], (np.nan, np.nan)])
    order = np.argsort(times_ms, kind="stable")
    times_ms, values = times_ms[order], values[order]
    during = (times_ms >= at_ms[0]) & (times_ms <= at_ms[1])
    expected, lower, upper = (np.where(during, np.nan if it is None else it, np.nan) for it in limits)
    return Drawn("", times_ms, values, expected, lower, upper, [], [], shown_ms=shown_ms)


def _around(strips: Sequence[Strip], labels: Labels | None, told: Episode) -> list[tuple[int, int]]:
    """The incidents of the series that overlap with its strips."""
    first = told.first.series
    concerned = [it for it in labels.incidents if it.concerns(first.signal, first.labels)] if labels else []
    return [
        (it.from_ms, it.to_ms)
        for it in concerned
        if any(it.from_ms <= strip.last_ms and strip.first_ms <= it.to_ms for strip in strips)
    ]


def _incidents(judged: Judged, samples: Samples) -> Iterator[str]:
    if judged.labels is None or not judged.labels.incidents:
        return
    yield f"<h2>incidents ({len(judged.labels.incidents)})</h2>{_table(*happened(judged.report))}"
    for it in judged.labels.incidents[:PLOTS_MAX]:
        yield _incident(it, samples)


def _incident(incident: Incident, samples: Samples) -> str:
    """An incident as the first of its series shows it that has numbers."""
    named = [it for it in samples.names if incident.concerns(it.signal, dict(it.labels))]
    named.sort(key=lambda it: not incident.is_found_by(it.signal))
    if not named:
        return ""
    span_ms = incident.from_ms, incident.to_ms
    drawn = _drawn(samples.of(named[0]), span_ms, span_ms)._replace(incidents_ms=[span_ms])
    caption = f"{escape(incident.name)}<br><code>{escape(named[0].text)}</code>"
    return f"<figure><figcaption>{caption}</figcaption>{drawing([drawn])}</figure>"


def _name(it: Episode) -> Name:
    return Name(it.first.series.signal, canonical_labels(it.first.series.labels))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>{body}</table>"
