"""Pathway with a mean per series; no persistence."""

from typing import Any

import pathway as pw

from bench.contenders.lap import Lap, Task


class RunEvent(pw.Schema):
    """The fields that are read."""

    pipeline: str
    duration_ms: float


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    counts: dict[str, int] = {}

    def on_change(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG001
        if not is_addition:
            return
        fresh = row["count"] - counts.get(row["pipeline"], 0)
        counts[row["pipeline"]] = row["count"]
        if lap.add(fresh):
            lap.finish("mean per series, in memory", series=len(counts))

    settings = {
        "bootstrap.servers": task.servers,
        "group.id": task.group,
        "auto.offset.reset": "earliest",
    }
    settings |= {"fetch.queue.backoff.ms": "5", "queued.min.messages": "1000000"}
    events = pw.io.kafka.read(
        settings, task.topic, schema=RunEvent, format="json", autocommit_duration_ms=500
    )
    means = events.groupby(events.pipeline).reduce(
        events.pipeline, count=pw.reducers.count(), mean=pw.reducers.avg(events.duration_ms)
    )
    pw.io.subscribe(means, on_change=on_change)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


main()
