"""Incidents: the kinds of faults, and the label that says what was done to which pipeline and when it shows."""

from enum import StrEnum
from typing import NamedTuple

from stream.simulate.ordinary import Run
from stream.simulate.streams import Metric


class Kind(StrEnum):
    """Kinds of faults."""

    LATE_RUN = "late_run"
    MISSING_RUN = "missing_run"
    STUCK_RUN = "stuck_run"
    SLOW_DRIFT = "slow_drift"
    SUDDEN_SLOWDOWN = "sudden_slowdown"
    PARTIAL_LOAD = "partial_load"
    DUPLICATE_LOAD = "duplicate_load"
    BACKFILL = "backfill"
    NULL_BURST = "null_burst"
    UNIT_FLIP = "unit_flip"
    CLOCK_SKEW = "clock_skew"
    FAILURE_BURST = "failure_burst"
    LEVEL_SHIFT = "level_shift"
    SCHEMA_CHANGE = "schema_change"


class Label(NamedTuple):
    """What the data show of a fault: from `starts_ms` on, when it ought to be seen, to `ends_ms`, when all is as before.

    `match` are labels of every series in which it may show, `signals` their signals. `expected` is a change that was
    meant: worth telling once. What is `for_good` stays to the end of the recording.
    """

    kind: Kind
    match: dict[str, str]
    signals: tuple[str, ...]
    starts_ms: int
    ends_ms: int
    detail: str
    expected: bool = False
    for_good: bool = False


class History(NamedTuple):
    """All that a pipeline does: runs in the order of their start, or metrics."""

    runs: list[Run]
    metrics: list[Metric]


class Change(NamedTuple):
    """A fault: its label, and the history with it."""

    label: Label
    history: History
