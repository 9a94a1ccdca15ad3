"""Whether the rate depends on how many series there are, or on one of them being hot."""

from contextlib import ExitStack
from typing import Final

from bench.course import Bed, console
from bench.folded import Gauge
from bench.results import Section
from bench.run_events import Shape
from bench.scenarios.knobs import Knobs

NAME: Final = "series-rates"
TITLE: Final = "Rate by number of series"
ABOUT: Final = """\
One worker over topics that differ in how many pipelines there are. Each pipeline has five series: latency, rows, failures,
duplicates and freshness; so 200,000 pipelines are a million series. All pipelines have had a run
before the clock starts, and how fast they come into being is told apart. In the topic with a hot series, half of all records
belong to one of 1,000 pipelines, and the other half to all."""
FEW: Final = 1_000
RUNS_MIN: Final = 3
PIPELINES: Final = (1, 1_000, 20_000, 200_000, 1_000_000)
WITHIN: Final = 200_000
"""The target is about so many; what is beyond is measured all the same."""


def shapes(knobs: Knobs) -> dict[str, tuple[str, Shape]]:
    """The topics, by the names of their figures."""
    counts = [count for count in PIPELINES if count <= min(knobs.series_max, knobs.events // RUNS_MIN)]
    many = {
        f"{'rate' if count <= WITHIN else 'beyond'}-{count}": (
            f"{count:,} pipeline{'s' * (count > 1)}",
            Shape(knobs.events, count, turns=True),
        )
        for count in counts
    }
    return many | {
        "rate-hot": ("1,000 pipelines, one with half of the records", Shape(knobs.events, 1_000, hot=True))
    }


def measure(bed: Bed, knobs: Knobs, section: Section) -> None:
    with ExitStack() as stack:
        courses = {
            name: (title, stack.enter_context(bed.recorded(shape)))
            for name, (title, shape) in shapes(knobs).items()
        }
        Gauge().measure(next(iter(courses.values()))[1])  # the broker's own warm-up
        for _ in range(knobs.rounds):
            for name, (title, course) in courses.items():
                outcome = Gauge().measure(course)
                section.add(name, title, "events/s", outcome.rate)
                if outcome.early_rate and course.warm_up_min > FEW:
                    section.add(
                        f"new-{name}", f"{title}, while they come into being", "events/s", outcome.early_rate
                    )
                console.print(f"{title}: {outcome.rate:,.0f} events/s")
