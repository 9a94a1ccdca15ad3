"""The explanation of an alert, as people read it in a terminal and as JSON."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.alerts import Alert
from detectors.verdicts import SchemaChange, SourcePosition
from detectors.watching import Seen
from detectors.wording import amount_text, time_text
from stream.alert_story import Head, Story
from stream.alert_text import render, shown
from stream.evidence import Evidence, drawn, has_samples
from stream.plots.terminal import plot

_INDENT = (0, 0, 0, 2)
_CHILDREN_SHOWN = 20


def text(story: Story, evidence: Evidence, width: int) -> RenderableType:
    """The whole explanation for a terminal of so many columns."""
    return Group(*_blocks(story, evidence, width))


def _blocks(story: Story, evidence: Evidence, width: int) -> Iterator[RenderableType]:
    latest = story.latest
    yield render(latest)
    yield _titled("story", _transitions(story.alerts))
    if latest.root_cause:
        yield _titled("root cause", Text("\n".join(_cause(story, latest))))
    if latest.children:
        yield _titled("explains", Text("\n".join(_children(story))))
    if latest.schema_change:
        yield _titled("schema change", Text("\n".join(_schema(latest.schema_change))))
    yield _titled("source records", Text("\n".join(map(_position, positions(story.alerts))) or "none"))
    if evidence.samples:
        lines = plot(drawn(story.alerts, evidence), width)
        yield _titled("series", Group(*lines, Text(_legend(latest, evidence.samples), "dim")))
    for note in evidence.notes:
        yield Text(shown(f"note: {note}"))


def _titled(title: str, content: RenderableType) -> RenderableType:
    return Group(Text(title, "bold"), Padding(content, _INDENT, expand=False))


def _transitions(alerts: list[Alert]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for alert in alerts:
        told = "told" if alert.notify else ""
        line = (alert.updated_at, alert.state.upper(), alert.severity, alert.transition_reason, told)
        table.add_row(*(Text(shown(cell)) for cell in line))
    return table


def _cause(story: Story, latest: Alert) -> Iterator[str]:
    cause = latest.root_cause
    if cause is not None:
        yield shown(" → ".join(cause.path))
        root = story.root()
        yield _head(root) if root else f"alert {cause.alert_id}, which the topic no longer holds"


def _children(story: Story) -> Iterator[str]:
    known = list(story.children())
    yield from (_head(it) for it in known[:_CHILDREN_SHOWN])
    left = len(story.latest.children) - len(known[:_CHILDREN_SHOWN])
    if left:
        yield f"and {left} more"


def _head(head: Head) -> str:
    return shown(f"{head.alert_id}  {head.state.upper()}  {head.summary}")


def _schema(change: SchemaChange) -> Iterator[str]:
    yield shown(f"{change.change} at {change.path}: from {change.from_} to {change.to}")
    yield f"in {change.share:.3g} of the records, confidence {change.confidence:.3g}"
    yield f"first in {_position(change.first)}, last in {_position(change.last)}"


def _position(place: SourcePosition) -> str:
    offsets = f"{place.first_offset}"
    if place.last_offset != place.first_offset:
        offsets += f"..{place.last_offset}"
    return f"{place.topic}[{place.partition}]@{offsets}"


def positions(alerts: list[Alert]) -> list[SourcePosition]:
    """The source records behind any transition, in order, each once."""
    return sorted({place for alert in alerts for place in alert.source_positions})


def _legend(latest: Alert, samples: list[Seen]) -> str:
    unit, last = latest.series.unit, samples[-1]
    told = f"{len(samples)} samples, the last one {shown(amount_text(last.value, unit))} at {time_text(last.time_ms)}"
    return f"{told} · ░ expected · ▼ told · ▀ incident"


def plain(story: Story, evidence: Evidence) -> dict[str, Any]:
    """The explanation as plain values; times are RFC 3339."""
    latest = story.latest
    root, cause = story.root(), latest.root_cause
    return {
        "alert": msgspec.to_builtins(latest),
        "story": [_moment(alert) for alert in story.alerts],
        "root_cause": cause
        and {"alert_id": cause.alert_id, "path": cause.path, "alert": root and root._asdict()},
        "children": [it._asdict() for it in story.children()],
        "source_positions": [msgspec.to_builtins(it) for it in positions(story.alerts)],
        "series": {
            "unit": latest.series.unit,
            "has_samples": has_samples(latest),
            "from": time_text(evidence.from_ms),
            "to": time_text(evidence.to_ms),
            "samples": [_sample(it) for it in evidence.samples],
        },
        "notes": evidence.notes,
    }


def _moment(alert: Alert) -> dict[str, Any]:
    return {
        "sequence": alert.sequence,
        "time": alert.updated_at,
        "state": alert.state,
        "reason": alert.transition_reason,
        "severity": alert.severity,
        "notify": alert.notify,
        "summary": alert.summary,
    }


def _sample(seen: Seen) -> dict[str, Any]:
    numbers = {name: value if isfinite(value) else None for name, value in seen._asdict().items()}
    return {**numbers, "time": time_text(seen.time_ms)}
