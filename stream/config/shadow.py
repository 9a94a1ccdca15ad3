"""Shadow: a configuration that runs beside the live one on the same sources, under names of its own.

With `mode: shadow` everything that is written gets another name than without: the group and internal topics `<name>-shadow`, alerts `<topic>.shadow`. So the same file without
that line is what goes live.
"""

from __future__ import annotations

from typing import Any, Final

MODE: Final = "mode"
SHADOW: Final = "shadow"
NAME_SUFFIX: Final = "-shadow"
TOPIC_SUFFIX: Final = ".shadow"
SERIES_SUFFIX: Final = ".in-shadow"
"""Of the topic for alerts on series that are in the shadow of a live configuration."""
_WITH_TOPICS: Final = ("dead_letters", "commands", "audit", "configs")


def shadowed(values: dict[str, Any], name: str, alert_topic: str) -> dict[str, Any]:
    """A configuration's values with names of their own for what a shadow writes; `name` and `alert_topic` are the defaults."""
    if values.get(MODE) != SHADOW:
        return values
    changed = {**values, "name": _suffixed(values.get("name", name), NAME_SUFFIX)}
    alerts = values.get("alerts", {})
    if isinstance(alerts, dict):
        changed["alerts"] = {
            **{key: value for key, value in alerts.items() if key != "state_topic"},
            "topic": _suffixed(alerts.get("topic", alert_topic), TOPIC_SUFFIX),
        }
    for section in _WITH_TOPICS:
        written = values.get(section)
        if isinstance(written, dict) and "topic" in written:
            changed[section] = {**written, "topic": _suffixed(written["topic"], TOPIC_SUFFIX)}
    return changed


def _suffixed(written: Any, suffix: str) -> Any:
    """A name with a suffix; what is no text is left to be refused."""
    return f"{written}{suffix}" if isinstance(written, str) else written
