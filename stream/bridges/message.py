"""Messages: an alert in the words of a chat message, an e-mail or a page."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from detectors.alerts import Alert, State
from detectors.episodes import Transition
from detectors.series import canonical_labels, series_text
from stream.alert_records import has_ended
from stream.alert_text import shown

_FIRING: Final[Mapping[str, str]] = {
    Transition.OPENED: "Firing",
    Transition.REOPENED: "Firing again",
    Transition.WORSENED: "Worse",
    Transition.JOINED: "Spread",
}
_UPDATE: Final = "Update"


class Message(NamedTuple):
    """A line that says what it is about, and the text below it."""

    title: str
    body: str


def message(alert: Alert) -> Message:
    """What people read: state, severity and series; the sentence; owner, runbook, root cause, how many alerts it explains, and its id."""
    series = series_text(alert.series.signal, canonical_labels(alert.series.labels))
    lines = [
        alert.summary,
        *(f"{name}: {value}" for name, value in _facts(alert) if value),
    ]
    return Message(
        shown(f"{_word(alert)} · {alert.severity} · {series}"), "\n".join(shown(line) for line in lines)
    )


def _word(alert: Alert) -> str:
    if alert.state is not State.FIRING:
        return alert.state.capitalize()
    return _FIRING.get(alert.transition_reason.partition(":")[0], _UPDATE)


def _facts(alert: Alert) -> list[tuple[str, str | None]]:
    cause, explained = alert.root_cause, len(alert.children)
    since = alert.starts_at.replace("T", " ").replace("Z", " UTC")
    until = f" to {alert.ends_at.replace('T', ' ').replace('Z', ' UTC')}" if alert.ends_at else ""
    return [
        ("Since" if not has_ended(alert) else "Lasted", since + until),
        ("Owner", alert.owner),
        ("Root cause", f"{cause.alert_id} ({' → '.join(cause.path)})" if cause else None),
        ("Explains", f"{explained} other alert{'s' if explained > 1 else ''}" if explained else None),
        *((name.capitalize(), value) for name, value in sorted(alert.annotations.items())),
        ("Runbook", alert.runbook_url),
        ("Alert", alert.alert_id),
    ]
