"""The platform: which pipelines there are and how each behaves when all is well, drawn from a seed.

Shares are those of a mid-sized company's platform: half of the pipelines run hourly or daily, a third in between and on
weekdays, the rest is streams, weekly, monthly and irregular ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from stream.simulate.calendars import DAY_MS
from stream.simulate.schedules import Rhythm, Schedule

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney")
ZONE_SHARES = (0.3, 0.3, 0.25, 0.1, 0.05)
YOUNG_SHARE = 0.08
MONTH_DAYS = 30.0
HEAVY_SCALE = 0.7
"""Of the t(3) of heavy tails, for a spread of 1: about the same body as the normal has."""
HEAVY_DEVIATION = 1.134 * HEAVY_SCALE
"""Its robust deviation, 1.4826 MAD."""


class Archetype(StrEnum):
    """Kinds of pipelines."""

    STREAM_1M = "stream of 1 min"
    STREAM_5M = "stream of 5 min"
    MICRO_BATCH = "micro-batch"
    HOURLY = "hourly"
    FEW_HOURS = "every 4 to 6 h"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    IRREGULAR = "irregular"

    @property
    def streaming(self) -> bool:
        """Whether it publishes metrics all the time instead of runs."""
        return self in (Archetype.STREAM_1M, Archetype.STREAM_5M)


SHARES = {
    Archetype.STREAM_1M: 0.01,
    Archetype.STREAM_5M: 0.03,
    Archetype.MICRO_BATCH: 0.07,
    Archetype.HOURLY: 0.24,
    Archetype.FEW_HOURS: 0.13,
    Archetype.DAILY: 0.24,
    Archetype.WEEKDAYS: 0.13,
    Archetype.WEEKLY: 0.05,
    Archetype.MONTHLY: 0.03,
    Archetype.IRREGULAR: 0.07,
}


class Amounts(StrEnum):
    """How the rows of a run are distributed."""

    NONE = "not reported"
    LOGNORMAL = "log-normal"
    HEAVY = "heavy tails"
    COUNT = "small counts"
    CONSTANT = "constant"
    ZERO = "always zero"


class OnHoliday(StrEnum):
    """What a pipeline does on a holiday of its country."""

    RUNS = "runs with less"
    SKIPPED = "says that it skips"
    SILENT = "does not run"


@dataclass(frozen=True, slots=True)
class Season:
    """Factors on an amount by local time: exp(amplitude·cos) over the day with its peak, weekends, holidays, month-ends."""

    amplitude: float = 0.0
    peak_hour: float = 14.0
    weekend: float = 1.0
    holiday: float = 1.0
    month_end: float = 1.0
    growth_per_month: float = 0.0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline, as its owner would describe it. Spreads are deviations of the logarithm."""

    index: int
    name: str
    archetype: Archetype
    zone: str
    schedule: Schedule
    begins_ms: int
    season: Season
    amounts: Amounts = Amounts.NONE
    rows: float = 0.0
    rows_spread: float = 0.1
    zero_share: float = 0.0
    dispersion: float = 3.0
    row_bytes: int = 0
    duration_ms: float = 0.0
    duration_spread: float = 0.1
    duration_heavy: bool = False
    duration_by_rows: float = 0.0
    jitter_ms: float = 10_000.0
    retry_share: float = 0.0
    tasks: tuple[str, ...] = ()
    task: str | None = None
    announces_start: bool = True
    reports_duration: bool = True
    null_share: float | None = None
    schema: tuple[tuple[str, str], ...] = ()
    on_holiday: OnHoliday = OnHoliday.RUNS
    lag_s: float = 0.0

    @property
    def dataset(self) -> str:
        """What it writes, for those that declare a schema."""
        return f"warehouse.{self.name.replace('-', '_')}"

    @property
    def shows_duration(self) -> bool:
        """Whether durations can be known at all: reported, or from starts and ends."""
        return self.announces_start or self.reports_duration

    @property
    def rows_deviation(self) -> float:
        """Robust deviation of log rows around their season; infinite where a factor on rows says little."""
        match self.amounts:
            case Amounts.LOGNORMAL:
                return self.rows_spread
            case Amounts.HEAVY:
                return self.rows_spread * HEAVY_DEVIATION
            case Amounts.CONSTANT:
                return 0.005
            case _:
                return float("inf")

    @property
    def duration_deviation(self) -> float:
        """Robust deviation of the log duration around its season; infinite where durations are not to be seen."""
        if not self.shows_duration:
            return float("inf")
        own = self.duration_spread * (HEAVY_DEVIATION if self.duration_heavy else 1.0)
        rows = self.rows_deviation
        return float(np.hypot(own, self.duration_by_rows * rows)) if np.isfinite(rows) else own


_SUBJECTS = (
    "orders", "payments", "inventory", "customers", "clickstream", "billing", "shipping", "catalog", "pricing", "fraud",
    "loyalty", "returns", "campaigns", "support", "ledger", "payroll", "sensors", "sessions", "search", "vendors",
)  # fmt: skip
_DEEDS = ("load", "sync", "dedupe", "enrich", "export", "ingest", "report", "merge", "score", "snapshot")
_TASKS = (("extract", "load"), ("extract", "transform", "load"), ("read", "check", "write", "publish"))
_FIELDS = (
    ("id", "long"), ("created_at", "timestamp"), ("status", "string"), ("amount", "decimal(18,2)"), ("currency", "string"),
    ("customer_id", "long"), ("country", "string"), ("email", "string"), ("channel", "string"), ("quantity", "int"),
    ("discount", "double"), ("updated_at", "timestamp"),
)  # fmt: skip


def draw_platform(seed: int, count: int, from_ms: int, to_ms: int, zone: str | None = None) -> list[Pipeline]:
    """A platform of `count` pipelines; `zone` is that of all, or else they are spread over the world."""
    rng = np.random.default_rng([seed, 0])
    archetypes = _deal(count)
    return [
        _draw_pipeline(np.random.default_rng([seed, 1, index]), index, archetype, (from_ms, to_ms), zone)
        for index, archetype in enumerate(archetypes[at] for at in rng.permutation(count))
    ]


def _deal(count: int) -> list[Archetype]:
    """As many of each archetype as their shares say, by largest remainders."""
    wanted = {archetype: share * count for archetype, share in SHARES.items()}
    dealt = {archetype: int(number) for archetype, number in wanted.items()}
    by_remainder = sorted(SHARES, key=lambda each: dealt[each] - wanted[each])
    for archetype in by_remainder[: count - sum(dealt.values())]:
        dealt[archetype] += 1
    return [archetype for archetype, number in dealt.items() for _ in range(number)]


def _draw_pipeline(
    rng: np.random.Generator, index: int, archetype: Archetype, span: tuple[int, int], zone: str | None
) -> Pipeline:
    from_ms, to_ms = span
    name = f"{_SUBJECTS[rng.integers(len(_SUBJECTS))]}-{_DEEDS[rng.integers(len(_DEEDS))]}-{index:03d}"
    drawn_zone = ZONES[rng.choice(len(ZONES), p=ZONE_SHARES)]
    young, age = rng.random() < YOUNG_SHARE, rng.uniform(0.2, 0.5)
    begins_ms = from_ms + int(young * age * (to_ms - from_ms)) // DAY_MS * DAY_MS
    common: dict[str, Any] = {
        "index": index,
        "name": name,
        "archetype": archetype,
        "zone": zone or drawn_zone,
        "begins_ms": begins_ms,
    }
    if archetype.streaming:
        return Pipeline(**common, **_streaming(rng, archetype))
    schedule = _SCHEDULES[archetype](rng)
    return Pipeline(**common, schedule=schedule, **_batch(rng, archetype, schedule))


def _streaming(rng: np.random.Generator, archetype: Archetype) -> dict[str, Any]:
    season = Season(
        amplitude=rng.uniform(0.2, 0.9),
        peak_hour=rng.uniform(11, 20),
        weekend=float(rng.choice([0.5, 0.8, 1.0, 1.2])),
        holiday=float(rng.choice([0.6, 0.8, 1.1])),
        growth_per_month=rng.uniform(-0.03, 0.1),
    )
    return {
        "schedule": Schedule(Rhythm.EVERY, 1 if archetype is Archetype.STREAM_1M else 5),
        "season": season,
        "rows": float(np.exp(rng.uniform(np.log(20), np.log(20_000)))),
        "rows_spread": rng.uniform(0.04, 0.12),
        "lag_s": float(np.exp(rng.uniform(np.log(0.8), np.log(20)))),
        "null_share": float(rng.choice([0.0, 0.004, 0.01, 0.03])),
    }


def _batch(rng: np.random.Generator, archetype: Archetype, schedule: Schedule) -> dict[str, Any]:
    quick = archetype in (Archetype.MICRO_BATCH, Archetype.HOURLY)
    amounts = _amounts(rng, quick)
    longest = min(0.2 * schedule.interval_ms, 3_600_000)
    tasks = _TASKS[rng.integers(len(_TASKS))] if rng.random() < (0.15 if quick else 0.3) else ()
    declares = rng.random() < (0.0 if archetype is Archetype.MICRO_BATCH else 0.4)
    measured_nulls = rng.random() < 0.3 and amounts in (Amounts.LOGNORMAL, Amounts.HEAVY)
    return {
        "season": _season(rng, archetype, amounts),
        "amounts": amounts,
        "rows": _usual_rows(rng, amounts),
        "rows_spread": rng.uniform(0.03, 0.18),
        "zero_share": float(rng.choice([0.1, 0.3, 0.5])),
        "dispersion": rng.uniform(1.5, 6.0),
        "row_bytes": int(rng.integers(40, 900)) if amounts in (Amounts.LOGNORMAL, Amounts.HEAVY) else 0,
        "duration_ms": float(np.exp(rng.uniform(np.log(min(3_000, longest / 4)), np.log(longest)))),
        "duration_spread": rng.uniform(0.04, 0.16),
        "duration_heavy": bool(rng.random() < 0.35),
        "duration_by_rows": float(rng.choice([0.0, 0.4, 0.8])) if amounts is Amounts.LOGNORMAL else 0.0,
        "jitter_ms": float(np.exp(rng.uniform(np.log(2_000), np.log(60_000 if quick else 240_000)))),
        "retry_share": float(rng.choice([0.0, 0.003, 0.01, 0.02])),
        "tasks": tasks,
        "task": None if tasks or rng.random() < 0.5 else "load",
        "announces_start": bool(tasks) or bool(rng.random() < 0.75),
        "reports_duration": bool(rng.random() < 0.8),
        "null_share": float(rng.choice([0.0, 0.002, 0.01, 0.05])) if measured_nulls else None,
        "schema": _declared(rng) if declares else (),
        "on_holiday": _on_holiday(rng, archetype),
    }


def _amounts(rng: np.random.Generator, quick: bool) -> Amounts:
    kinds = list(Amounts)
    shares = (0.1, 0.45, 0.15, 0.2, 0.05, 0.05) if quick else (0.12, 0.5, 0.15, 0.1, 0.08, 0.05)
    return kinds[rng.choice(len(kinds), p=shares)]


def _usual_rows(rng: np.random.Generator, amounts: Amounts) -> float:
    low, high = (2.0, 20.0) if amounts is Amounts.COUNT else (300.0, 3_000_000.0)
    drawn = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return 0.0 if amounts is Amounts.ZERO else drawn


def _season(rng: np.random.Generator, archetype: Archetype, amounts: Amounts) -> Season:
    business = rng.random() < 0.6
    by_hour = archetype in (Archetype.MICRO_BATCH, Archetype.HOURLY, Archetype.FEW_HOURS)
    by_day = by_hour or archetype in (Archetype.DAILY, Archetype.WEEKDAYS)
    month_end = rng.random() < 0.12 and archetype in (Archetype.DAILY, Archetype.WEEKDAYS)
    weekend = rng.uniform(0.25, 0.7) if business else rng.uniform(0.9, 1.3)
    holiday = rng.uniform(0.25, 0.7) if business else rng.uniform(0.8, 1.3)
    drawn = {
        "amplitude": rng.uniform(0.1, 1.0) if by_hour else 0.0,
        "peak_hour": rng.uniform(10, 20),
        "weekend": weekend if by_day else 1.0,
        "holiday": holiday if by_day else 1.0,
        "month_end": rng.uniform(1.8, 4.0) if month_end else 1.0,
        "growth_per_month": rng.uniform(-0.04, 0.12),
    }
    return Season() if amounts in (Amounts.CONSTANT, Amounts.ZERO) else Season(**drawn)


def _declared(rng: np.random.Generator) -> tuple[tuple[str, str], ...]:
    chosen = rng.permutation(len(_FIELDS))[: rng.integers(5, len(_FIELDS) - 1)]
    return tuple(_FIELDS[each] for each in sorted(chosen.tolist()))


def _on_holiday(rng: np.random.Generator, archetype: Archetype) -> OnHoliday:
    drawn = (OnHoliday.RUNS, OnHoliday.SKIPPED, OnHoliday.SILENT)[rng.choice(3, p=(0.3, 0.35, 0.35))]
    return drawn if archetype is Archetype.WEEKDAYS else OnHoliday.RUNS


def _night(rng: np.random.Generator) -> int:
    """A minute of the local night, where most daily jobs are; often a round one."""
    return int(rng.choice([0, 5, 15, 30, 45])) + 60 * int(rng.integers(0, 8))


def _every(intervals: tuple[int, ...]) -> Callable[[np.random.Generator], Schedule]:
    def draw(rng: np.random.Generator) -> Schedule:
        interval = int(rng.choice(intervals))
        return Schedule(Rhythm.EVERY, interval, int(rng.integers(0, min(interval, 60))))

    return draw


def _monthly(rng: np.random.Generator) -> Schedule:
    rhythm = Rhythm.LAST_OF_MONTH if rng.random() < 0.5 else Rhythm.FIRST_BUSINESS_DAY
    return Schedule(rhythm, 30 * 24 * 60, _night(rng))


_SCHEDULES: dict[Archetype, Callable[[np.random.Generator], Schedule]] = {
    Archetype.MICRO_BATCH: _every((5, 10, 15, 15)),
    Archetype.HOURLY: _every((60,)),
    Archetype.FEW_HOURS: _every((240, 360)),
    Archetype.DAILY: lambda rng: Schedule(Rhythm.DAILY, 24 * 60, _night(rng)),
    Archetype.WEEKDAYS: lambda rng: Schedule(Rhythm.WEEKDAYS, 24 * 60, _night(rng)),
    Archetype.WEEKLY: lambda rng: Schedule(Rhythm.WEEKLY, 7 * 24 * 60, _night(rng), int(rng.integers(0, 7))),
    Archetype.MONTHLY: _monthly,
    Archetype.IRREGULAR: lambda rng: Schedule(Rhythm.IRREGULAR, int(rng.uniform(8, 48) * 60)),
}
