"""What the followers of one shard share: settings, the bank of numeric state, timers, and where verdicts go."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from detectors.numeric import NumericBank
from detectors.series import Labels, Signal
from detectors.settings import Settings
from detectors.stage import Count
from detectors.timers import Timers
from detectors.verdicts import SourcePosition, Verdict


class Position(NamedTuple):
    """The record that a row came from."""

    topic: str
    partition: int
    offset: int


@dataclass
class Shard:
    """One samples partition's common ground."""

    settings: Settings
    bank: NumericBank = field(default_factory=NumericBank)
    timers: Timers = field(default_factory=Timers)
    verdicts: list[Verdict] = field(default_factory=list)
    counts: Counter[Count] = field(default_factory=Counter)
    retuned: bool = False
    """Whether the loaded state was written under another configuration."""


class Followed(NamedTuple):
    """What is known of one series: samples seen, and the latest of them (None: it has no number)."""

    signal: Signal
    labels: Labels
    unit: str
    n: int
    latest: float | None


def source_positions(*positions: Position | None) -> tuple[SourcePosition, ...]:
    """The positions as ranges, one for each source partition, in order."""
    ranges: dict[tuple[str, int], list[int]] = {}
    for position in positions:
        if position is not None:
            ranges.setdefault((position.topic, position.partition), []).append(position.offset)
    return tuple(
        SourcePosition(topic, partition, min(offsets), max(offsets))
        for (topic, partition), offsets in sorted(ranges.items())
    )
