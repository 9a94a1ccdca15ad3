"""What snapshots cost while 100,000 pipelines are live."""

from typing import Final

from bench.course import Bed, Course, console
from bench.handled import Pace, pace, watch
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.stored import SETTINGS
from bench.worker import deployed

NAME: Final = "snapshot-cost"
TITLE: Final = "What snapshots cost"
ABOUT: Final = """\
One worker over the same topic of 100,000 live pipelines, twice as long as the others, with the default snapshot interval of 5 s and
with one of an hour, that is, without snapshots. Told from the worker's lag, from its first reading after the warm-up to the first at
which nothing waits; it is renewed every second. The processor time is that of all threads of the worker."""
SERIES: Final = 100_000


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    series = min(SERIES, knobs.series_max)
    with bed.recorded(Shape(2 * knobs.events, series)) as course:
        for _ in range(knobs.rounds):
            stored, unstored = _pace(course, "5s"), _pace(course, "1h")
            _tell(section, series, stored, unstored)


def _tell(section: Section, series: int, stored: Pace, unstored: Pace) -> None:
    cost = 100 * (1 - stored.events_per_s / unstored.events_per_s)
    section.add("snapshots", f"{series:,} pipelines, snapshots every 5 s", "events/s", stored.events_per_s)
    section.add("no-snapshots", f"{series:,} pipelines, no snapshots", "events/s", unstored.events_per_s)
    section.add("snapshot-cost", "cost of snapshots in events/s", "%", cost)
    section.add(
        "snapshots-cpu", "processor time, snapshots every 5 s", "µs an event", stored.cpu_us_per_event
    )
    section.add("no-snapshots-cpu", "processor time, no snapshots", "µs an event", unstored.cpu_us_per_event)
    console.print(
        f"snapshots cost {cost:.1f} %: {stored.events_per_s:,.0f} of {unstored.events_per_s:,.0f} events/s"
    )


def _pace(course: Course, interval: str) -> Pace:
    settings = {**SETTINGS, "snapshot_interval": interval}
    with deployed(course.bed, course.topic, settings) as deployment, deployment.worker() as worker:
        return pace(list(watch(worker, course)), course.warm_up, course.events)
