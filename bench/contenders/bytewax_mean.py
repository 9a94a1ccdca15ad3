"""Bytewax with a mean per series, in its batched operators; no recovery store."""

from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.contenders.lap import Lap, Task
from bench.contenders.run_event import RunEvent


class Mean(StatefulBatchLogic):
    """The running mean of one series."""

    def __init__(self, state: tuple[int, float] | None) -> None:
        self.count, self.mean = state or (0, 0.0)

    def on_batch(self, values: list[float]) -> tuple[Iterable[tuple[int, float]], bool]:
        for value in values:
            self.count += 1
            self.mean += (value - self.mean) / self.count
        return [(len(values), self.mean)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> tuple[int, float]:
        return self.count, self.mean


class Counting(DynamicSink, StatelessSinkPartition):
    """Counts the values behind every mean that comes out."""

    def __init__(self, lap: Lap) -> None:
        self.lap, self.series = lap, set[str]()

    def build(self, *_: Any) -> "Counting":
        return self

    def write_batch(self, items: list[tuple[str, tuple[int, float]]]) -> None:
        self.series.update(key for key, _ in items)
        if self.lap.add(sum(count for _, (count, _) in items)):
            self.lap.finish("mean per series, in memory", series=len(self.series))


def make_flow(task: Task) -> Dataflow:
    decode = msgspec.json.Decoder(RunEvent).decode

    def by_series(messages: list[Any]) -> list[tuple[str, float]]:
        events = [decode(message.value) for message in messages]
        return [(event.pipeline, event.duration_ms) for event in events]

    flow = Dataflow("bench")
    source = KafkaSource(
        [task.servers],
        [task.topic],
        batch_size=10_000,
        add_config={"fetch.queue.backoff.ms": "5", "queued.min.messages": "1000000"},
    )
    values = op.flat_map_batch("decode", op.input("read", flow, source), by_series)
    means = op.stateful_batch("mean", values, Mean)
    op.output("count", means, Counting(Lap(task)))
    return flow


run_main(make_flow(Task.from_command_line()))
