"""How fast workers are, told from how many records they have in stored state at which times."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bench.course import Course, Outcome, Unable
from bench.worker import POLL_S, Deployment, Worker, deployed

DEADLINE_S: Final = 300.0
SETTINGS: Final[dict[str, Any]] = {"snapshot_interval": "1s", "limits": {"series_max": 2_000_000}}
BURST_S_MAX: Final = 0.5
SHARE_MIN: Final = 0.5
DID: Final = "default detectors on all signals; snapshots every second, alerts written"
RECORDS: Final = "streamgauge_records_total"


class Seen(NamedTuple):
    """So many records were in stored state at this time."""

    seconds: float
    records: float


def settled(points: Sequence[Seen]) -> list[Seen]:
    """The points at which a round of snapshots was complete.

    The count rises shard by shard while the state is stored, and then stands still until the next interval. Of
    points in quick succession, the last says how many records belong to all the time since the last such point.
    """
    ends: list[Seen] = []
    burst_began_s = float("-inf")
    for point in points:
        if (
            ends
            and point.seconds - ends[-1].seconds < 2 * POLL_S
            and point.seconds - burst_began_s < BURST_S_MAX
        ):
            ends[-1] = point
        elif not ends or point.records > ends[-1].records:
            ends.append(point)
            burst_began_s = point.seconds
    return ends


def lap(points: Sequence[Seen], warm_up: int, events: int) -> tuple[int, float]:
    """The events after the warm-up and the seconds that they took.

    From the first snapshot behind the warm-up to the last before the end, because the very last waits for its interval
    with nothing left to do; to the end itself where this would leave out half of the events.
    """
    ends = settled(points)
    first = next((point for point in ends if point.records >= warm_up), ends[-1])
    later = [point for point in ends if point.records > first.records]
    full = [point for point in later if point.records < events]
    enough = bool(full) and full[-1].records - first.records >= SHARE_MIN * (events - first.records)
    last = full[-1] if enough else later[-1] if later else None
    if last is None:
        raise Unable("everything was stored at once: too few events to tell the rate")
    return int(last.records - first.records), last.seconds - first.seconds


def early_rate(points: Sequence[Seen], warm_up: int) -> float | None:
    """Events per second from the first snapshot to the last one within the warm-up; None when there are too few."""
    early = [point for point in settled(points) if point.records <= warm_up]
    if len(early) < 2:
        return None
    return (early[-1].records - early[0].records) / (early[-1].seconds - early[0].seconds)


def watch(workers: Sequence[Worker], events: int) -> Iterator[Seen]:
    """How many records are in the stored state of these workers, at every change, until it is so many."""
    deadline = time.monotonic() + DEADLINE_S
    before = records = 0.0
    while records < events:
        if time.monotonic() > deadline:
            raise Unable(f"{records:,.0f} of {events:,} events within {DEADLINE_S:.0f} s")
        readings = [worker.metrics() for worker in workers]
        now = time.monotonic()
        records = sum(reading.total(RECORDS) for reading in readings)
        if records > before and all(reading.total("streamgauge_assigned_partitions") for reading in readings):
            yield Seen(now, records)
            before = records
        time.sleep(POLL_S)


def run(
    deployment: Deployment, course: Course, cores: Sequence[int | None] = (None,), linger_s: float = 0.0
) -> Outcome:
    """Have one worker for each of the cores read the course, and live on for a while."""
    with ExitStack() as stack:
        workers = [stack.enter_context(deployment.worker(core)) for core in cores]
        points = list(watch(workers, course.events))
        time.sleep(linger_s)
    events, seconds = lap(points, course.warm_up, course.events)
    return Outcome(events, seconds, DID, early_rate(points, course.warm_up))


@dataclass(frozen=True)
class Gauge:
    """Streamgauge as a contender."""

    name: str = "streamgauge"
    title: str = "Streamgauge, 1 worker"
    workers: int = 1
    keeps_state: bool = True

    def measure(self, course: Course) -> Outcome:
        with deployed(course.bed, course.topic, SETTINGS) as deployment:
            return run(deployment, course, (None,) * self.workers)
