"""How fast a backtest reads a topic, beside a live worker on the same topic."""

import json
import subprocess
from typing import Final

from bench.course import Bed, Course, Unable, console
from bench.folded import DEADLINE_S, SETTINGS, run
from bench.machine import PYTHON, ROOT
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs
from bench.worker import Deployment, deployed

NAME: Final = "backtest"
TITLE: Final = "Backtest"
ABOUT: Final = """\
One worker and one backtest of the same topic with the same configuration, one after the other in each round. The clock of either runs
from the end of the first fifth of the records to the last one folded in. A backtest writes nothing to Kafka and stores no snapshots."""
WILD_EVERY: Final = 50_000


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    with bed.recorded(Shape(knobs.events, wild_every=WILD_EVERY)) as course:
        for _ in range(knobs.rounds):
            with deployed(bed, course.topic, SETTINGS) as deployment:
                live = run(deployment, course).rate
                rate = _backtest(deployment, course)
            section.add("backtest-live", "live worker", "events/s", live)
            section.add("backtest-rate", "backtest", "events/s", rate)
            section.add("backtest-share", "backtest, as share of the live worker", "×", rate / live)
            console.print(f"live {live:,.0f} events/s, backtest {rate:,.0f} events/s: {rate / live:.2f} ×")


def _backtest(deployment: Deployment, course: Course) -> float:
    command = [
        str(PYTHON),
        "-m",
        "bench.backtested",
        str(deployment.config),
        course.topic,
        str(course.warm_up),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    if done.returncode != 0:
        raise Unable(f"backtest: {done.stderr}")
    said = json.loads(done.stdout)
    if not said["events"]:
        raise Unable("everything was read at once: too few events to tell the rate")
    return float(said["events"] / said["seconds"])
