"""Alerts as people read them in a terminal."""

import re
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from detectors.alerts import Alert, State
from detectors.series import canonical_labels, series_text
from detectors.wording import amount_text

_INDENT: Final = (0, 0, 0, 2)
_STYLES: Final = {
    State.FIRING: "bold red",
    State.RESOLVED: "bold green",
    State.ACKNOWLEDGED: "bold cyan",
    State.NO_DATA: "bold yellow",
    State.PENDING: "yellow",
    State.SUPPRESSED: "yellow",
    State.CORRECTED: "cyan",
}
_SEVERITIES: Final = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "blue"}
# Controls, and the marks that turn the direction of writing: a label must not move the cursor or disguise a line.
_UNSHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def render(alert: Alert) -> RenderableType:
    """One compact block: time, state, severity and series; the sentence; the figures; the ids."""
    return Group(
        _headline(alert),
        Padding(Text(shown(alert.summary)), _INDENT, expand=False),
        Padding(Text(_figures(alert), style="dim"), _INDENT, expand=False),
        Padding(Text(_references(alert), style="dim"), _INDENT, expand=False),
    )


def _headline(alert: Alert) -> Text:
    series = series_text(alert.series.signal, canonical_labels(alert.series.labels))
    return Text("  ").join([
        Text(_clock(alert.updated_at)),
        Text(alert.state.upper(), style=_STYLES.get(alert.state, "bold")),
        Text(shown(alert.severity), style=_SEVERITIES.get(alert.severity, "")),
        Text(shown(series), style="bold"),
    ])  # fmt: skip


def _figures(alert: Alert) -> str:
    unit = alert.series.unit
    figures = [
        f"{name} {shown(amount_text(value, unit))}"
        for name, value in (("observed", alert.observed), ("expected", alert.expected))
        if value is not None
    ]
    if alert.lower is not None or alert.upper is not None:
        figures.append(f"range {_end(alert.lower, unit)} to {_end(alert.upper, unit)}")
    figures.append(f"since {_clock(alert.starts_at)}")
    if alert.ends_at is not None:
        figures.append(f"until {_clock(alert.ends_at)}")
    return " · ".join(figures)


def _references(alert: Alert) -> str:
    named = [("alert", alert.alert_id), ("owner", alert.owner), ("runbook", alert.runbook_url)]
    return " · ".join(f"{name} {shown(value)}" for name, value in named if value)


def _end(limit: float | None, unit: str) -> str:
    return "any" if limit is None else shown(amount_text(limit, unit))


def _clock(moment: str) -> str:
    return shown(moment.replace("T", " ").replace("Z", " UTC"))


def shown(text: str) -> str:
    """The text without what moves a cursor or turns the direction of writing."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)
