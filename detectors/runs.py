"""Runs of one pipeline or task: pairs starts with ends, spots repeats, and feeds every signal that runs carry."""

from math import isnan
from typing import Any, NamedTuple

import msgspec

from detectors.event_counts import EventCounts
from detectors.freshness import FreshnessSeries
from detectors.numeric import Kind
from detectors.numeric_series import NumericSeries
from detectors.outcome_series import OutcomeSeries
from detectors.samples import Key, RunState
from detectors.series import Labels, Signal
from detectors.shard import Followed, Position, Shard

OPEN_RUNS_MAX = 256
ENDED_RUNS_MAX = 64
TOO_LONG = "running_too_long"
ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.SKIPPED})


class RunEvent(NamedTuple):
    """One row of the runs table; NaN stands for what the event did not say, run 0 for no run id."""

    run: int
    state: int
    duration_ms: float
    rows: float
    bytes: float
    error: str


class _SeenRun(msgspec.Struct, array_like=True):
    """A run, and the record it is known from."""

    topic: str
    partition: int
    offset: int

    @property
    def position(self) -> Position:
        return Position(self.topic, self.partition, self.offset)


class _OpenRun(_SeenRun, array_like=True):
    """A run that started; it takes too long from `due_ms` on (-1: not known)."""

    start_ms: int
    due_ms: int
    reported: bool


class _EndedRun(_SeenRun, array_like=True):
    """A run whose end was seen; `unmeasured` while it succeeded and nothing said how long it took."""

    end_ms: int
    unmeasured: bool


class RunFollower:
    """Follows every run of one label set.

    Signals: latency of successful runs (the reported duration, or end minus start), rows and bytes of successful
    runs, run events in a window, freshness, failures and duplicates. A run whose end was already seen is a
    duplicate and feeds nothing else. At most 256 runs are open at a time; the oldest gives way.
    """

    def __init__(self, shard: Shard, key: Key) -> None:
        self.key = key
        self._shard = shard
        labels, owner = key.labels, key.owner
        self._latency: NumericSeries | None = None
        self._measures: dict[str, NumericSeries] = {}
        self._failures = OutcomeSeries(shard, Signal.FAILURES, labels, owner)
        self._duplicates = OutcomeSeries(shard, Signal.DUPLICATES, labels, owner)
        self._freshness = FreshnessSeries(shard, labels, owner)
        self._counts = EventCounts(shard, labels, owner)
        self._open: dict[int, _OpenRun] = {}
        self._ended: dict[int, _EndedRun] = {}

    def apply(self, time_ms: int, position: Position, event: RunEvent, *, late: bool) -> None:
        """Fold in one run event; a late one counts in no window, and its run is not waited for."""
        if not late:
            self._counts.count(time_ms, position)
        if event.state in ENDED:
            self._end(time_ms, position, event)
        elif event.run in self._ended:
            self._start_after_end(time_ms, position, event)
        elif event.run not in self._open or (event.run == 0 and event.state == RunState.STARTED):
            self._freshness.arrive(time_ms, position)
            self._start(time_ms, position, event.run, late=late)

    def expire(self, purpose: str, token: int, due_ms: int) -> None:
        """Report the run `token` when it is still open."""
        run = self._open.get(token)
        if run is None or run.reported or run.due_ms != due_ms or self._latency is None:
            return
        run.reported = True
        self._latency.report_too_long(due_ms, run.start_ms, run.position)

    def _start(self, time_ms: int, position: Position, run_id: int, *, late: bool) -> None:
        if len(self._open) >= OPEN_RUNS_MAX:
            self._open.pop(next(iter(self._open)))
            self._shard.counts["open_runs_forgotten",] += 1
        limit_ms = None if late or self._latency is None else self._latency.upper_limit(time_ms)
        run = _OpenRun(*position, time_ms, -1, False)
        if limit_ms is not None:
            run.due_ms = time_ms + int(limit_ms)
        self._open[run_id] = run
        self._set_timer(run_id, run)

    def _start_after_end(self, time_ms: int, position: Position, event: RunEvent) -> None:
        """The start came behind the end, from another partition or late: now the run's duration is known."""
        ended = self._ended[event.run]
        if ended.unmeasured and event.state == RunState.STARTED and time_ms <= ended.end_ms:
            ended.unmeasured = False
            self._took(ended.end_ms, float(ended.end_ms - time_ms), position, ended.position)

    def _end(self, time_ms: int, position: Position, event: RunEvent) -> None:
        duplicate = event.run != 0 and event.run in self._ended
        self._duplicates.judge(time_ms, duplicate, self._freshness.typical_gap_ms, position)
        if duplicate:
            return
        start = self._open.pop(event.run, None)
        if event.run:
            unmeasured = start is None and event.state == RunState.SUCCEEDED and isnan(event.duration_ms)
            self._ended[event.run] = _EndedRun(*position, time_ms, unmeasured)
            if len(self._ended) > ENDED_RUNS_MAX:
                del self._ended[next(iter(self._ended))]
        if start is None:
            self._freshness.arrive(time_ms, position)
        if event.state == RunState.SKIPPED:
            return
        failed = event.state == RunState.FAILED
        self._failures.judge(time_ms, failed, self._freshness.typical_gap_ms, position, event.error)
        if not failed:
            self._succeed(time_ms, position, event, start)

    def _succeed(self, time_ms: int, position: Position, event: RunEvent, start: _OpenRun | None) -> None:
        duration_ms = event.duration_ms
        if isnan(duration_ms) and start is not None:
            duration_ms = float(time_ms - start.start_ms)
        start_ms = time_ms if isnan(duration_ms) else time_ms - int(duration_ms)
        positions = (start.position if start else None, position)
        if duration_ms >= 0:
            self._took(time_ms, duration_ms, *positions)
        for measure, value in (("rows", event.rows), ("bytes", event.bytes)):
            if not isnan(value):
                self._measure(measure).judge(time_ms, value, start_ms, *positions)

    def _took(self, end_ms: int, duration_ms: float, *positions: Position | None) -> None:
        if self._latency is None:
            self._latency = self._numeric(Signal.LATENCY, self.key.labels, "ms")
        self._latency.judge(end_ms, duration_ms, end_ms - int(duration_ms), *positions)

    def _measure(self, measure: str) -> NumericSeries:
        series = self._measures.get(measure)
        if series is None:
            series = self._measures[measure] = self._numeric(
                Signal.VOLUME, measured(self.key.labels, measure), measure
            )
        return series

    def _numeric(self, signal: Signal, labels: Labels, unit: str) -> NumericSeries:
        return NumericSeries(self._shard, signal, labels, unit, Kind.RUNS, self.key.owner)

    def _set_timer(self, run_id: int, run: _OpenRun) -> None:
        if run.due_ms >= 0 and not run.reported:
            self._shard.timers.set(run.due_ms, self.key.labels, TOO_LONG, run_id, self)

    @property
    def open_runs(self) -> int:
        """Runs that started and have not ended."""
        return len(self._open)

    def followed(self) -> list[Followed]:
        """What is known of the series that these runs feed."""
        numeric = [series for series in (self._latency, *self._measures.values()) if series is not None]
        outcomes = [series.followed() for series in (self._failures, self._duplicates)]
        return [
            *(series.followed() for series in numeric),
            *self._counts.followed(),
            *(known for known in outcomes if known.n),
            self._freshness.followed(),
        ]

    def dump(self) -> Any:
        """The state as plain values."""
        return [
            None if self._latency is None else self._latency.dump(),
            {measure: series.dump() for measure, series in self._measures.items()},
            self._failures.dump(),
            self._duplicates.dump(),
            self._freshness.dump(),
            self._counts.dump(),
            {run: msgspec.to_builtins(state) for run, state in self._open.items()},
            {run: msgspec.to_builtins(state) for run, state in self._ended.items()},
        ]

    def load(self, state: Any) -> None:
        """Take over a dumped state, timers included."""
        latency, measures, failures, duplicates, freshness, counts, open_runs, ended = state
        if latency is not None:
            self._latency = self._numeric(Signal.LATENCY, self.key.labels, "ms")
            self._latency.load(latency)
        for measure, dumped in measures.items():
            self._measure(measure).load(dumped)
        self._failures.load(failures)
        self._duplicates.load(duplicates)
        self._freshness.load(freshness)
        self._counts.load(counts)
        self._open = {int(run): msgspec.convert(dumped, _OpenRun) for run, dumped in open_runs.items()}
        self._ended = {int(run): msgspec.convert(dumped, _EndedRun) for run, dumped in ended.items()}
        for run_id, run in self._open.items():
            self._set_timer(run_id, run)


def measured(labels: Labels, measure: str) -> Labels:
    """The labels of a volume series: what is counted stands in the label `measure`."""
    return tuple(sorted((*labels, ("measure", measure))))
