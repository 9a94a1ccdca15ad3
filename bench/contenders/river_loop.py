"""A hand-written loop: confluent-kafka, msgspec and River models for each series; no stored state, no alerts."""

from collections import defaultdict

import msgspec

from bench.contenders.lap import Lap, Task
from bench.contenders.librdkafka import batches
from bench.contenders.river_models import Models
from bench.contenders.run_event import RunEvent


def main() -> None:
    task = Task.from_command_line()
    lap = Lap(task)
    decode = msgspec.json.Decoder(RunEvent).decode
    series: defaultdict[str, Models] = defaultdict(Models)
    drifts = 0
    for messages in batches(task):
        for message in messages:
            event = decode(message.value() or b"")
            drifts += series[event.pipeline].learn(event.duration_ms)
        if lap.add(len(messages)):
            lap.finish("EWMean, EWVar and ADWIN per series, in memory", series=len(series), drifts=drifts)


main()
