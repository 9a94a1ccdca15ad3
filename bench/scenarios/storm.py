"""What ten thousand series that fire at once cost: alerts, notices, memory, and how long commands wait meanwhile."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from confluent_kafka import Producer

from bench.alert_log import documents
from bench.commanding import commanding
from bench.course import Bed, Course, Unable, console
from bench.figures import percentile
from bench.folded import RECORDS
from bench.recording import PARTITIONS, send
from bench.results import Section
from bench.run_events import WILD_FACTOR, Shape, events
from bench.scenarios.knobs import Knobs
from bench.worker import Worker, deployed

NAME: Final = "storm"
TITLE: Final = "A storm of alerts"
ABOUT: Final = """\
A worker that has learned 10,000 pipelines from ten runs of each is sent a run of every one of them that takes forty times as long as usual:
over a minute, and all at once. Every 0.2 s somebody gives a command meanwhile, an acknowledgement and a silence by turns; the time runs from when its
record is handed to the producer until its answer is read from the audit topic. Notices are alerts that people are told of (`notify`)."""
SERIES: Final = 10_000
RUNS: Final = 10
KIND: Final = "latency"
FIRST_NUMBER: Final = 1_000_000_000
SPACING_MS: Final = 60
"""Ten minutes between two runs of a pipeline: none is overdue while this is measured."""
OVER_S: Final[Mapping[str, float]] = {"in a minute": 60.0, "at once": 0.0}
USUAL_DURATION_MS: Final = 4_900
USUAL_ROWS: Final = 99_000
LEARN_S_MAX: Final = 300.0
SILENCE_S: Final = 15.0
SETTINGS: Final[Mapping[str, Any]] = {"time": {"allowed_lateness": "1s", "idle_timeout": "2s"}}
RESIDENT: Final = "process_resident_memory_bytes"
MIB: Final = 2**20


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    series = min(SERIES, knobs.series_max, knobs.events // RUNS)
    for _ in range(knobs.rounds):
        for how, over_s in OVER_S.items():
            with bed.recorded(Shape(series * RUNS, series, turns=True, spacing_ms=SPACING_MS)) as course:
                _storm(course, series, how, over_s, section)


def _storm(course: Course, series: int, how: str, over_s: float, section: Section) -> None:
    bed = course.bed
    with deployed(bed, course.topic, SETTINGS) as deployment, deployment.worker() as worker:
        worker.wait(lambda it: it.metrics().total(RECORDS) >= series * RUNS, LEARN_S_MAX)
        worker.wait(Worker.is_idle)
        before = worker.metrics().total(RESIDENT)
        arriving = documents(bed.servers, deployment.alerts, SILENCE_S)
        with commanding(bed.servers, deployment.name, deployment.alerts) as waits_ms:
            began_s = time.monotonic()
            _publish(course, series, over_s)
            told = list(_until_all(arriving, series))
            ended_s = time.monotonic()
        told += arriving
        after = worker.metrics().total(RESIDENT)
    alerts = {(it["alert_id"], it["sequence"]) for it in told}
    opened = {it["alert_id"] for it in told if it["kind"] == KIND}
    name = how.replace(" ", "-")
    if not waits_ms:
        raise Unable("no command was answered")
    section.add(
        f"storm-{name}-lost", f"{how}: series without their alert, of {series:,}", "", series - len(opened)
    )
    section.add(
        f"storm-{name}-twice", f"{how}: records that say what another one did", "", len(told) - len(alerts)
    )
    section.add(f"storm-{name}-notices", f"{how}: notices", "", sum(it["notify"] for it in told))
    section.add(f"storm-{name}-told", f"{how}: until the last alert was read", "s", ended_s - began_s)
    section.add(f"storm-{name}-p50", f"{how}: a command is answered, p50", "ms", percentile(waits_ms, 0.5))
    section.add(f"storm-{name}-max", f"{how}: the one that waited longest", "ms", max(waits_ms))
    section.add(f"storm-{name}-memory", f"{how}: memory before", "MiB", before / MIB)
    section.add(f"storm-{name}-memory-after", f"{how}: memory after", "MiB", after / MIB)
    for figure in section.figures[-8:]:
        console.print(f"{figure.title}: {figure.values[-1]:,.0f} {figure.unit}")


def _until_all(arriving: Iterator[dict[str, Any]], series: int) -> Iterator[dict[str, Any]]:
    """Alerts as they arrive, until each series has one."""
    opened: set[str] = set()
    for alert in arriving:
        yield alert
        if alert["kind"] == KIND:
            opened.add(alert["alert_id"])
        if len(opened) == series:
            return


def _publish(course: Course, series: int, over_s: float) -> None:
    """A wild run of every pipeline, and one of a pipeline that is not among them in every partition at the end."""
    producer = Producer({"bootstrap.servers": course.bed.servers, "linger.ms": 5})
    began_s, steps = time.time(), max(1, round(over_s * 10))
    for step, numbers in enumerate(np.array_split(np.arange(series), steps)):
        time.sleep(max(0.0, began_s + step / 10 - time.time()))
        send(producer, course.topic, _wild(numbers, time.time()))
    time.sleep(0.1)
    send(producer, course.topic, _wild(np.arange(series, series + PARTITIONS), time.time()))
    producer.flush(60)


def _wild(numbers: np.ndarray, now_s: float) -> list[bytes]:
    count = len(numbers)
    times_ms = np.full(count, int(now_s * 1000))
    durations_ms = np.full(count, USUAL_DURATION_MS * WILD_FACTOR)
    return events(numbers, times_ms, FIRST_NUMBER + numbers, durations_ms, np.full(count, USUAL_ROWS))
