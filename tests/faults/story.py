"""A story: a seeded stream of run events in which some runs are slow, thin, failed or missing, and its canary.

The whole stream is a function of its seed: the same events at the same times in the same partitions, whenever it is
told. Its times lie in the past, so nothing in it depends on when a test runs.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
BEGIN_MS: Final = 1_704_067_200_000
WARM_UP_RUNS: Final = 60
CANARY: Final = "canary"
CLOSER: Final = "closer"
INCIDENT_SHARE: Final = 1 / 80
INCIDENTS: Final = ("slow", "thin", "failed", "missing")


class Told(NamedTuple):
    """One record of the stream: the partition it goes to, and its value."""

    partition: int
    value: bytes


@dataclass(frozen=True)
class Story:
    """Hourly runs of `pipelines` pipelines in chapters of `chapter_runs` runs each, after a warm-up.

    Args:
        seed: of everything random in it.
        chapters: how many there are besides the warm-up, which is chapter 0.
        closing_ms: how far time goes on after the canary; more than the allowed lateness.
    """

    seed: int
    chapters: int
    pipelines: int = 40
    chapter_runs: int = 40
    partitions: int = 4
    closing_ms: int = 30 * MINUTE_MS

    def chapter(self, number: int) -> list[Told]:
        """The records of one chapter, in the order of event time."""
        chance = random.Random(f"{self.seed}/{number}")
        events = sorted(self._events(number), key=lambda event: event["time"])
        return [Told(chance.randrange(self.partitions), json.dumps(event).encode()) for event in events]

    def canary(self) -> list[Told]:
        """After all chapters: a run of the canary pipeline that takes eight times as long, and the time going on."""
        start_ms = self._start_ms(self._first_run(self.chapters + 1)) + 5 * MINUTE_MS
        run = _Run(CANARY, self._first_run(self.chapters + 1), start_ms, 8 * MINUTE_MS, 50_000, "succeeded")
        told = [Told(0, json.dumps(event).encode()) for event in run.events()]
        last = {"pipeline": CLOSER, "state": "succeeded"}
        last_ms = start_ms + self.closing_ms
        return told + [
            Told(n, json.dumps({**last, "time": last_ms + n}).encode()) for n in range(self.partitions)
        ]

    def _events(self, number: int) -> Iterator[dict[str, Any]]:
        runs = range(self._first_run(number), self._first_run(number + 1))
        for name in [CANARY, *(f"pipeline-{n}" for n in range(self.pipelines))]:
            chance = random.Random(f"{self.seed}/{number}/{name}")
            for run in runs:
                yield from self._run(name, run, chance)

    def _run(self, name: str, number: int, chance: random.Random) -> Iterator[dict[str, Any]]:
        happens = name != CANARY and number >= WARM_UP_RUNS and chance.random() < INCIDENT_SHARE
        incident = chance.choice(INCIDENTS) if happens else None
        start_ms = self._start_ms(number) + chance.randrange(20 * MINUTE_MS)
        duration_ms = int(MINUTE_MS * chance.lognormvariate(0, 0.1)) * (8 if incident == "slow" else 1)
        rows = int(50_000 * chance.lognormvariate(0, 0.1)) // (12 if incident == "thin" else 1)
        state = "failed" if incident == "failed" else "succeeded"
        if incident != "missing":
            yield from _Run(name, number, start_ms, duration_ms, rows, state).events()

    def _first_run(self, chapter: int) -> int:
        return WARM_UP_RUNS + (chapter - 1) * self.chapter_runs if chapter else 0

    @staticmethod
    def _start_ms(run: int) -> int:
        return BEGIN_MS + run * HOUR_MS


class _Run(NamedTuple):
    pipeline: str
    number: int
    start_ms: int
    duration_ms: int
    rows: int
    state: str

    def events(self) -> Iterator[dict[str, Any]]:
        base = {"pipeline": self.pipeline, "task": "load", "run_id": f"{self.pipeline}-{self.number}"}
        yield {**base, "state": "started", "time": self.start_ms}
        ended = {"time": self.start_ms + self.duration_ms, "duration_ms": self.duration_ms}
        yield {**base, **ended, "state": self.state, "rows": self.rows}
