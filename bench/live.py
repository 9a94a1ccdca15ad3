"""Publishes run events as they happen, at a steady rate, and one wild run after the other, each of another pipeline.

python -m bench.live SERVERS TOPIC RATE SECONDS SERIES       prints one JSON line for each wild run
"""

import gc
import json
import sys
import time
from typing import Final

import numpy as np
from confluent_kafka import Producer

from bench.recording import send
from bench.run_events import WILD_FACTOR, Shape, block, events, pipeline

TICK_S: Final = 0.02
WILD_EVERY_S: Final = 0.1
USUAL_DURATION_MS: Final = 4_900
USUAL_ROWS: Final = 99_000
FIRST_NUMBER: Final = 1_000_000_000
QUIET_S: Final = 5.0


def main() -> None:
    servers, topic, *numbers = sys.argv[1:]
    rate, seconds, series = float(numbers[0]), float(numbers[1]), int(numbers[2])
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    )
    gc.disable()  # millions of messages that die young, and no cycles among them
    began = time.time()
    sent, wild, tick = 0, 0, 0
    while (now := time.time()) < began + seconds:
        due = int((now - began) * rate)
        _ordinary(producer, topic, Shape(due - sent, series), FIRST_NUMBER + sent, now)
        sent = due
        if now - began > QUIET_S + wild * WILD_EVERY_S and wild < series:
            _wild(producer, topic, wild, now)
            wild += 1
        producer.poll(0)
        tick += 1
        time.sleep(max(0.0, began + tick * TICK_S - time.time()))
    producer.flush()


def _ordinary(producer: Producer, topic: str, shape: Shape, first: int, now: float) -> None:
    if not shape.events:
        return
    numbers = np.arange(first, first + shape.events)
    times_ms = np.full(shape.events, int(now * 1000))
    send(producer, topic, block(shape, numbers, times_ms), first)


def _wild(producer: Producer, topic: str, series: int, now: float) -> None:
    time_ms = int(now * 1000)
    columns = (series, time_ms, series, USUAL_DURATION_MS * WILD_FACTOR, USUAL_ROWS)
    send(producer, topic, events(*(np.array([it]) for it in columns)), series)
    print(json.dumps({"pipeline": pipeline(series), "time_ms": time_ms}), flush=True)


if __name__ == "__main__":
    main()
