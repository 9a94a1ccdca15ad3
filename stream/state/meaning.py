"""What series mean: the parts of a configuration without which the same name would stand for something else."""

from collections.abc import Mapping
from typing import Any, Final

from stream.config import Config

OF_SOURCES: Final = ("format", "event_time", "labels", "id", "encoding", "message")
"""Keys of a source on which what its series measure, and how they are called, depends."""


def meaning_of(config: Config) -> dict[str, Any]:
    """The length of windows, and how each topic is read."""
    said = config.model_dump(mode="json", by_alias=True)
    sources = {it["topic"]: {key: it.get(key) for key in OF_SOURCES} for it in said["sources"]}
    return {"window": said["time"]["window"], "sources": sources}


def windows_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Why what is counted in windows cannot be compared, if so."""
    if before["window"] == after["window"]:
        return None
    return f"time.window was {before['window']}, and is {after['window']}: counts of windows would mean something else"


def changed_sources(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Why the series of some topics mean something else now, by topic."""
    reasons = {}
    for topic, was in before["sources"].items():
        is_now = after["sources"].get(topic)
        if is_now is None:
            reasons[topic] = "is no source any more"
        elif is_now != was:
            keys = [key for key in OF_SOURCES if was[key] != is_now[key]]
            reasons[topic] = "; ".join(f"{key} was {was[key]!r}, and is {is_now[key]!r}" for key in keys)
    return reasons
