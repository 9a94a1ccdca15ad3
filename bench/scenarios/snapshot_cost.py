"""What snapshots cost while 100,000 pipelines are live."""

from typing import Final

from bench.course import Bed, Course, console
from bench.folded import SETTINGS, Lap, lap, watch
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import deployed

NAME: Final = "snapshot-cost"
TITLE: Final = "What snapshots cost"
ABOUT: Final = """\
One worker over the same topic of 100,000 live pipelines, twice as long as the others, with the default snapshot interval of 5 s and
with one of an hour, that is, without snapshots. The processor time is that of all threads of the worker."""
SERIES: Final = 100_000


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    series = min(SERIES, knobs.series_max)
    with bed.recorded(Shape(2 * knobs.events, series)) as course:
        for _ in range(knobs.rounds):
            stored, unstored = _lap(course, "5s"), _lap(course, "1h")
            _tell(section, series, stored, unstored)


def _tell(section: Section, series: int, stored: Lap, unstored: Lap) -> None:
    cost = 100 * (1 - stored.rate / unstored.rate)
    section.add("snapshots", f"{series:,} pipelines, snapshots every 5 s", "events/s", stored.rate)
    section.add("no-snapshots", f"{series:,} pipelines, no snapshots", "events/s", unstored.rate)
    section.add("snapshot-cost", "cost of snapshots in events/s", "%", cost)
    section.add(
        "snapshots-cpu", "processor time, snapshots every 5 s", "µs an event", stored.cpu_us_per_event
    )
    section.add("no-snapshots-cpu", "processor time, no snapshots", "µs an event", unstored.cpu_us_per_event)
    console.print(f"snapshots cost {cost:.1f} %: {stored.rate:,.0f} of {unstored.rate:,.0f} events/s")


def _lap(course: Course, interval: str) -> Lap:
    settings = {**SETTINGS, "snapshot_interval": interval}
    with deployed(course.bed, course.topic, settings) as deployment, deployment.worker() as worker:
        return lap(list(watch([worker], course.events)), course.warm_up)
