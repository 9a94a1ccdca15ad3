"""The targets: what the figures have to be."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from bench.contest import CONTENDERS
from bench.figures import Summary, ratio, summary
from bench.results import Results

OWN: Final = ("streamgauge", "streamgauge-2")
FOR_TWO: Final = ("kafka-streams-2", "kafka-streams-2-eos")


class Target(NamedTuple):
    """A sentence, what was measured of it, and whether that is enough. The median decides."""

    sentence: str
    measured: Callable[[Results], Summary | None]
    holds: Callable[[float], bool]
    form: str = "{:.2f} ×"


def _times(over: str, under: str) -> Callable[[Results], Summary | None]:
    return lambda results: ratio(results.values(over), results.values(under))


def _figure(name: str) -> Callable[[Results], Summary | None]:
    return lambda results: summary(results.values(name))


def ahead_of_all(results: Results) -> Summary | None:
    """The ratio to the fastest other contender that keeps state with one thread or worker."""
    others = [it.name for it in CONTENDERS if it.keeps_state and it.name not in (*OWN, *FOR_TWO)]
    ratios = [found for name in others if (found := ratio(results.values(OWN[0]), results.values(name)))]
    return min(ratios, default=None)


def steadiness(results: Results) -> Summary | None:
    """How many times the greatest rate is the least, over all numbers of series and the hot one."""
    names = [
        figure.name
        for it in results.sections.values()
        for figure in it.figures
        if figure.name.startswith("rate-")
    ]
    rounds: list[Sequence[float]] = list(zip(*(results.values(name) for name in names), strict=False))
    return summary([max(rates) / min(rates) for rates in rounds])


def differences(results: Results) -> Summary | None:
    """How many alerts differed in the worst round, if there were any alerts to compare."""
    compared, different = results.values("alerts-same"), results.values("alerts-different")
    return summary([max(different)]) if any(compared) or any(different) else None


TARGETS: Final = (
    Target(
        "at least 1.4 × Kafka Streams, 1 worker against 1 thread",
        _times(OWN[0], "kafka-streams-1"),
        lambda it: it >= 1.4,
    ),
    Target(
        "ahead of Kafka Streams, 2 workers against 2 threads",
        _times(OWN[1], "kafka-streams-2"),
        lambda it: it > 1,
    ),
    Target("at least 0.6 × the bare aiokafka client", _times(OWN[0], "aiokafka"), lambda it: it >= 0.6),
    Target("at least 30 × stock Faust", _times(OWN[0], "faust"), lambda it: it >= 30),
    Target("at least 3 × Quix Streams", _times(OWN[0], "quix"), lambda it: it >= 3),
    Target("ahead of every other contender that keeps state", ahead_of_all, lambda it: it > 1),
    Target(
        "rate within 1.5 × from 1 series to 1,000,000, and with a hot one", steadiness, lambda it: it <= 1.5
    ),
    Target(
        "at most 1 KB for each idle series", _figure("idle-series"), lambda it: it <= 1024, "{:,.0f} bytes"
    ),
    Target(
        "p99 from event to alert under 1 s at half load",
        _figure("latency-p99"),
        lambda it: it < 1000,
        "{:,.0f} ms",
    ),
    Target(
        "snapshots cost under 10 % at 100,000 pipelines",
        _figure("snapshot-cost"),
        lambda it: it < 10,
        "{:.1f} %",
    ),
    Target("100,000 pipelines are back in under 10 s", _figure("recovery"), lambda it: it < 10, "{:.1f} s"),
    Target(
        "2 workers give at least 1.7 × of 1, each with its own processor time",
        _times("seated-2", "seated-1"),
        lambda it: it >= 1.7,
    ),
    Target(
        "2 workers give the same alerts as 1",
        differences,
        lambda it: it == 0,
        "{:.0f} differ",
    ),
    Target(
        "a backtest reads at least 0.8 × as fast as a live worker",
        _figure("backtest-share"),
        lambda it: it >= 0.8,
        "{:.2f} ×",
    ),
    Target(
        "at least 100,000 JSON records of 20 fields a second, their structure followed",
        _figure("structure-flat-ingest and detect"),
        lambda it: it >= 100_000,
        "{:,.0f} a second",
    ),
)
