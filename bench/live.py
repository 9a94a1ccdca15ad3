"""Publishes run events as they happen, at a steady rate, and one wild run after the other, each of another pipeline.

python -m bench.live SERVERS TOPIC RATE SECONDS SERIES       prints one JSON line for each wild run
"""

import json
import sys
import time
from typing import Final

import numpy as np

from bench.bulk_producer import BulkProducer
from bench.recording import PARTITIONS
from bench.run_events import WILD_FACTOR, Shape, columns, pipeline, texts

TICK_S: Final = 0.02
WILD_EVERY_S: Final = 0.1
AT_ONCE_MAX: Final = 50_000
USUAL_DURATION_MS: Final = 4_900
USUAL_ROWS: Final = 99_000
FIRST_NUMBER: Final = 1_000_000_000
QUIET_S: Final = 15.0
TRAIL_S: Final = 5.0
"""Events go on for so long behind the last wild run: what the stream's end itself delays is not measured."""
FLUSH_S_MAX: Final = 60.0


def main() -> None:
    servers, topic, *numbers = sys.argv[1:]
    rate, seconds, series = float(numbers[0]), float(numbers[1]), int(numbers[2])
    properties = {"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    producer = BulkProducer(properties, topic)
    began = time.time()
    sent, wild, tick = 0, 0, 0
    while (now := time.time()) < began + seconds:
        count = min(int((now - began) * rate) - sent, AT_ONCE_MAX)
        _ordinary(producer, Shape(count, series), FIRST_NUMBER + sent, now)
        sent += count
        if QUIET_S + wild * WILD_EVERY_S < now - began < seconds - TRAIL_S and wild < series:
            _wild(producer, wild, now)
            wild += 1
        tick += 1
        time.sleep(max(0.0, began + tick * TICK_S - time.time()))
    producer.close(FLUSH_S_MAX)


def _ordinary(producer: BulkProducer, shape: Shape, first: int, now: float) -> None:
    if not shape.events:
        return
    numbers = np.arange(first, first + shape.events)
    made = texts(*columns(shape, numbers, np.full(shape.events, int(now * 1000))))
    for partition in range(PARTITIONS):
        producer.send(made[partition::PARTITIONS], partition)


def _wild(producer: BulkProducer, series: int, now: float) -> None:
    time_ms = int(now * 1000)
    run = (series, time_ms, series, USUAL_DURATION_MS * WILD_FACTOR, USUAL_ROWS)
    producer.send(texts(*(np.array([it]) for it in run)), series % PARTITIONS)
    print(json.dumps({"pipeline": pipeline(series), "time_ms": time_ms}), flush=True)


if __name__ == "__main__":
    main()
