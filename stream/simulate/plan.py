"""The plan: which fault befalls which pipeline, and when.

Kinds take turns, so each occurs as often as the others as far as pipelines for it can be found. A pipeline has one fault at
a time, none before its routine is known, and time to recover in between. The plan has random values of its own: what is
ordinary is the same with any plan.
"""

from collections.abc import Sequence

import numpy as np

from stream.simulate.calendars import DAY_MS
from stream.simulate.incidents import Change, History, Kind, Label
from stream.simulate.platform import Archetype, Pipeline
from stream.simulate.run_faults import RUN_FAULTS, Site
from stream.simulate.stream_faults import STREAM_FAULTS, StreamSite

WEEK_MS = 7 * DAY_MS
KNOWN_AFTER_MS = 2 * WEEK_MS
KNOWN_AFTER_RUNS = 14
WEEKLY_KNOWN_AFTER_RUNS = 6
TRIES = 400
RECOVERY_MS = 2 * DAY_MS
RECOVERY_INTERVALS = 5


class Plan:
    """The histories of all pipelines, into which faults are put one after the other."""

    def __init__(
        self, seed: int, pipelines: Sequence[Pipeline], histories: list[History], to_ms: int
    ) -> None:
        self._rng = np.random.default_rng([seed, 3])
        self._pipelines, self._to_ms = pipelines, to_ms
        known = (known_after(*both) for both in zip(pipelines, histories, strict=True))
        self._known_ms = {
            index: known_ms
            for index, known_ms in enumerate(known)
            if known_ms is not None and known_ms < to_ms
        }
        self.histories = histories
        self.labels: list[Label] = []
        self._busy: list[list[tuple[int, int]]] = [[] for _ in pipelines]

    def number(self, per_week: float) -> int:
        """How many faults `per_week` for each pipeline are, counted while its routine is known."""
        known_ms = sum(self._to_ms - known for known in self._known_ms.values())
        return round(per_week * known_ms / WEEK_MS)

    def fill(self, kinds: Sequence[Kind], number: int) -> None:
        """Put in so many faults; fewer where there is no room for them."""
        for turn in range(number):
            self._put(kinds[turn % len(kinds)])

    def _put(self, kind: Kind) -> None:
        able = [index for index in self._known_ms if kind in _faults_of(self._pipelines[index])]
        for _ in range(TRIES if able else 0):
            index = able[self._rng.integers(len(able))]
            change = self._try(kind, index)
            if change and self._is_free(index, change.label):
                self._busy[index].append((change.label.starts_ms, change.label.ends_ms))
                self.histories[index] = change.history
                self.labels.append(change.label)
                return

    def _try(self, kind: Kind, index: int) -> Change | None:
        pipeline, history = self._pipelines[index], self.histories[index]
        moment = self._rng.uniform(self._known_ms[index], self._to_ms)
        streaming = pipeline.archetype.streaming
        times = (
            history.metrics[0].published_ms
            if streaming
            else np.array([run.start_ms for run in history.runs], np.int64)
        )
        at = int(np.searchsorted(times, moment))
        if at >= len(times):
            return None
        if streaming:
            return STREAM_FAULTS[kind](StreamSite(pipeline, history.metrics, at, self._to_ms), self._rng)
        return RUN_FAULTS[kind](Site(pipeline, history.runs, at, self._to_ms), self._rng)

    def _is_free(self, index: int, label: Label) -> bool:
        recovery_ms = max(RECOVERY_MS, RECOVERY_INTERVALS * self._pipelines[index].schedule.interval_ms)
        return all(
            label.ends_ms + recovery_ms < starts or ends + recovery_ms < label.starts_ms
            for starts, ends in self._busy[index]
        )


def known_after(pipeline: Pipeline, history: History) -> int | None:
    """When the pipeline's routine is known: after two weeks and 14 runs, 6 of a weekly one; None when never."""
    if pipeline.archetype.streaming:
        return pipeline.begins_ms + KNOWN_AFTER_MS
    needed = WEEKLY_KNOWN_AFTER_RUNS if pipeline.archetype is Archetype.WEEKLY else KNOWN_AFTER_RUNS
    if len(history.runs) <= needed:
        return None
    return max(pipeline.begins_ms + KNOWN_AFTER_MS, history.runs[needed].start_ms)


def _faults_of(pipeline: Pipeline) -> frozenset[Kind]:
    return frozenset(STREAM_FAULTS if pipeline.archetype.streaming else RUN_FAULTS)
