"""Calibration: false alarms that come true, over those that a budget allows, on stationary simulated series.

All series of a cell are judged together by one bank, as a worker judges them: sample after sample in the order of time.
An alarm is an episode that opens. A series counts as young for its first 14 days.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np

from bench.quality.intervals import poisson
from bench.quality.plan import Plan
from bench.quality.report import Section
from bench.quality.stationary import CADENCES, DAY_MS, START_MS, TAILS, Cadence, Floats, Times, noise, values
from detectors.episodes import Episode, Transition
from detectors.numeric import Kind, NumericBank

NAME: Final = "calibration"
TITLE: Final = "Calibration: false alarms that come true, over those budgeted"
ABOUT: Final = """\
A budget such as `1 per 30d` is a ceiling on false alarms of one series. These series are stationary: independent noise, from
normal tails to Student's t with 3 degrees of freedom, with and without a daily season, so every alarm is a false one. A figure is alarms
(episodes that open) over the budgeted number, and in brackets its 95 % interval (Garwood's, for a Poisson count). **It should be at
most 1 and at least 0.2.** ✓ where it surely can be so (the interval meets that range), ▲ where surely more alarms come than the
ceiling, ▽ where surely fewer than a fifth of it."""

BUDGETS_DAYS: Final = {"week": 7, "30d": 30, "90d": 90, "year": 365}
SEASONS: Final = ("flat", "daily")
YOUNG_DAYS: Final = 14
LIFE_DAYS: Final = 182
LIFE_DAYS_OF_RUNS: Final = 1092
BUDGETED: Final = {"1m": 30, "5m": 60, "1h": 120, "hourly-runs": 120, "daily-runs": 400}
"""Alarms that a cell's budget would allow in all its series together."""
BUDGETED_QUICK: Final = 10
SERIES_MIN: Final = 10
CHUNK_DAYS: Final = 7
LEAST_SHARE: Final = 0.2


class Cell(NamedTuple):
    """One kind of series under one budget; names as in `TAILS`, `SEASONS`, `BUDGETS_DAYS`."""

    cadence: Cadence
    tail: str
    season: str
    budget: str
    series: int
    days: int
    seed: int


class Alarms(NamedTuple):
    """Alarms of young and of older series, and how many days of series of each there were."""

    young: int
    old: int
    young_days: float
    old_days: float

    def over(self, budget_days: float) -> float:
        """Alarms of older series, over what a budget of one in so many days allows."""
        return self.old / (self.old_days / budget_days)


class Opened(NamedTuple):
    """An episode that opened: the series and the time."""

    series: int
    time_ms: int


def cell(cadence: Cadence, tail: str, season: str, budget: str, *, budgeted: float, seed: int) -> Cell:
    """A cell with as many series as it takes for a budget of so many alarms."""
    days = LIFE_DAYS_OF_RUNS if cadence.interval_ms == DAY_MS else LIFE_DAYS
    series = round(budgeted * BUDGETS_DAYS[budget] / (days - YOUNG_DAYS))
    return Cell(cadence, tail, season, budget, max(SERIES_MIN, series), days, seed)


def alarms(it: Cell) -> Alarms:
    """What the default detector makes of a cell."""
    young_until_ms = START_MS + YOUNG_DAYS * DAY_MS
    times = [opened.time_ms for opened in episodes(it)]
    young = sum(time_ms < young_until_ms for time_ms in times)
    old_days = it.series * (it.days - YOUNG_DAYS)
    return Alarms(young, len(times) - young, it.series * YOUNG_DAYS, old_days)


def episodes(it: Cell) -> Iterator[Opened]:
    """Every episode that opens, in any order."""
    bank = NumericBank()
    kind = Kind.RUNS if it.cadence.runs else Kind.VALUES
    per_day = 1 / BUDGETS_DAYS[it.budget]
    slots = np.array([bank.add(kind, false_alarms_per_day=per_day) for _ in range(it.series)])
    states = [Episode() for _ in slots]
    for times_ms, what in _chunks(it):
        said = bank.judge_many(np.tile(slots, len(times_ms)), np.repeat(times_ms, len(slots)), what.ravel())
        flags = said["anomalous"].reshape(what.shape)
        scores = said["score"].reshape(what.shape)
        for series in range(it.series):
            yield from _advance(series, states[series], times_ms, flags[:, series], scores[:, series])


def _advance(
    series: int, episode: Episode, times_ms: Times, flags: np.ndarray, scores: Floats
) -> Iterator[Opened]:
    """Take in a stretch of one series; of ordinary samples only the last of a row of them is told.

    It alone decides whether the episode before it has ended: only the time of the end would differ.
    """
    ordinary = -1
    for at in np.flatnonzero(flags).tolist():
        if at - 1 > ordinary:
            episode.advance(int(times_ms[at - 1]), False, 0.0)
        if episode.advance(int(times_ms[at]), True, float(scores[at])) is Transition.OPENED:
            yield Opened(series, int(times_ms[at]))
        ordinary = at
    if len(times_ms) - 1 > ordinary:
        episode.advance(int(times_ms[-1]), False, 0.0)


def _chunks(it: Cell) -> Iterator[tuple[Times, Floats]]:
    """The series of a cell, a week at a time: times, and a row of values for each."""
    key = [it.seed, TAILS.index(it.tail), SEASONS.index(it.season), it.cadence.interval_ms, it.cadence.runs]
    random = np.random.default_rng(key)
    steps = CHUNK_DAYS * DAY_MS // it.cadence.interval_ms
    for first in range(0, it.days * DAY_MS // it.cadence.interval_ms, steps):
        times_ms = START_MS + np.arange(first, first + steps, dtype=np.int64) * it.cadence.interval_ms
        draws = noise(it.tail, (steps, it.series), random)
        yield times_ms, values(it.cadence, times_ms, draws, season=it.season == "daily")


def measure(plan: Plan) -> Section:
    """Every cell that was chosen, a table for each cadence."""
    section = Section(NAME, TITLE, ABOUT)
    cells = _cells(plan)
    done = dict(zip(cells, plan.spread(alarms, cells), strict=True))
    for cadence in dict.fromkeys(it.cadence for it in cells):
        mine = {it: found for it, found in done.items() if it.cadence == cadence}
        _tell(section, cadence, mine)
    for it, found in done.items():
        key = f"{it.cadence.name}/{it.tail}/{it.season}/{it.budget}"
        section.numbers[key] = found.over(BUDGETS_DAYS[it.budget])
    section.conditions = _balance(done)
    return section


def _cells(plan: Plan) -> list[Cell]:
    cadences = [it for it in CADENCES if it.name in plan.takes([it.name for it in CADENCES])]
    kinds = plan.takes(TAILS), plan.takes(SEASONS), plan.takes(list(BUDGETS_DAYS))
    return [
        cell(
            cadence,
            tail,
            season,
            budget,
            budgeted=BUDGETED_QUICK if plan.quick else BUDGETED[cadence.name],
            seed=plan.seed,
        )
        for cadence, tail, season, budget in product(cadences, *kinds)
        if season == "flat" or cadence.interval_ms < DAY_MS
    ]


def _tell(section: Section, cadence: Cadence, done: dict[Cell, Alarms]) -> None:
    budgets = list(dict.fromkeys(it.budget for it in done))
    kinds = dict.fromkeys((it.tail, it.season) for it in done)
    by_kind = {(it.tail, it.season, it.budget): (it, found) for it, found in done.items()}
    rows, young = [], []
    for tail, season in kinds:
        mine = [by_kind[tail, season, budget] for budget in budgets]
        rows.append([tail, season, *(_ratio(found, BUDGETS_DAYS[it.budget]) for it, found in mine)])
        young.append([tail, season, *(_young(found, BUDGETS_DAYS[it.budget]) for it, found in mine)])
    heads = ["noise", "season", *(f"1 per {budget}" for budget in budgets)]
    sizes = "; ".join(f"1 per {it.budget}: {it.series} series" for it in _one_of_each_budget(done))
    days = next(iter(done)).days
    what = f"Each series lives {days} days, the first {YOUNG_DAYS} left out. {sizes}."
    section.add(f"{_words(cadence)}, after the first {YOUNG_DAYS} days", heads, rows, what)
    what = f"Alarms in the first {YOUNG_DAYS} days of a series, over the budget for {YOUNG_DAYS} days; counts in brackets."
    section.add(f"{_words(cadence)}, the first {YOUNG_DAYS} days", heads, young, what)


def _one_of_each_budget(done: dict[Cell, Alarms]) -> Sequence[Cell]:
    return list({it.budget: it for it in done}.values())


def _words(cadence: Cadence) -> str:
    return cadence.name.replace("-", " ") if cadence.runs else f"A value every {cadence.name}"


def _ratio(found: Alarms, budget_days: float) -> str:
    allowed = found.old_days / budget_days
    low, high = (bound / allowed for bound in poisson(found.old))
    return f"{verdict(low, high)} {found.old / allowed:.2f} ({low:.2f} – {high:.2f})"


def verdict(low: float, high: float) -> str:
    """Whether an interval of realised over budgeted alarms meets the range from 0.2 to 1."""
    if low > 1:
        return "▲"
    return "▽" if high < LEAST_SHARE else "✓"


def _young(found: Alarms, budget_days: float) -> str:
    return f"{found.young / (found.young_days / budget_days):.2f} ({found.young})"


def _balance(done: dict[Cell, Alarms]) -> str:
    allowed = {it: found.old_days / BUDGETS_DAYS[it.budget] for it, found in done.items()}
    signs = [verdict(*(bound / allowed[it] for bound in poisson(found.old))) for it, found in done.items()]
    samples = sum(it.series * it.days * (DAY_MS / it.cadence.interval_ms) for it in done)
    years = sum(it.series * it.days for it in done) / 365
    return (
        f"{len(signs)} cells: {signs.count('✓')} ✓, {signs.count('▲')} ▲, {signs.count('▽')} ▽. "
        f"{samples / 1e6:,.0f} million samples, {years:,.0f} years of series."
    )
