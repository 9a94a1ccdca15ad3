"""A simulated data platform: pipelines that run on schedule for weeks, and the incidents that happen to three of them.

Everything is a function of a seed and of the time at which the history ends.
"""

import math
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from detectors.budget import FALSE_ALARMS_PER_DAY
from detectors.silence import Cadence

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Pipeline(NamedTuple):
    """How one task behaves when all is well: one run every `interval_ms`, log-normal around the usual values."""

    name: str
    task: str
    interval_ms: int
    duration_ms: float
    rows: float
    spread: float = 0.08


class Run(NamedTuple):
    """One run of a pipeline."""

    pipeline: Pipeline
    start_ms: int
    duration_ms: int
    rows: int
    number: int

    def events(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The run events it publishes: started, and succeeded."""
        base = {
            "pipeline": self.pipeline.name,
            "task": self.pipeline.task,
            "run_id": f"{self.pipeline.name}-{self.pipeline.task}-{self.number}",
        }
        started = {**base, "state": "started", "time": self.start_ms}
        ended = {
            **base,
            "state": "succeeded",
            "time": self.start_ms + self.duration_ms,
            "duration_ms": self.duration_ms,
            "rows": self.rows,
        }
        return started, ended


PLATFORM = (
    Pipeline("orders", "extract", HOUR_MS, 95_000, 120_000),
    Pipeline("orders", "load", HOUR_MS, 3_000, 118_000),
    Pipeline("payments", "ingest", 30 * MINUTE_MS, 2_000, 64_000),
    Pipeline("payments", "reconcile", HOUR_MS, 150_000, 8_200),
    Pipeline("inventory", "sync", HOUR_MS, 64_000, 31_000),
    Pipeline("customers", "dedupe", 2 * HOUR_MS, 480_000, 410_000),
    Pipeline("clickstream", "sessionize", 10 * MINUTE_MS, 31_000, 890_000, 0.12),
    Pipeline("clickstream", "aggregate", 30 * MINUTE_MS, 75_000, 44_000),
    Pipeline("billing", "invoice", 4 * HOUR_MS, 320_000, 15_500),
    Pipeline("warehouse", "compact", 6 * HOUR_MS, 1_260_000, 2_400_000),
)
SLOW = PLATFORM[1]
THIN = PLATFORM[2]
MISSING = PLATFORM[4]
SLOWDOWN = 4.2
REMAINDER = 0.08
LIVE = 1_000_000
"""The number of a run that happens now, above all in the history."""


def history(end_ms: int, days: int, overdue_ms: int, seed: int = 12) -> list[dict[str, Any]]:
    """Run events of `days` days, in the order of time, all of them ordinary.

    Every run has ended before `end_ms`, and the pipeline MISSING has been still for so long that its next run is
    overdue at `overdue_ms`.
    """
    events = [
        event
        for index, pipeline in enumerate(PLATFORM)
        for run in _ordinary_runs(pipeline, end_ms, days, overdue_ms, random.Random(f"{seed}/{index}"))
        for event in run.events()
    ]
    return sorted(events, key=lambda event: event["time"])


def slow_run(start_ms: int) -> Run:
    """An incident: the load of orders takes more than four times as long."""
    return Run(SLOW, start_ms, int(SLOW.duration_ms * SLOWDOWN), int(SLOW.rows), LIVE)


def thin_run(start_ms: int) -> Run:
    """An incident: payments arrive in part."""
    return Run(THIN, start_ms, int(THIN.duration_ms), int(THIN.rows * REMAINDER), LIVE)


def _ordinary_runs(
    pipeline: Pipeline, end_ms: int, days: int, overdue_ms: int, rng: random.Random
) -> Iterator[Run]:
    jitter_ms = pipeline.interval_ms // 60
    starts = [
        number * pipeline.interval_ms + rng.randint(0, jitter_ms)
        for number in range(days * DAY_MS // pipeline.interval_ms)
    ]
    if pipeline is MISSING:
        shift_ms = overdue_ms - _overdue_after(starts)
    elif pipeline in (SLOW, THIN):
        shift_ms = end_ms - starts[-1] - pipeline.interval_ms
    else:
        shift_ms = end_ms - starts[-1] - int(2 * pipeline.duration_ms)
    for number, start_ms in enumerate(starts):
        duration_ms = int(pipeline.duration_ms * math.exp(rng.gauss(0, pipeline.spread)))
        rows = int(pipeline.rows * math.exp(rng.gauss(0, pipeline.spread)))
        yield Run(pipeline, start_ms + shift_ms, duration_ms, rows, number)


def _overdue_after(starts: list[int]) -> int:
    """When the run after the last of these would be overdue."""
    cadence = Cadence()
    due_ms = None
    for start_ms in starts:
        due_ms = cadence.arrive(start_ms, FALSE_ALARMS_PER_DAY)
    if due_ms is None:
        raise ValueError("too few runs to know when the next is due")
    return due_ms
