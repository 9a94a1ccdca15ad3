"""How fast a worker is, told from its lag: this also works where nothing is stored."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from bench.course import Course, Unable
from bench.worker import MARKS_WAITING_MAX, POLL_S, Metrics, Worker

DEADLINE_S: Final = 600.0


class Place(NamedTuple):
    """A worker at one time: the source's records that it has read, those of all topics that wait, its processor time."""

    seconds: float
    read: float
    waiting: float
    cpu_s: float


class Pace(NamedTuple):
    """What a worker did after its warm-up."""

    events_per_s: float
    cpu_us_per_event: float


def pace(places: Sequence[Place], warm_up: int, events: int) -> Pace:
    """From the first place behind the warm-up to the first at which nothing waits but marks."""
    first = next((place for place in places if place.read >= warm_up), places[-1])
    last = next((it for it in places if it.read >= events and it.waiting < MARKS_WAITING_MAX), places[-1])
    count, seconds = last.read - first.read, last.seconds - first.seconds
    if count <= 0:
        raise Unable("read within two seconds: too few events to tell the rate")
    return Pace(count / seconds, (last.cpu_s - first.cpu_s) / count * 1e6)


def watch(worker: Worker, course: Course) -> Iterator[Place]:
    """Where the worker is, whenever its lag is told anew, which it is every second, until nothing waits but marks."""
    deadline = time.monotonic() + DEADLINE_S
    before = place = _place(worker.metrics(), course)
    while place.read < course.events or place.waiting >= MARKS_WAITING_MAX:
        if time.monotonic() > deadline:
            raise Unable(f"not read within {DEADLINE_S:.0f} s")
        time.sleep(POLL_S)
        place = _place(worker.metrics(), course)
        if (place.read, place.waiting) != (before.read, before.waiting):
            yield place
            before = place


def _place(metrics: Metrics, course: Course) -> Place:
    lag = metrics.by_label("streamgauge_lag_records", "topic")
    read = course.events - lag.get(course.topic, course.events)
    cpu_s = metrics.total("process_cpu_seconds_total")
    return Place(time.monotonic(), read, sum(lag.values()), cpu_s)
