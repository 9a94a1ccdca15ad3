"""How fast workers are, told from how many records they have ingested and folded into their state at which times.

Ingest runs ahead of detect. So the clock starts when a warm-up is folded in, and what counts are the records that
ingest had not read yet: all that is counted has been through both within the time.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bench.course import Course, Outcome, Unable
from bench.seats import Seat
from bench.worker import POLL_S, Deployment, Metrics, Worker, deployed

DEADLINE_S: Final = 600.0
SETTINGS: Final[dict[str, Any]] = {"limits": {"series_max": 2_000_000}}
DID: Final = "default detectors on all signals; snapshots and alerts written"
INGESTED: Final = "streamgauge_ingested_records_total"
RECORDS: Final = "streamgauge_folded_records_total"


class Seen(NamedTuple):
    """So many records were ingested, and folded in, at this time; all threads had needed so much processor time."""

    seconds: float
    ingested: float
    folded: float
    cpu_s: float


class Lap(NamedTuple):
    """What was done after the warm-up."""

    events: int
    seconds: float
    cpu_us_per_event: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def lap(points: Sequence[Seen], warm_up: int) -> Lap:
    """From the first reading behind the warm-up to the last.

    Raises:
        Unable: all was ingested before the warm-up was folded in.
    """
    first, last = next((point for point in points if point.folded >= warm_up), points[-1]), points[-1]
    events = int(last.folded - first.ingested)
    if events <= 0:
        raise Unable("everything was read at once: too few events to tell the rate")
    return Lap(events, last.seconds - first.seconds, (last.cpu_s - first.cpu_s) / events * 1e6)


def early_rate(points: Sequence[Seen], warm_up: int) -> float | None:
    """Events per second from the first reading to the last one within the warm-up; None when there are too few."""
    early = [point for point in points if 0 < point.folded <= warm_up]
    if len(early) < 2:
        return None
    return (early[-1].folded - early[0].folded) / (early[-1].seconds - early[0].seconds)


def watch(workers: Sequence[Worker], events: int) -> Iterator[Seen]:
    """How far these workers are, at every change, until they have folded in so many records."""
    deadline = time.monotonic() + DEADLINE_S
    before = Seen(0.0, 0.0, 0.0, 0.0)
    while before.folded < events:
        if time.monotonic() > deadline:
            raise Unable(f"{before.folded:,.0f} of {events:,} events within {DEADLINE_S:.0f} s")
        seen = _seen([worker.metrics() for worker in workers])
        if seen is not None and (seen.ingested, seen.folded) > (before.ingested, before.folded):
            yield seen
            before = seen
        time.sleep(POLL_S)


def _seen(readings: Sequence[Metrics]) -> Seen | None:
    """How far workers are together; None while one of them has no part in the work."""
    if not all(reading.total("streamgauge_assigned_partitions") for reading in readings):
        return None
    ingested, folded, cpu_s = (
        sum(reading.total(name) for reading in readings)
        for name in (INGESTED, RECORDS, "process_cpu_seconds_total")
    )
    return Seen(time.monotonic(), ingested, folded, cpu_s)


def run(
    deployment: Deployment, course: Course, seats: Sequence[Seat] = ((),), linger_s: float = 0.0
) -> Outcome:
    """Have a worker on each of the seats read the course, and live on for a while."""
    with ExitStack() as stack:
        workers = [stack.enter_context(deployment.worker(seat)) for seat in seats]
        points = list(watch(workers, course.events))
        time.sleep(linger_s)
    done = lap(points, course.warm_up)
    return Outcome(done.events, done.seconds, DID, early_rate(points, course.warm_up))


@dataclass(frozen=True)
class Gauge:
    """Streamgauge as a contender."""

    name: str = "streamgauge"
    title: str = "Streamgauge, 1 worker"
    workers: int = 1
    keeps_state: bool = True

    def measure(self, course: Course) -> Outcome:
        with deployed(course.bed, course.topic, SETTINGS) as deployment:
            return run(deployment, course, ((),) * self.workers)
