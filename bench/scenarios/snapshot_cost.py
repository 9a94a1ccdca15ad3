"""What snapshots cost while 100,000 pipelines are live."""

from typing import Final

from bench.course import Bed, Course, console
from bench.handled import rate, watch
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.stored import SETTINGS
from bench.worker import deployed

NAME: Final = "snapshot-cost"
TITLE: Final = "What snapshots cost"
ABOUT: Final = """\
One worker over the same topic of 100,000 live pipelines, with the default snapshot interval of 5 s and with one of an hour, that
is, without snapshots. Told from the worker's lag, between its first and last reading after the warm-up."""
SERIES: Final = 100_000


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    series = min(SERIES, knobs.series_max)
    with bed.recorded(Shape(knobs.events, series)) as course:
        for _ in range(knobs.rounds):
            stored, unstored = _rate(course, "5s"), _rate(course, "1h")
            section.add("snapshots", f"{series:,} pipelines, snapshots every 5 s", "events/s", stored)
            section.add("no-snapshots", f"{series:,} pipelines, no snapshots", "events/s", unstored)
            section.add("snapshot-cost", "cost of snapshots", "%", 100 * (1 - stored / unstored))
            console.print(f"with snapshots {stored:,.0f} events/s, without {unstored:,.0f}")


def _rate(course: Course, interval: str) -> float:
    settings = {**SETTINGS, "snapshot_interval": interval}
    with deployed(course.bed, course.topic, settings) as deployment, deployment.worker() as worker:
        return rate(list(watch(worker, course)), course.warm_up, course.events)
