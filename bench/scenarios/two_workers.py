"""What a second worker adds when each has a core to itself, and whether both say the same."""

import time
from typing import Final

from bench.alert_log import alerts
from bench.course import Bed, Course, console
from bench.folded import SETTINGS, run
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import deployed

NAME: Final = "two-workers"
TITLE: Final = "Two workers"
ABOUT: Final = """\
One worker pinned to a core (`taskset`), and two workers of one group pinned to a core each. On a machine of two cores the
broker has to share them, with one worker as with two. Of the alerts of both, those about durations and rows are compared by
`event_id`; every 5,000th run takes forty times as long, so there are many."""
WILD_EVERY: Final = 5_000
COMPARED: Final = ("latency", "volume")
LINGER_S: Final = 15.0
SILENCE_S: Final = 5.0
TAIL_MS: Final = 600_000
CORES: Final = ((0,), (0, 1))


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    with bed.recorded(Shape(knobs.events, wild_every=WILD_EVERY)) as course:
        recorded_ms = time.time() * 1000
        for _ in range(knobs.rounds):
            said = [_run(course, cores, section, recorded_ms - TAIL_MS) for cores in CORES]
            section.add("alerts-same", "alerts that both gave", "alerts", len(said[0] & said[1]))
            section.add(
                "alerts-different", "alerts that only one of them gave", "alerts", len(said[0] ^ said[1])
            )
            console.print(f"{len(said[0] & said[1])} alerts the same, {len(said[0] ^ said[1])} not")


def _run(course: Course, cores: tuple[int, ...], section: Section, until_ms: float) -> set[str]:
    """The ids of the alerts that so many workers give on data up to a time; at the end, silence is alarming too."""
    title = "1 worker on 1 core" if len(cores) == 1 else f"{len(cores)} workers, a core each"
    with deployed(course.bed, course.topic, SETTINGS) as deployment:
        outcome = run(deployment, course, cores, LINGER_S)
        section.add(f"pinned-{len(cores)}", title, "events/s", outcome.rate)
        console.print(f"{title}: {outcome.rate:,.0f} events/s")
        return {
            alert.event_id
            for alert in alerts(course.bed.servers, deployment.alerts, SILENCE_S)
            if alert.kind in COMPARED and alert.updated_ms < until_ms
        }
