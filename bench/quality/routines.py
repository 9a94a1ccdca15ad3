"""Routines: peaks that come every night, on working days, every week or at the end of each month, and what breaks them."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from bench.quality.own import judge
from bench.quality.plan import Plan
from bench.quality.report import Picture, Section
from bench.quality.stationary import DAY_MS, Floats, Times
from stream.plots.drawn import Drawn
from stream.plots.svg import drawing

NAME: Final = "routines"
TITLE: Final = "Routines: nightly, Monday to Friday, weekly, month-end"
ABOUT: Final = """\
A metric (100, give or take 10 %, normal noise) carries a multiple of that at known hours. Once a routine has been seen some times it should no
longer alarm; what breaks it still should. Judged as by `streamgauge score` with its defaults. "Alarms per occurrence" counts alerts between the start of an
occurrence and an hour after its end, over the occurrences after those it may learn from; "elsewhere" all other alerts after that time."""
MONDAY_MS: Final = 1_736_121_600_000
"""2025-01-06T00:00Z, when every series starts."""
HOUR_MS: Final = 3_600_000
GRACE_MS: Final = HOUR_MS
SERIES, SERIES_QUICK = 8, 2
ALL_DAY: Final = (0, 24)


class Break(NamedTuple):
    """What breaks a routine: its name, the day, hours from and to, and the multiple there instead."""

    name: str
    day: int
    hours: tuple[int, int]
    load: float


class Routine(NamedTuple):
    """A load at some hours of some days; the days by number from the start."""

    name: str
    load: float
    hours: tuple[int, int]
    on: Callable[[int], bool]
    days: int
    learns_days: int
    breaks: tuple[Break, ...]
    intervals_ms: tuple[int, ...]


def _month_end(day: int) -> bool:
    date = np.datetime64(MONDAY_MS, "ms").astype("datetime64[D]") + day
    return bool((date + 1).astype("datetime64[M]") != date.astype("datetime64[M]"))


NIGHT, OFFICE, SUNDAY = (2, 3), (8, 17), (3, 5)
ROUTINES: Final = (
    Routine(
        "every night at 2, 1 h, 5 times the load",
        5,
        NIGHT,
        lambda _day: True,
        63,
        14,
        (
            Break("at 14 instead", 45, (14, 15), 5),
            Break("twice the size", 50, NIGHT, 10),
            Break("left out", 55, NIGHT, 1),
        ),
        (60_000, 300_000),
    ),
    Routine(
        "Monday to Friday, 8 to 17, 4 times the load",
        4,
        OFFICE,
        lambda day: day % 7 < 5,
        70,
        21,
        (
            Break("on a Saturday, too", 47, OFFICE, 4),
            Break("twice the size", 50, OFFICE, 8),
            Break("left out", 58, OFFICE, 1),
        ),
        (60_000, 300_000),
    ),
    Routine(
        "every Sunday, 3 to 5, 5 times the load",
        5,
        SUNDAY,
        lambda day: day % 7 == 6,
        84,
        28,
        (
            Break("on a Wednesday, too", 58, SUNDAY, 5),
            Break("twice the size", 69, SUNDAY, 10),
            Break("left out", 76, SUNDAY, 1),
        ),
        (60_000, 300_000),
    ),
    Routine(
        "all day at the end of each month, 3 times the load",
        3,
        ALL_DAY,
        _month_end,
        300,
        100,
        (
            Break("in the middle of a month", 220, ALL_DAY, 3),
            Break("twice the size", 267, ALL_DAY, 6),
            Break("left out", 237, ALL_DAY, 1),
        ),
        (300_000, 3_600_000),
    ),
)
NAMES: Final = {60_000: "1m", 300_000: "5m", 3_600_000: "1h"}


class Played(NamedTuple):
    """A series of a routine, cut at its breaks: spans of ordinary occurrences and of breaks."""

    times_ms: Times
    values: Floats
    ordinary_ms: list[tuple[int, int]]
    breaks_ms: list[tuple[int, int]]


class Score(NamedTuple):
    """Of one series: ordinary occurrences, alarms in them, other alarms, weeks, and which breaks were found."""

    occurrences: int
    alarms: int
    elsewhere: int
    weeks: float
    found: list[bool]


def play(routine: Routine, interval_ms: int, seed: int) -> Played:
    """One series."""
    random = np.random.default_rng([seed, interval_ms, ROUTINES.index(routine)])
    times = MONDAY_MS + np.arange(0, routine.days * DAY_MS, interval_ms, dtype=np.int64)
    load = np.ones(len(times))
    broken = {it.day: it for it in routine.breaks}
    ordinary = []
    for day in range(routine.days):
        usual, it = _span(day, routine.hours), broken.get(day)
        if routine.on(day):
            _put(load, times, usual, routine.load)
        if it is not None:
            _put(load, times, _span(day, it.hours), it.load)
        untouched = it is None or it.hours != routine.hours
        if routine.on(day) and untouched and day >= routine.learns_days:
            ordinary.append(usual)
    breaks = [_span(it.day, it.hours) for it in routine.breaks]
    values = 100 * load * (1 + 0.1 * random.standard_normal(len(times)))
    return Played(times, values, ordinary, breaks)


def _put(loads: Floats, times_ms: Times, span: tuple[int, int], load: float) -> None:
    loads[(times_ms >= span[0]) & (times_ms < span[1])] = load


def _span(day: int, hours: tuple[int, int]) -> tuple[int, int]:
    midnight_ms = MONDAY_MS + day * DAY_MS
    return midnight_ms + hours[0] * HOUR_MS, midnight_ms + hours[1] * HOUR_MS


def score(routine: Routine, interval_ms: int, seed: int) -> Score:
    """What the default detector makes of one series."""
    played = play(routine, interval_ms, seed)
    said = judge(played.times_ms, played.values)
    return _count(routine, played, played.times_ms[said.alert].tolist())


def _count(routine: Routine, played: Played, alerts_ms: list[int]) -> Score:
    from_ms = MONDAY_MS + routine.learns_days * DAY_MS
    alarms = elsewhere = 0
    found = [False] * len(played.breaks_ms)
    for time_ms in (it for it in alerts_ms if it >= from_ms):
        hits = [at for at, span in enumerate(played.breaks_ms) if _within(time_ms, span)]
        for at in hits:
            found[at] = True
        if not hits and any(_within(time_ms, span) for span in played.ordinary_ms):
            alarms += 1
        elif not hits:
            elsewhere += 1
    weeks = (routine.days - routine.learns_days) / 7
    return Score(len(played.ordinary_ms), alarms, elsewhere, weeks, found)


def _within(time_ms: int, span: tuple[int, int]) -> bool:
    return span[0] <= time_ms <= span[1] + GRACE_MS


def _score_one(work: tuple[int, int, int]) -> Score:
    number, interval_ms, seed = work
    return score(ROUTINES[number], interval_ms, seed)


def measure(plan: Plan) -> Section:
    """Every routine at its cadences."""
    section = Section(NAME, TITLE, ABOUT)
    count = SERIES_QUICK if plan.quick else SERIES
    kinds = [(number, ms) for number, it in enumerate(ROUTINES) for ms in it.intervals_ms]
    work = [(number, ms, plan.seed * 1000 + at) for number, ms in kinds for at in range(count)]
    scores = plan.spread(_score_one, work)
    for number, routine in enumerate(ROUTINES):
        rows = [
            _row(
                section,
                routine,
                ms,
                [it for it, (n, m, _) in zip(scores, work, strict=True) if (n, m) == (number, ms)],
            )
            for ms in routine.intervals_ms
        ]
        heads = [
            "cadence",
            "alarms per occurrence",
            "elsewhere, a week",
            *(f"found: {it.name}" for it in routine.breaks),
        ]
        section.add(routine.name, heads, rows)
    _draw(section, plan)
    section.conditions = f"{count} series of each kind."
    return section


def _row(section: Section, routine: Routine, interval_ms: int, scores: list[Score]) -> list[str]:
    occurrences, alarms = sum(it.occurrences for it in scores), sum(it.alarms for it in scores)
    weeks = sum(it.weeks for it in scores)
    key = f"{routine.name}/{NAMES[interval_ms]}"
    section.numbers[key] = alarms / occurrences
    found = [sum(it.found[at] for it in scores) for at in range(len(routine.breaks))]
    for it, hits in zip(routine.breaks, found, strict=True):
        section.numbers[f"{key}/{it.name}"] = hits / len(scores)
    return [
        NAMES[interval_ms],
        f"{alarms / occurrences:.3f} ({alarms} of {occurrences})",
        f"{sum(it.elsewhere for it in scores) / weeks:.2f}",
        *(f"{hits}/{len(scores)}" for hits in found),
    ]


def _draw(section: Section, plan: Plan) -> None:
    panels = list(_panels(plan.seed * 1000))
    folder = plan.folder / "quality-plots"
    folder.mkdir(exist_ok=True)
    (folder / "routines.svg").write_text(drawing(panels))
    what = "The days around what breaks each routine (red), every 5 minutes or hour, with the band that was expected (green) and the alerts (triangles)."
    section.pictures.append(Picture("What it looks like", "quality-plots/routines.svg", what))


def _panels(seed: int) -> Iterator[Drawn]:
    for routine in ROUTINES:
        played = play(routine, routine.intervals_ms[1], seed)
        said = judge(played.times_ms, played.values)
        first = min(it.day for it in routine.breaks) - 4
        last = max(it.day for it in routine.breaks) + 4
        shown = slice(
            *np.searchsorted(
                played.times_ms, [MONDAY_MS + first * DAY_MS, MONDAY_MS + last * DAY_MS]
            ).tolist()
        )
        alerts = played.times_ms[shown][said.alert[shown]].tolist()
        yield Drawn(
            routine.name,
            played.times_ms[shown],
            played.values[shown],
            said.expected[shown],
            said.lower[shown],
            said.upper[shown],
            played.breaks_ms,
            alerts,
        )
