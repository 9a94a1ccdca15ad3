"""The patch: proposals as entries of `series`, with the evidence beside each, to be put into a configuration by a person."""

from collections.abc import Iterator
from typing import Any

import yaml

from detectors.wording import time_text
from stream.trial.proposals import Proposal, Suggestions


def patch(suggestions: Suggestions, config_hash: str) -> str:
    """YAML that is a configuration by itself; empty of entries where nothing is proposed."""
    lines = [
        "# Proposed by `streamgauge suggest`. Nothing is changed by this file: put what you want at the end of `series`",
        f"# of your configuration. Found with the configuration {config_hash} on {suggestions.records:,} records",
        f"# from {time_text(suggestions.from_ms)} to {time_text(suggestions.to_ms)}.",
    ]
    if not suggestions.proposals:
        return "\n".join([*lines, "series: []", ""])
    return "\n".join([*lines, "series:", *(line for it in suggestions.proposals for line in _entry(it)), ""])


def evidence(it: Proposal) -> str:
    """What would have changed."""
    change = it.change
    parts = [f"{change.gone} of its alerts gone, {change.new} new"]
    if it.sight is not None:
        before, after = it.sight
        parts.insert(0, f"{after:.0%} instead of {before:.0%} of samples would show it")
    return "; ".join(parts)


def _entry(it: Proposal) -> Iterator[str]:
    yield f"  # {it.problem}; {it.candidate.why}"
    yield f"  # {evidence(it)}"
    said: dict[str, Any] = it.entry().model_dump(mode="json", include={"match"})
    yield f"  - match: {_flow(said['match'])}"
    yield f"    {it.candidate.key}: {_flow(it.candidate.value)}"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
