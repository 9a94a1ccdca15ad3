"""How much memory an idle series takes."""

import time
from typing import Final

from bench.course import Bed, console
from bench.folded import SETTINGS
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import POLL_S, Worker, deployed

NAME: Final = "idle-memory"
TITLE: Final = "Memory of idle series"
ABOUT: Final = """\
Two workers, one after the other, read equally many run events with durations and rows: about five for each of many pipelines, or all
for 1,000 pipelines. When each has nothing left to do, the difference of their resident memory is divided by that of their series
(`streamgauge_series`)."""
RUNS: Final = 5
FEW: Final = 1_000
MANY: Final = 100_000
SETTLE_S: Final = 15.0
READ_S_MAX: Final = 600.0


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    many = min(MANY, knobs.series_max, knobs.events // RUNS)
    for _ in range(knobs.rounds):
        few_bytes, few_series = _settled(bed, Shape(many * RUNS, FEW))
        many_bytes, many_series = _settled(bed, Shape(many * RUNS, many))
        each = (many_bytes - few_bytes) / (many_series - few_series)
        section.add("idle-series", f"each series, of {many_series:,.0f}", "bytes", each)
        section.add(
            "idle-pipeline", f"each pipeline, of {many:,}", "bytes", (many_bytes - few_bytes) / (many - FEW)
        )
        section.add(
            "resident", f"the worker with all of them, {many_series:,.0f} series", "MiB", many_bytes / 2**20
        )
        section.add("resident-few", f"the worker with {few_series:,.0f} series", "MiB", few_bytes / 2**20)
        console.print(f"{each:,.0f} bytes for each of {many_series:,.0f} series")


def _settled(bed: Bed, shape: Shape) -> tuple[float, float]:
    """Resident bytes and the number of series of a worker that has read such a topic."""
    with (
        bed.recorded(shape) as course,
        deployed(bed, course.topic, SETTINGS) as deployment,
        deployment.worker() as worker,
    ):
        worker.wait(lambda it: it.metrics().total("streamgauge_records_total") >= shape.events, READ_S_MAX)
        worker.wait(Worker.is_idle)
        return _least_resident(worker), worker.metrics().total("streamgauge_series")


def _least_resident(worker: Worker) -> float:
    """The least resident memory within some seconds: what it holds, without what single steps need."""
    least, deadline = float("inf"), time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        least = min(least, worker.metrics().total("process_resident_memory_bytes") or least)
        time.sleep(POLL_S)
    return least
