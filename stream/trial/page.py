"""The page: a report as one HTML file with a plot for each alert and incident. It loads nothing and runs no script."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from detectors.series import canonical_labels
from stream.trial.episodes import Episode
from stream.trial.labels import Incident, Labels
from stream.trial.plots import Plot, Shade, svg
from stream.trial.report import Judged
from stream.trial.samples import Name, Samples
from stream.trial.text import happened, headline, summary

PLOTS_MAX: Final = 200
"""Plots of one list; of the others only the sentence is told."""
MARGIN_MS: Final = 2 * 86_400_000
_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#212529}
table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;padding:.2rem .9rem .2rem 0;vertical-align:top}
th{color:#868e96;font-weight:500}tr+tr{border-top:1px solid #e9ecef}h2{margin-top:2.2rem}
figure{margin:1.6rem 0}figcaption code{color:#495057}svg{width:100%;font-size:11px}text{fill:#868e96}.y{text-anchor:end}
.line{fill:none;stroke:#364fc7;stroke-width:1.1}.dot{fill:#364fc7}.axis{fill:none;stroke:#adb5bd}
.incident{fill:#ffe3e3}.now{fill:#e03131}.before{fill:#868e96}
.expected{stroke:#0ca678;stroke-width:1.5}.limit{stroke:#0ca678;stroke-dasharray:4 3}.none{font-style:italic}
"""
_LEGEND: Final = (
    "Red strips are alerts of the configuration that is tried, grey ones of what it is compared with, red ground is an incident. "
    "Green is what was expected, dashed its limits, as the alert told them."
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
        *_section(title, [(it,) for it in matched.new], ("now",), judged.labels, samples),
        *_section("gone", [(it,) for it in matched.gone], ("before",), judged.labels, samples),
        *_section("kept", matched.kept, ("now", "before"), judged.labels, samples),
        *_incidents(judged, samples),
    ]
    head = f'<meta charset="utf-8"><title>Streamgauge backtest</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _section(
    title: str,
    pairs: Sequence[Sequence[Episode]],
    kinds: Sequence[str],
    labels: Labels | None,
    samples: Samples,
) -> Iterator[str]:
    """One figure for each alert, or for each pair of alerts of both configurations."""
    if pairs:
        yield f"<h2>{title} ({len(pairs)})</h2>"
    for number, told in enumerate(pairs):
        strips = [Shade(kind, it.from_ms, it.to_ms) for kind, it in zip(kinds, told, strict=True)]
        drawn = svg(_plot(told[0], strips, labels, samples)) if number < PLOTS_MAX else ""
        caption = f"{escape(told[0].first.summary)}<br><code>{escape(told[0].series)}</code>"
        yield f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def _plot(told: Episode, strips: list[Shade], labels: Labels | None, samples: Samples) -> Plot:
    first = told.first
    around = _around(strips, labels, told)
    from_ms, to_ms = min(it.from_ms for it in [*strips, *around]), max(it.to_ms for it in [*strips, *around])
    margin_ms = max(MARGIN_MS, to_ms - from_ms)
    limits = first.expected, first.lower, first.upper
    return Plot(
        samples.of(_name(told)),
        first.series.unit,
        from_ms - margin_ms,
        to_ms + margin_ms,
        [*around, *strips],
        limits,
    )


def _around(strips: Sequence[Shade], labels: Labels | None, told: Episode) -> list[Shade]:
    """The incidents of the series that overlap with its strips."""
    first = told.first.series
    concerned = [it for it in labels.incidents if it.concerns(first.signal, first.labels)] if labels else []
    return [
        Shade("incident", it.from_ms, it.to_ms)
        for it in concerned
        if any(it.from_ms <= strip.to_ms and strip.from_ms <= it.to_ms for strip in strips)
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
    margin_ms = max(MARGIN_MS, incident.to_ms - incident.from_ms)
    shade = Shade("incident", incident.from_ms, incident.to_ms)
    plot = Plot(samples.of(named[0]), "", incident.from_ms - margin_ms, incident.to_ms + margin_ms, [shade])
    caption = f"{escape(incident.name)}<br><code>{escape(named[0].text)}</code>"
    return f"<figure><figcaption>{caption}</figcaption>{svg(plot)}</figure>"


def _name(it: Episode) -> Name:
    return Name(it.first.series.signal, canonical_labels(it.first.series.labels))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>{body}</table>"
