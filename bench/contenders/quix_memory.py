"""Quix Streams with River models for each series, in the process's memory: River's models do not fit Quix' stored state."""

import tempfile
from collections import defaultdict
from typing import Any

from quixstreams import Application

from bench.contenders.lap import Lap, Task
from bench.contenders.river_models import Models


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    series: defaultdict[str, Models] = defaultdict(Models)

    def learn(event: dict[str, Any]) -> None:
        series[event["pipeline"]].learn(event["duration_ms"])
        if lap.add(1):
            lap.finish("EWMean, EWVar and ADWIN per series, in memory", series=len(series))

    app = Application(
        broker_address=task.servers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        consumer_extra_config={"fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000},
        state_dir=tempfile.mkdtemp(prefix="bench-quix-"),
        loglevel="ERROR",
    )
    app.dataframe(app.topic(task.topic, value_deserializer="json")).update(learn)
    app.run()


main()
