"""A stock Faust agent with River models for each series, everything at Faust's defaults, no table."""

import sys
import tempfile
from collections import defaultdict
from typing import Any

import faust
from faust.types import StreamT

from bench.contenders.lap import Lap, Task
from bench.contenders.river_models import Models


def make_app(task: Task, folder: str) -> faust.App:
    app = faust.App(
        task.group,
        broker=f"kafka://{task.servers}",
        datadir=folder,
        topic_partitions=4,
        topic_disable_leader=True,
        web_enabled=False,
    )
    topic = app.topic(task.topic, value_serializer="json")
    lap = Lap(task)
    series: defaultdict[str, Models] = defaultdict(Models)

    @app.agent(topic)
    async def learn(events: StreamT[Any]) -> None:
        async for event in events:
            series[event["pipeline"]].learn(event["duration_ms"])
            if lap.add(1):
                lap.finish("EWMean, EWVar and ADWIN per series, in memory", series=len(series))

    return app


def main() -> None:
    app = make_app(Task.from_command_line(), tempfile.mkdtemp(prefix="bench-faust-"))
    faust.Worker(app, loglevel="ERROR", logfile=sys.stderr).execute_from_commandline()


main()
