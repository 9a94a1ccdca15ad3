"""How fast a worker is, told from its lag: this also works where nothing is stored."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from bench.course import Course, Unable
from bench.worker import POLL_S, Worker

DEADLINE_S: Final = 300.0


class Place(NamedTuple):
    """So many of the source's records were behind the worker at this time."""

    seconds: float
    records: float


def rate(places: Sequence[Place], warm_up: int, events: int) -> float:
    """Events per second from the first place behind the warm-up to the last one before the end."""
    between = [place for place in places if warm_up <= place.records < events]
    if len(between) < 2:
        raise Unable("read within two seconds: too few events to tell the rate")
    return (between[-1].records - between[0].records) / (between[-1].seconds - between[0].seconds)


def watch(worker: Worker, course: Course) -> Iterator[Place]:
    """Where the worker is, whenever its lag is told anew, which it is every second, until it has none."""
    deadline, before = time.monotonic() + DEADLINE_S, -1.0
    while before < course.events:
        if time.monotonic() > deadline:
            raise Unable(f"not read within {DEADLINE_S:.0f} s")
        lag = worker.metrics().by_label("streamgauge_lag_records", "topic")
        records = course.events - lag.get(course.topic, course.events)
        if records != before:
            yield Place(time.monotonic(), records)
            before = records
        time.sleep(POLL_S)
