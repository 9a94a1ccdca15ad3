"""What a second worker adds when each has processor time to itself, and whether both say the same."""

import time
from typing import Final

from bench.alert_log import alerts
from bench.course import Bed, Course, console
from bench.folded import SETTINGS, run
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.seats import are_whole_cores, seats
from bench.worker import deployed

NAME: Final = "two-workers"
TITLE: Final = "Two workers"
ABOUT: Final = """\
One worker, and two workers of one group, each with processor time of its own: pinned to a core where two more are left for
the broker, else with a quota of half a core. Of the alerts of both, those about durations and rows are compared by
`event_id`; every 5,000th run takes forty times as long, so there are many."""
WILD_EVERY: Final = 5_000
COMPARED: Final = ("latency", "volume")
LINGER_S: Final = 15.0
SILENCE_S: Final = 5.0
TAIL_MS: Final = 600_000
WORKERS: Final = (1, 2)


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    with bed.recorded(Shape(knobs.events, wild_every=WILD_EVERY)) as course:
        recorded_ms = time.time() * 1000
        for _ in range(knobs.rounds):
            said = [_run(course, workers, section, recorded_ms - TAIL_MS) for workers in WORKERS]
            section.add("alerts-same", "alerts that both gave", "alerts", len(said[0] & said[1]))
            section.add(
                "alerts-different", "alerts that only one of them gave", "alerts", len(said[0] ^ said[1])
            )
            console.print(f"{len(said[0] & said[1])} alerts the same, {len(said[0] ^ said[1])} not")


def _run(course: Course, workers: int, section: Section, until_ms: float) -> set[str]:
    """The ids of the alerts that so many workers give on data up to a time; at the end, silence is alarming too."""
    share = "a core" if are_whole_cores(max(WORKERS)) else "half a core"
    title = f"{workers} workers, {share} each" if workers > 1 else f"{workers} worker with {share}"
    with (
        deployed(course.bed, course.topic, SETTINGS) as deployment,
        seats(workers, alike=max(WORKERS)) as places,
    ):
        outcome = run(deployment, course, places, LINGER_S)
        section.add(f"seated-{workers}", title, "events/s", outcome.rate)
        console.print(f"{title}: {outcome.rate:,.0f} events/s")
        return {
            alert.event_id
            for alert in alerts(course.bed.servers, deployment.alerts, SILENCE_S)
            if alert.kind in COMPARED and alert.updated_ms < until_ms
        }
