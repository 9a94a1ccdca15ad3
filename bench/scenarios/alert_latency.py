"""How long it takes from an event to its alert at half load."""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench.alert_log import Alert, alerts
from bench.course import Bed, Course, Unable, console
from bench.figures import percentile
from bench.folded import RECORDS
from bench.machine import PYTHON, ROOT
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import Worker, deployed

NAME: Final = "alert-latency"
TITLE: Final = "From event to alert"
LATENESS_MS: Final = 1_000
ABOUT: Final = f"""\
A worker that has learned 1,000 pipelines from 200,000 events is sent fresh events at half of full load. Full load is what it folds in
while a publisher on the same machine sends as much as it can, so publisher, broker and worker share its cores. Ten
times a second one of them is a run that takes forty times as long as usual, each of another pipeline. The time runs from its event
time, which is when it is handed to the producer, until a subscriber of the alert topic has the alert. `time.allowed_lateness` was
{LATENESS_MS / 1000:g} s, for which every event has to wait; it is taken off. A run is judged by itself, so no window's length is
in it. Publisher and subscriber run on the same machine."""
SERIES: Final = 1_000
LEARNED: Final = 200_000
SILENCE_S: Final = 20.0
UNLIMITED: Final = 2_000_000.0
FULL_S: Final = 24.0
LEARNT: Final = Shape(LEARNED, SERIES, spacing_ms=5)
LEARN_S_MAX: Final = 300.0
SETTINGS: Final[Mapping[str, Any]] = {
    "time": {"allowed_lateness": f"{LATENESS_MS // 1000}s", "idle_timeout": "2s"}
}


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    for _ in range(knobs.rounds):
        full_rate = knobs.full_rate or _full_load(bed)
        section.add("latency-full", "full load, the publisher beside it", "events/s", full_rate)
        with bed.recorded(LEARNT) as course:
            waits_ms, wild = _waits(course, full_rate / 2, knobs.live_s)
        _tell(section, full_rate / 2, waits_ms, wild)


def _full_load(bed: Bed) -> float:
    """Events per second that a worker folds in while more is published than it can take."""
    with (
        bed.recorded(LEARNT) as course,
        deployed(bed, course.topic, SETTINGS) as deployment,
        deployment.worker() as worker,
    ):
        _learn(worker)
        with _publisher(course, UNLIMITED, FULL_S):
            time.sleep(FULL_S / 2)
            first, started_s = worker.metrics().total(RECORDS), time.monotonic()
            time.sleep(FULL_S / 2 - 1)
            return (worker.metrics().total(RECORDS) - first) / (time.monotonic() - started_s)


def _learn(worker: Worker) -> None:
    worker.wait(lambda it: it.metrics().total(RECORDS) >= LEARNED, LEARN_S_MAX)
    worker.wait(Worker.is_idle)


def _publisher(course: Course, rate: float, seconds: float) -> "subprocess.Popen[str]":
    arguments = [course.bed.servers, course.topic, str(rate), str(seconds), str(SERIES)]
    command = [str(PYTHON), "-m", "bench.live", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _tell(section: Section, rate: float, waits_ms: list[float], wild: int) -> None:
    if not waits_ms:
        raise Unable(f"none of {wild} wild runs gave an alert")
    beyond_ms = [wait_ms - LATENESS_MS for wait_ms in waits_ms]
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        value = percentile(beyond_ms, share)
        section.add(f"latency-{name}", f"{name}, beyond the allowed lateness", "ms", value)
        console.print(
            f"event to alert at {rate:,.0f} events/s, {name}: {value:,.0f} ms beyond the allowed lateness"
        )
    section.add("latency-load", "load", "events/s", rate)
    section.add("latency-found", "wild runs that gave an alert", "%", 100 * len(waits_ms) / wild)


def _waits(course: Course, rate: float, seconds: float) -> tuple[list[float], int]:
    """Milliseconds from each wild run that gave an alert to the alert, and the number of wild runs."""
    bed = course.bed
    with deployed(bed, course.topic, SETTINGS) as deployment, deployment.worker() as worker:
        _learn(worker)
        with _publisher(course, rate, seconds) as publisher:
            arrived = list(alerts(bed.servers, deployment.alerts, SILENCE_S, seconds + SILENCE_S))
            lines = publisher.stdout or ()
            wild = {said["pipeline"]: said["time_ms"] for said in map(json.loads, lines)}
    return list(waits(wild, arrived)), len(wild)


def waits(wild: Mapping[str, int], arrived: Iterable[Alert]) -> Iterable[float]:
    """How long after each wild run the first alert about its pipeline's durations came."""
    first: dict[str, float] = {}
    for alert in arrived:
        if alert.kind == "latency" and alert.updated_ms >= wild.get(alert.pipeline, 2**63):
            first.setdefault(alert.pipeline, alert.arrived_ms)
    return (arrived_ms - wild[pipeline] for pipeline, arrived_ms in first.items())
