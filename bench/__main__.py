"""`make bench`: Streamgauge beside its peers, and what it does under load. Results go to bench/RESULTS.md.

python -m bench                                   everything, three rounds, 3,000,000 events
python -m bench --quick                           everything, small, into build/bench: does it run?
python -m bench --only streamgauge kafka-streams-1 --rounds 5
python -m bench --render                          only makes the page from results.json again
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

from confluent_kafka import KafkaException

from bench import contest, page, results, stages, structure
from bench.course import Bed, Unable, bed, console
from bench.machine import ROOT, machine, versions
from bench.scenarios import (
    alert_latency,
    backtest,
    idle_memory,
    recovery,
    series_rates,
    snapshot_cost,
    storm,
    two_workers,
)
from bench.scenarios.knobs import Knobs

SCENARIOS: Final[Sequence[ModuleType]] = (
    series_rates,
    idle_memory,
    alert_latency,
    snapshot_cost,
    recovery,
    two_workers,
    backtest,
    storm,
)
STAGES: Final = "stages"
STAGES_EVENTS_MAX: Final = 300_000
EVENTS, EVENTS_QUICK = 3_000_000, 200_000
SERIES_MAX, SERIES_MAX_QUICK = 1_000_000, 20_000
ROUNDS, LIVE_S, LIVE_S_QUICK = 3, 60.0, 20.0


@dataclass(frozen=True)
class Plan:
    """What is to be measured, how large, and where it is written."""

    chosen: frozenset[str]
    knobs: Knobs
    folder: Path

    @property
    def conditions(self) -> str:
        """When and with how much."""
        when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{when}, {self.knobs.events:,} events in a full course, {self.knobs.rounds} rounds"


def main() -> None:
    """Measure what is asked for; what was done is written after every benchmark, so that an end halfway loses nothing."""
    options = _parser().parse_args()
    plan = _plan(options)
    plan.folder.mkdir(parents=True, exist_ok=True)
    known = results.load(plan.folder / "results.json")
    if not options.render:
        known.command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
        known.machine, known.versions = machine(), versions()
        _measure(plan, known)
    _write(known, plan.folder)


def _measure(plan: Plan, known: results.Results) -> None:
    if STAGES in plan.chosen:
        section = results.Section(STAGES, stages.TITLE, stages.ABOUT)
        stages.measure_into(section, min(plan.knobs.events, STAGES_EVENTS_MAX))
        _keep(section, plan, known)
    if structure.NAME in plan.chosen:
        section = results.Section(structure.NAME, structure.TITLE, structure.ABOUT)
        structure.measure_into(section, min(plan.knobs.events, STAGES_EVENTS_MAX))
        _keep(section, plan, known)
    contenders = [it for it in contest.CONTENDERS if it.name in plan.chosen]
    scenarios = [it for it in SCENARIOS if it.NAME in plan.chosen]
    if not contenders and not scenarios:
        return
    with bed() as ground:
        if contenders:
            section = results.Section(contest.NAME, contest.TITLE, contest.ABOUT)
            for _ in contest.measure(ground, contenders, plan.knobs.events, plan.knobs.rounds, section):
                _keep(section, plan, known)
        for scenario in scenarios:
            _scenario(scenario, ground, plan, known)


def _scenario(scenario: ModuleType, ground: Bed, plan: Plan, known: results.Results) -> None:
    console.print(f"\n{scenario.TITLE}", style="bold")
    section = results.Section(scenario.NAME, scenario.TITLE, scenario.ABOUT)
    try:
        scenario.measure(ground, plan.knobs, section)
    except (Unable, KafkaException) as reason:
        console.print(str(reason), style="red")
        section.figure(scenario.NAME, scenario.TITLE, "").error = str(reason)
    _keep(section, plan, known)


def _keep(section: results.Section, plan: Plan, known: results.Results) -> None:
    for figure in section.figures:
        figure.conditions = plan.conditions
    known.put(section)
    _write(known, plan.folder)


def _write(known: results.Results, folder: Path) -> None:
    results.save(known, folder / "results.json")
    (folder / "results.svg").write_text(page.picture(known))
    (folder / "RESULTS.md").write_text(page.page(known, "results.svg"))


def _plan(options: argparse.Namespace) -> Plan:
    quick: bool = options.quick
    names = frozenset(options.only or _names())
    if contest.NAME in names:
        names |= {it.name for it in contest.CONTENDERS}
    if unknown := names - _names() - {contest.NAME}:
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(sorted(_names()))}")
    knobs = Knobs(
        options.events or (EVENTS_QUICK if quick else EVENTS),
        options.rounds or (1 if quick else ROUNDS),
        SERIES_MAX_QUICK if quick else SERIES_MAX,
        options.full_rate,
        LIVE_S_QUICK if quick else LIVE_S,
    )
    return Plan(names, knobs, options.folder or (ROOT / "build" / "bench" if quick else ROOT / "bench"))


def _names() -> frozenset[str]:
    return frozenset(
        {STAGES, structure.NAME, *(it.name for it in contest.CONTENDERS), *(it.NAME for it in SCENARIOS)}
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"contenders, or any of: {', '.join(sorted(_names()))}"
    )
    parser.add_argument(
        "--rounds", type=int, help=f"rounds of everything; default {ROUNDS}, or 1 with --quick"
    )
    parser.add_argument(
        "--events", type=int, help=f"events of a full course; default {EVENTS:,}, or {EVENTS_QUICK:,}"
    )
    parser.add_argument(
        "--full-rate", type=float, help="events/s of which alert-latency takes half; default: as measured"
    )
    parser.add_argument(
        "--folder", type=Path, help="where results go; default bench, or build/bench with --quick"
    )
    parser.add_argument("--quick", action="store_true", help="small, to see that everything runs")
    parser.add_argument("--render", action="store_true", help="only make the page and the chart again")
    return parser


if __name__ == "__main__":
    main()
