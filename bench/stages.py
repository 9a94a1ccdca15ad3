"""What ingest and detect cost for each event, in one process and without Kafka."""

import json
import random
import time
from collections.abc import Iterator

from bench.results import Section
from detectors.detect import Detect
from detectors.settings import Settings
from stream.formats.limits import Limits
from stream.ingest import Ingest
from stream.warm_up import compile_kernels

SERIES = 1000
SHARDS = 4
BATCH_RECORDS = 5000
SPACING_MS = 10
TOPIC = "pipeline.events"
TITLE = "One process, no Kafka"
ABOUT = "What the two stages cost for each event when they run back to back in one process, on batches of 5,000 records."


def measure_into(section: Section, count: int) -> None:
    """Measure `count` events, and write the cost of each stage into a section."""
    for name, seconds in measure(count):
        section.add(f"stage-{name}", name, "µs an event", seconds / count * 1e6)
        print(f"{name}: {seconds / count * 1e6:.2f} µs an event")


def run_events(count: int, end_ms: int) -> list[bytes]:
    """Run events of about 170 bytes, the last at `end_ms`."""
    rng = random.Random(1)
    start_ms = end_ms - count * SPACING_MS
    return [
        json.dumps(
            {
                "pipeline": f"pipeline-{rng.randrange(SERIES):04}",
                "task": "load",
                "state": "succeeded",
                "time": start_ms + number * SPACING_MS,
                "run_id": f"run-{number:012}",
                "duration_ms": int(rng.lognormvariate(8.5, 0.1)),
                "rows": int(rng.lognormvariate(11.5, 0.1)),
            }
        ).encode()
        for number in range(count)
    ]


def measure(count: int) -> Iterator[tuple[str, float]]:
    """Seconds that each stage takes for `count` events."""
    compile_kernels()
    end_ms = int(time.time() * 1000)
    values = run_events(count, end_ms)
    ingest = Ingest({TOPIC: "events"}, SHARDS, {TOPIC: 1}, Limits(), 300_000)
    shards = [Detect(Settings(), shard) for shard in range(SHARDS)]
    seconds = {"ingest": 0.0, "detect": 0.0}
    for step, first in enumerate(range(0, count, BATCH_RECORDS)):
        batch = values[first : first + BATCH_RECORDS]
        offsets = range(first, first + len(batch))
        began = time.perf_counter()
        outputs = ingest.batch(
            TOPIC, 0, offsets, batch, [end_ms] * len(batch), first - 1 if first else None, end_ms, False
        )
        ingested = time.perf_counter()
        for output in outputs:
            shards[output.partition or 0].step(step, output.value or b"")
        seconds["ingest"] += ingested - began
        seconds["detect"] += time.perf_counter() - ingested
    yield from seconds.items()
    yield "both", sum(seconds.values())
