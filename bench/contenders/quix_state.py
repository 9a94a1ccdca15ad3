"""Quix Streams doing Streamgauge's work: repartition by series, a mean and variance per series in its changelogged state."""

import tempfile
from typing import Any

from quixstreams import Application, State

from bench.contenders.lap import Lap, Task


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)

    def learn(event: dict[str, Any], state: State) -> None:
        mean, variance = state.get("moments", (event["duration_ms"], 0.0))
        delta = event["duration_ms"] - mean
        state.set("moments", (mean + 0.01 * delta, 0.99 * (variance + 0.01 * delta * delta)))
        if lap.add(1):
            lap.finish(
                "repartitioned by series; mean and variance per series in RocksDB with a changelog topic"
            )

    app = Application(
        broker_address=task.servers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        consumer_extra_config={"fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000},
        state_dir=tempfile.mkdtemp(prefix="bench-quix-"),
        loglevel="ERROR",
    )
    events = app.dataframe(app.topic(task.topic, value_deserializer="json"))
    events.group_by("pipeline").update(learn, stateful=True)
    app.run()


main()
