"""The page of results, from what was measured: targets, the contest, and every scenario."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench.chart import Bar, chart, thousands
from bench.contest import CONTENDERS
from bench.figures import Summary, ratio, summary
from bench.results import Figure, Results, Section
from bench.targets import OWN, TARGETS

CONTEST: Final = "contenders"
RATE: Final = "events/s"
INTRODUCTION: Final = """\
# Results

Made by `make bench`, which writes this page, the chart and the numbers behind them (`results.json`); `python -m bench --render`
makes the page again from the numbers. A value is the median of the rounds, with the least and the greatest beside it. A ratio is
taken within each round, where both sides met the same machine, and then its median."""


def page(results: Results, picture: str) -> str:
    """The page in Markdown; `picture` is the name of the chart's file."""
    parts = [INTRODUCTION, _setting(results), "## Targets\n\n" + _targets(results)]
    for section in results.sections.values():
        body = _contest(section, results, picture) if section.name == CONTEST else _scenario(section)
        parts.append(f"## {section.title}\n\n{section.about}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def picture(results: Results) -> str:
    """The chart of the contest, as SVG."""
    kinds = {it.name: "own" if it.name in OWN else "state" if it.keeps_state else "bare" for it in CONTENDERS}
    figures = results.sections[CONTEST].figures if CONTEST in results.sections else []
    bars = [
        Bar(figure.title, rates, kinds.get(figure.name, "state"))
        for figure in figures
        if (rates := summary(figure.values))
    ]
    return chart("Run events per second from Apache Kafka, median and spread", bars)


def _setting(results: Results) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    return f"Machine: {machine}.\n\nVersions: {versions}.\n\nLast command: `{results.command}`"


def _targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        measured = target.measured(results)
        verdict = (
            "not measured"
            if measured is None
            else "**pass**"
            if target.holds(measured.median)
            else "**miss**"
        )
        rows.append((target.sentence, _spread(measured, target.form.format), verdict))
    return table(("target", "measured", ""), rows)


def _contest(section: Section, results: Results, picture: str) -> str:
    own = results.values(OWN[0])
    measured = sorted(
        section.figures, key=lambda figure: -(summary(figure.values) or Summary(0, 0, 0)).median
    )
    rows = [
        (
            figure.title,
            _spread(ratio(own, figure.values), "{:.2f} ×".format),
            _value(figure),
            str(len(figure.values)),
            "; ".join(filter(None, (figure.note, figure.error and f"failed: {figure.error}"))),
        )
        for figure in measured
    ]
    heads = ("contender", "Streamgauge, 1 worker, is", RATE, "rounds", "what it did")
    return f"![events per second of every contender]({picture})\n\n{table(heads, rows)}{_conditions(section)}"


def _scenario(section: Section) -> str:
    rows = [
        (figure.title, _value(figure), figure.unit, str(len(figure.values))) for figure in section.figures
    ]
    return table(("", "median (least – greatest)", "unit", "rounds"), rows) + _conditions(section)


def _conditions(section: Section) -> str:
    """When the figures were measured and with how much, said once for all that share it."""
    groups: dict[str, list[str]] = {}
    for figure in section.figures:
        groups.setdefault(figure.conditions, []).append(figure.title)
    if len(groups) == 1:
        return f"\n\n{next(iter(groups))}."
    return "".join(f"\n\n{said}: {'; '.join(titles)}." for said, titles in groups.items())


def _value(figure: Figure) -> str:
    if figure.error and not figure.values:
        return "could not run"
    say = thousands if figure.unit == RATE else "{:,.1f}".format
    return _spread(summary(figure.values), say)


def _spread(measured: Summary | None, say: Callable[[float], str]) -> str:
    if measured is None:
        return "–"
    middle, least, greatest = (say(value) for value in measured)
    return middle if least == greatest else f"{middle} ({least} – {greatest})"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(_lines(heads, rows))


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
