"""`make bench-quality`: how good detection is. Results go to bench/QUALITY.md.

python -m bench.quality                                   every section
python -m bench.quality --quick                           every section, small, into build/bench
python -m bench.quality --only calibration --quick        one section
python -m bench.quality --only calibration --cell 5m t3 week    only what has these: a cadence (1m 5m 1h hourly-runs daily-runs),
                                                          a tail (normal laplace lognormal t5 t3), a season (flat daily), a budget (week 30d 90d year)
python -m bench.quality --render                          only makes the page from quality.json again
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.machine import ROOT
from bench.quality import calibration, faults, few, nab, routines, schemas
from bench.quality.evidence import Absent
from bench.quality.plan import Plan, cores
from bench.quality.report import Report, Section, load, page, save

SECTIONS: Final[dict[str, Callable[[Plan], Section]]] = {
    **{it.NAME: it.measure for it in (nab, faults, calibration, few, routines)},
    **schemas.MEASURES,
}


def main() -> None:
    """Measure what is asked for; what was done is written after every section, so that an end halfway loses nothing."""
    options = _parser().parse_args()
    plan = Plan(
        folder=options.folder or (ROOT / "build" / "bench" if options.quick else ROOT / "bench"),
        quick=options.quick,
        seed=options.seed,
        jobs=options.jobs,
        chosen=frozenset(options.cell),
        recordings=tuple(options.recording),
    )
    plan.folder.mkdir(parents=True, exist_ok=True)
    for name in [] if options.render else options.only:
        begun = time.monotonic()
        try:
            section = SECTIONS[name](plan)
        except Absent as reason:
            print(f"{name}: left out: {reason}", file=sys.stderr)
            continue
        took = f"{datetime.now(UTC):%Y-%m-%d}, {time.monotonic() - begun:.0f} s, seed {plan.seed}"
        section.conditions = (
            f"{section.conditions} {took}{', small (`--quick`)' if plan.quick else ''}.".strip()
        )
        _keep(section, plan.folder)
        print(page(Report({name: section}), [name]).split("\n\n", 2)[2])
    if options.render:
        _write(load(plan.folder / "quality.json"), plan.folder)


def _keep(section: Section, folder: Path) -> None:
    """Put a section in place of the one before, in what stands there now: another run may have added to it."""
    report = load(folder / "quality.json")
    report.sections[section.name] = section
    _write(report, folder)


def _write(report: Report, folder: Path) -> None:
    save(report, folder / "quality.json")
    (folder / "QUALITY.md").write_text(page(report, list(SECTIONS)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="SECTION", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--cell", nargs="+", metavar="WORD", default=[], help="narrows a section down")
    parser.add_argument(
        "--recording",
        nargs="+",
        type=Path,
        metavar="DIR",
        default=[],
        help="faults: directories of `streamgauge simulate` instead of platforms made here",
    )
    parser.add_argument("--quick", action="store_true", help="small, into build/bench")
    parser.add_argument("--seed", type=int, default=1, help="of everything simulated; default 1")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes; default one for each core")
    parser.add_argument(
        "--folder", type=Path, help="where results go; default bench, or build/bench with --quick"
    )
    parser.add_argument("--render", action="store_true", help="only make the page again")
    return parser


if __name__ == "__main__":
    main()
