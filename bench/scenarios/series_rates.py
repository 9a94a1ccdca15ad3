"""Whether the rate depends on how many series there are, or on one of them being hot."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Final, NamedTuple

from bench.course import Bed, Outcome, console, warm_up_of
from bench.folded import Gauge
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs

NAME: Final = "series-rates"
TITLE: Final = "Rate by number of series"
ABOUT: Final = """\
One worker over topics that differ in how many pipelines there are. Each pipeline has five series: latency, rows, failures,
duplicates and freshness; so 200,000 pipelines are a million series. All pipelines have had 64 runs, which is as many as are remembered one by one,
before the clock starts, of a million pipelines one: a young series costs more, for what is ordinary in it changes with every run. How fast they are
until then is told apart. In the topic with a hot series, half of all records belong to one of 1,000 pipelines, and the other half to all."""
FEW: Final = 1_000
RUNS_MIN: Final = 3
YOUNG_RUNS: Final = 64
PIPELINES: Final = (1, 1_000, 20_000, 200_000, 1_000_000)
WITHIN: Final = 200_000
"""The target is about so many; what is beyond is measured all the same."""


class Rate(NamedTuple):
    """One topic: what its figure is called, what it holds, and how many events are read before the clock starts."""

    name: str
    title: str
    shape: Shape
    warm_up: int = 0
    until_then: str = ""


def rates(knobs: Knobs) -> list[Rate]:
    """The topics. Each is as many events longer than the others as its warm-up is longer than theirs."""
    counts = [count for count in PIPELINES if count <= min(knobs.series_max, knobs.events // RUNS_MIN)]
    hot = Shape(knobs.events, 1_000, hot=True)
    return [
        *(_rate(count, knobs.events) for count in counts),
        Rate("rate-hot", "1,000 pipelines, one with half of the records", hot),
    ]


def _rate(count: int, events: int) -> Rate:
    title = f"{count:,} pipeline{'s' * (count > 1)}"
    if count > WITHIN:
        shape = Shape(events, count, turns=True)
        return Rate(f"beyond-{count}", title, shape, count, "while they come into being")
    warm_up = count * YOUNG_RUNS
    shape = Shape(events + max(0, warm_up - warm_up_of(events)), count, turns=True)
    return Rate(f"rate-{count}", title, shape, warm_up, f"in their first {YOUNG_RUNS} runs")


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    with ExitStack() as stack:
        courses = {
            rate: replace(stack.enter_context(bed.recorded(rate.shape)), warm_up_min=rate.warm_up)
            for rate in rates(knobs)
        }
        Gauge().measure(next(iter(courses.values())))  # the broker's own warm-up
        for _ in range(knobs.rounds):
            for rate, course in courses.items():
                _tell(rate, Gauge().measure(course), section)


def _tell(rate: Rate, outcome: Outcome, section: Section) -> None:
    section.add(rate.name, rate.title, "events/s", outcome.rate)
    if outcome.early_rate and rate.shape.series > FEW:
        section.add(f"new-{rate.name}", f"{rate.title}, {rate.until_then}", "events/s", outcome.early_rate)
    console.print(f"{rate.title}: {outcome.rate:,.0f} events/s")
