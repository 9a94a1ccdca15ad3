"""How long a worker that was killed takes to be back with the state of 100,000 pipelines."""

from typing import Final

from bench.course import Bed, console
from bench.folded import SETTINGS
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import Deployment, Worker, deployed

NAME: Final = "recovery"
TITLE: Final = "Recovery"
ABOUT: Final = """\
A worker that follows 100,000 pipelines and has nothing left to read is killed (SIGKILL) and another one started at once. The time
runs from its start until it is ready and again follows as many series as before, and contains starting Python and the wait until
Kafka gives up the dead member of the group (`session.timeout.ms`, here 6 s), which is also told apart."""
PIPELINES: Final = 100_000
RUNS: Final = 5
READ_S_MAX: Final = 600.0
RECOVER_S_MAX: Final = 300.0
GROUP: Final = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500}
SERIES: Final = "streamgauge_series"
SNAPSHOTS: Final = "streamgauge_snapshots_total"
SNAPSHOTS_MORE: Final = 10
"""Of every shard one at least that was begun when all was folded in."""


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    pipelines = min(PIPELINES, knobs.series_max, knobs.events // RUNS)
    shape = Shape(pipelines * RUNS, pipelines)
    settings = {**SETTINGS, "kafka": {"bootstrap.servers": bed.servers, **GROUP}}
    with bed.recorded(shape) as course:
        for _ in range(knobs.rounds):
            with deployed(bed, course.topic, settings) as deployment:
                series = _filled_and_killed(deployment, shape.events)
                assigned_s, loaded_s = _recovered(deployment, series)
            section.add(
                "recovery", f"until ready, {series:,.0f} series of {pipelines:,} pipelines", "s", loaded_s
            )
            section.add("assigned", "of that, until the group had assigned the partitions", "s", assigned_s)
            section.add("loading", "of that, loading the state", "s", loaded_s - assigned_s)
            console.print(
                f"recovered {series:,.0f} series in {loaded_s:.1f} s, assigned after {assigned_s:.1f} s"
            )


def _filled_and_killed(deployment: Deployment, events: int) -> float:
    """How many series a worker followed when it was killed."""
    with deployment.worker() as worker:
        worker.wait(lambda it: it.metrics().total("streamgauge_records_total") >= events, READ_S_MAX)
        worker.wait(Worker.is_idle)
        stored = worker.metrics().total(SNAPSHOTS)
        worker.wait(lambda it: it.metrics().total(SNAPSHOTS) >= stored + SNAPSHOTS_MORE)
        series = worker.metrics().total(SERIES)
        worker.kill()
    return series


def _recovered(deployment: Deployment, series: float) -> tuple[float, float]:
    """Seconds from the start of a new worker until it had its partitions, and until it had its state."""
    with deployment.worker() as worker:
        assigned_s = worker.wait(
            lambda it: it.metrics().total("streamgauge_assigned_partitions") > 0, RECOVER_S_MAX
        )
        loaded_s = worker.wait(
            lambda it: it.metrics().total(SERIES) >= series and it.is_ready(), RECOVER_S_MAX
        )
    return assigned_s - worker.started_s, loaded_s - worker.started_s
