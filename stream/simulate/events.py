"""Events on the wire: run events and metrics as a pipeline's publisher sends them, as records of Kafka in JSON lines."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stream.simulate.calendars import DAY_MS
from stream.simulate.incidents import History
from stream.simulate.ordinary import METRIC_AFTER_MS, Run
from stream.simulate.platform import Pipeline
from stream.simulate.streams import NULLS

RUNS_TOPIC, METRICS_TOPIC = "pipeline.events", "pipeline.metrics"
ERROR = "step failed: upstream returned 503"
RESENT_MS_MAX = 20_000


class Sent(NamedTuple):
    """A record, when it is published."""

    published_ms: int
    topic: str
    key: str
    body: dict[str, Any]

    def line(self) -> bytes:
        """The record as `streamgauge backtest` reads it."""
        wrapped = {
            "topic": self.topic,
            "key": self.key,
            "value": msgspec.json.encode(self.body).decode(),
            "timestamp": self.published_ms,
            "partition": 0,
        }
        return msgspec.json.encode(wrapped) + b"\n"


class Played(NamedTuple):
    """What one pipeline publishes, with the times by which its history is cut into days."""

    pipeline: Pipeline
    history: History
    starts_ms: "np.ndarray[Any, np.dtype[np.int64]]"

    @classmethod
    def of(cls, pipeline: Pipeline, history: History) -> "Played":
        """With its index of runs."""
        return cls(pipeline, history, np.array([run.start_ms for run in history.runs], np.int64))

    def between(self, from_ms: int, to_ms: int) -> Iterator[Sent]:
        """All events of the runs that start in [from, to), and the metrics published there."""
        first, last = np.searchsorted(self.starts_ms, [from_ms, to_ms]).tolist()
        for run in self.history.runs[first:last]:
            yield from run_events(self.pipeline, run)
        yield from self._metrics(from_ms, to_ms)

    def _metrics(self, from_ms: int, to_ms: int) -> Iterator[Sent]:
        name, labels = self.pipeline.name, {"pipeline": self.pipeline.name}
        for metric in self.history.metrics:
            first, last = np.searchsorted(metric.published_ms, [from_ms, to_ms]).tolist()
            part = slice(first, last)
            columns = metric.published_ms[part], metric.times_ms[part], metric.values[part]
            for published_ms, time_ms, value in zip(*(column.tolist() for column in columns), strict=True):
                body = {"name": metric.name, "value": value, "time": time_ms, "labels": labels}
                yield Sent(published_ms, METRICS_TOPIC, name, body)


def published(histories: Sequence[Played], from_ms: int, to_ms: int) -> Iterator[list[Sent]]:
    """Day by day, all that is published in [from, to) in the order in which it is."""
    waiting: list[Sent] = []
    for day_ms in range(from_ms, to_ms, DAY_MS):
        until_ms = min(day_ms + DAY_MS, to_ms)
        for played in histories:
            waiting.extend(played.between(day_ms, until_ms))
        waiting.sort(key=lambda sent: sent.published_ms)
        ready = sum(sent.published_ms < until_ms for sent in waiting)
        yield waiting[:ready]
        waiting = waiting[ready:]


def run_events(pipeline: Pipeline, run: Run) -> Iterator[Sent]:
    """What a run publishes: its attempts with their tasks, and the share of nulls that was measured at its end."""
    at_ms, run_id = run.start_ms, f"{pipeline.name}-{run.number}"
    if run.state == "skipped":
        yield _event(pipeline, run, "skipped", at_ms, run_id, pipeline.task)
        return
    if run.retry:
        failed_ms = at_ms + run.retry.failed_after_ms
        yield from _attempt_that_failed(pipeline, run, (at_ms, failed_ms), run_id)
        at_ms, run_id = failed_ms + run.retry.pause_ms, f"{run_id}-retry"
    yield from _attempt(pipeline, run, at_ms, run_id)
    if run.null_share is not None and run.ends:
        ended_ms = at_ms + run.duration_ms
        body = {
            "name": NULLS,
            "value": run.null_share,
            "time": ended_ms + run.clock_ms,
            "labels": {"pipeline": pipeline.name, "column": "email"},
        }
        yield Sent(ended_ms + run.publishing_ms + METRIC_AFTER_MS, METRICS_TOPIC, pipeline.name, body)


def _attempt(pipeline: Pipeline, run: Run, at_ms: int, run_id: str) -> Iterator[Sent]:
    """The attempt that counts: it succeeds or fails, or never ends."""
    outer = None if pipeline.tasks else pipeline.task
    if pipeline.announces_start:
        yield _event(pipeline, run, "started", at_ms, run_id, outer)
    began_ms, last = at_ms, len(pipeline.tasks) - 1
    for number, task in enumerate(pipeline.tasks):
        task_id, took_ms = f"{run_id}-{task}", run.task_ms[number]
        yield _event(pipeline, run, "started", began_ms, task_id, task)
        began_ms += took_ms
        if number < last or run.ends:
            state = run.state if number == last else "succeeded"
            yield _event(pipeline, run, state, began_ms, task_id, task, took_ms)
    if not run.ends:
        return
    ended_ms = at_ms + run.duration_ms
    ended = _event(pipeline, run, run.state, ended_ms, run_id, outer, run.duration_ms, carries=True)
    yield ended
    if run.told_again_after_ms is not None:
        yield _again(ended, run.told_again_after_ms)


def _again(ended: Sent, after_ms: int) -> Sent:
    body = ended.body if after_ms < RESENT_MS_MAX else ended.body | {"time": ended.body["time"] + after_ms}
    return ended._replace(published_ms=ended.published_ms + after_ms, body=body)


def _attempt_that_failed(pipeline: Pipeline, run: Run, times: tuple[int, int], run_id: str) -> Iterator[Sent]:
    at_ms, failed_ms = times
    outer = None if pipeline.tasks else pipeline.task
    inner = pipeline.tasks[:1]
    if pipeline.announces_start:
        yield _event(pipeline, run, "started", at_ms, run_id, outer)
    for task in inner:
        yield _event(pipeline, run, "started", at_ms, f"{run_id}-{task}", task)
        yield _event(pipeline, run, "failed", failed_ms, f"{run_id}-{task}", task, failed_ms - at_ms)
    yield _event(pipeline, run, "failed", failed_ms, run_id, outer, failed_ms - at_ms)


def _event(  # noqa: PLR0913 - what an event says
    pipeline: Pipeline,
    run: Run,
    state: str,
    time_ms: int,
    run_id: str,
    task: str | None,
    duration_ms: int | None = None,
    *,
    carries: bool = False,
) -> Sent:
    body: dict[str, Any] = {"pipeline": pipeline.name}
    if task is not None:
        body["task"] = task
    body |= {"run_id": run_id, "state": state, "time": time_ms + run.clock_ms}
    if duration_ms is not None and pipeline.reports_duration:
        body["duration_ms"] = max(1, round(duration_ms * run.duration_factor))
    if state == "failed":
        body["error"] = ERROR
    if carries and state == "succeeded":
        body |= _cargo(pipeline, run)
    return Sent(time_ms + run.publishing_ms, RUNS_TOPIC, pipeline.name, body)


def _cargo(pipeline: Pipeline, run: Run) -> dict[str, Any]:
    cargo: dict[str, Any] = {}
    if run.rows is not None:
        cargo["rows"] = run.rows
    if run.bytes is not None:
        cargo["bytes"] = run.bytes
    if run.schema:
        cargo["dataset"] = pipeline.dataset
        cargo["schema"] = [{"name": name, "type": kind} for name, kind in run.schema]
    return cargo
