"""Few samples: a daily run that carries a fifth of its rows, or none, after two weeks; alone and beside ten like it.

Everything goes through the stages, each platform on its own, so that nothing but the series of one platform can be pooled.
"""

from typing import Final, NamedTuple

import numpy as np

from bench.quality.calibration import LEAST_SHARE
from bench.quality.intervals import share
from bench.quality.plan import Plan
from bench.quality.report import Section
from bench.quality.staged import alerts, run_event
from bench.quality.stationary import DAY_MS, START_MS, Floats
from detectors.alerts import Kind, State
from detectors.budget import FALSE_ALARMS_PER_DAY
from stream.backtest import Recorded
from stream.formats.times import read_time

NAME: Final = "few"
TITLE: Final = "Few samples: two weeks of daily runs"
ABOUT: Final = """\
A daily run carries 100,000 rows give or take 20 % (normal noise). After 14 days it carries a fifth of them, or nothing for three days.
**To be reached: the drop found in 60 % alone and in 90 % beside ten like series, at no more than 0.3 % false alarms; days 2 and 3 of an outage still
alarm.** Judged through the worker's stages with default settings; only alerts on `volume` count. In brackets 95 % intervals (Clopper and Pearson).
An ordinary run makes a false alarm when an episode opens on it. From the 30th day on the budget is the measure, not those 0.3 %: they are what two weeks of
runs can bear, which do not tell their noise well enough for more. The default of 1 per 30 days allows a daily series one in 30 runs, and of that it should use a fifth at
least, or it misses loads of half the rows for the sake of a quiet that nobody asked for."""
ROWS: Final = 100_000
SPREAD: Final = 0.2
KNOWN_DAYS: Final = 14
OUTAGE_DAYS: Final = 3
LONG_DAYS: Final = 200
DROP: Final = 0.2
BESIDE: Final = 10
PLATFORMS, PLATFORMS_QUICK = {0: 1500, BESIDE: 600}, {0: 150, BESIDE: 60}
LONG_PLATFORMS, LONG_PLATFORMS_QUICK = {0: 150, BESIDE: 40}, {0: 15, BESIDE: 4}
LONG_AFTER_DAYS: Final = 30
BUDGET: Final = FALSE_ALARMS_PER_DAY
"""Of runs of a daily series."""


class Case(NamedTuple):
    """A platform of daily series: how many beside the first, days that all are as usual, and what the first carries then."""

    beside: int
    days: int
    after: tuple[float, ...]
    seed: int


class Seen(NamedTuple):
    """Of one platform: for each day whether an episode of the first series was open, and on which days one of any opened."""

    open: list[bool]
    opened: list[int]


def platform(case: Case) -> Seen:
    """Run one platform."""
    names = [f"daily-{number}" for number in range(case.beside + 1)]
    rows = _rows(case)
    records = [
        _recorded(name, day, rows[day, number])
        for day in range(rows.shape[0])
        for number, name in enumerate(names)
    ]
    found = [it for it in alerts(records) if it.kind is Kind.VOLUME]
    opened = [_day(it.updated_at) for it in found if it.state is State.FIRING and it.sequence == 1]
    mine = [it for it in found if it.labels["pipeline"] == names[0]]
    changes = [(_day(it.updated_at), it.state is State.FIRING) for it in mine]
    return Seen([_open_on(day, changes) for day in range(rows.shape[0])], opened)


def _rows(case: Case) -> Floats:
    days = case.days + len(case.after)
    random = np.random.default_rng([case.seed, case.beside])
    sizes = np.exp(random.normal(0, 0.7, case.beside + 1))
    rows = ROWS * sizes * np.maximum(1 + SPREAD * random.standard_normal((days, case.beside + 1)), 0.05)
    rows[case.days :, 0] *= case.after
    return rows


def _recorded(name: str, day: int, rows: float) -> Recorded:
    place = int(name.rpartition("-")[2])
    return run_event(
        name, START_MS + day * DAY_MS + place * 60_000, day, rows=round(rows), duration_ms=300_000
    )


def _day(text: str) -> int:
    return (read_time(text, "updated_at") - START_MS) // DAY_MS


def _open_on(day: int, changes: list[tuple[int, bool]]) -> bool:
    before = [firing for at, firing in changes if at <= day]
    return bool(before) and before[-1]


def measure(plan: Plan) -> Section:
    """The drop, the outage and ordinary days, each alone and beside ten like series."""
    section = Section(NAME, TITLE, ABOUT)
    platforms = PLATFORMS_QUICK if plan.quick else PLATFORMS
    lines = [
        *(_drop(plan, section, beside, count) for beside, count in platforms.items()),
        *(line for beside, count in platforms.items() for line in _outage(plan, section, beside, count // 3)),
        *(_ordinary(plan, section, beside, count) for beside, count in platforms.items()),
    ]
    long = LONG_PLATFORMS_QUICK if plan.quick else LONG_PLATFORMS
    lines += [_long_run(plan, section, beside, count) for beside, count in long.items()]
    section.add("What came of it", ["case", "series", "share", "of", "to be reached"], lines)
    return section


def _all(plan: Plan, case: Case, platforms: int) -> list[Seen]:
    cases = [case._replace(seed=plan.seed * 1_000_000 + number) for number in range(platforms)]
    return plan.spread(platform, cases)


def _who(beside: int) -> str:
    return f"beside {beside} like it" if beside else "alone"


def _line(section: Section, case: str, beside: int, count: int, n: int, goal: str) -> list[str]:
    low, high = share(count, n)
    section.numbers[f"{case}/{beside}"] = count / n
    return [case, _who(beside), f"{count / n:.2%} ({low:.2%} – {high:.2%})", f"{n:,}", goal]


def _drop(plan: Plan, section: Section, beside: int, platforms: int) -> list[str]:
    seen = _all(plan, Case(beside, KNOWN_DAYS, (DROP,), 0), platforms)
    found = sum(KNOWN_DAYS in it.opened and it.open[KNOWN_DAYS] for it in seen)
    goal = "≥ 90 %" if beside else "≥ 60 %"
    return _line(section, "a drop of 80 % on day 15 is found", beside, found, len(seen), goal)


def _outage(plan: Plan, section: Section, beside: int, platforms: int) -> list[list[str]]:
    seen = _all(plan, Case(beside, KNOWN_DAYS, (0.0,) * OUTAGE_DAYS, 0), platforms)
    return [
        _line(
            section,
            f"no rows: alarming on day {day + 1} of it",
            beside,
            sum(it.open[KNOWN_DAYS + day] for it in seen),
            len(seen),
            "≈ 100 %",
        )
        for day in range(OUTAGE_DAYS)
    ]


def _ordinary(plan: Plan, section: Section, beside: int, platforms: int) -> list[str]:
    seen = _all(plan, Case(beside, KNOWN_DAYS + 1, (), 0), platforms)
    false = sum(it.opened.count(KNOWN_DAYS) for it in seen)
    return _line(section, "an ordinary day 15 alarms", beside, false, len(seen) * (beside + 1), "≤ 0.3 %")


def _long_run(plan: Plan, section: Section, beside: int, platforms: int) -> list[str]:
    seen = _all(plan, Case(beside, LONG_DAYS, (), 0), platforms)
    false = sum(day >= LONG_AFTER_DAYS for it in seen for day in it.opened)
    n = len(seen) * (beside + 1) * (LONG_DAYS - LONG_AFTER_DAYS)
    case = f"an ordinary day from {LONG_AFTER_DAYS} to {LONG_DAYS} alarms"
    return _line(section, case, beside, false, n, f"{LEAST_SHARE * BUDGET:.1%} – {BUDGET:.1%}")
