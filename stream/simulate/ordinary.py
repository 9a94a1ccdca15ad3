"""Ordinary runs: what a pipeline does when all is well.

Rows and durations are log-normal, or Student's t(3) on the log scale, around a level with growth, hours, weekends,
holidays and month-ends in local time; small counts are negative binomial with more zeros. Every run draws the same
number of random values whatever happens, so a fault changes nothing of what is drawn for other runs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.simulate.calendars import DAY_MS, HOUR_MS, SATURDAY, Ints, on_holiday, to_local, weekdays
from stream.simulate.platform import HEAVY_SCALE, MONTH_DAYS, Amounts, OnHoliday, Pipeline, Season
from stream.simulate.schedules import due_times

Floats = NDArray[np.float64]
Schema = tuple[tuple[str, str], ...]

SPREADS_MAX = 5.0
SLOW_SHARE = 0.004
PUBLISHING_MS_MAX = 900
METRIC_AFTER_MS = 5
"""How long after a run's end the metric that was measured of it is published."""


class Retry(NamedTuple):
    """A first attempt that failed: how long it took, and the pause until the second."""

    failed_after_ms: int
    pause_ms: int


class Run(NamedTuple):
    """One run, as it really was and as it is reported."""

    number: str
    start_ms: int
    task_ms: tuple[int, ...]
    rows: int | None
    bytes: int | None
    null_share: float | None
    schema: Schema
    retry: Retry | None
    publishing_ms: int
    state: str = "succeeded"
    ends: bool = True
    clock_ms: int = 0
    duration_factor: float = 1.0
    told_again_after_ms: int | None = None
    """The end is published twice: within 20 s the same record, later one with a time of its own."""

    @property
    def duration_ms(self) -> int:
        """How long the attempt that counts takes."""
        return sum(self.task_ms)

    @property
    def end_ms(self) -> int:
        """When it ends, a failed first attempt included."""
        retried_ms = self.retry.failed_after_ms + self.retry.pause_ms if self.retry else 0
        return self.start_ms + retried_ms + self.duration_ms

    @property
    def last_published_ms(self) -> int:
        """When its last record is published."""
        return self.end_ms + self.publishing_ms + max(self.told_again_after_ms or 0, METRIC_AFTER_MS)


def season_factors(season: Season, times_ms: Ints, from_ms: int, zone: str) -> Floats:
    """What the season makes of a level of 1 at these times."""
    local = to_local(times_ms, zone)
    hours = local % DAY_MS / HOUR_MS
    logs = season.amplitude * np.cos((hours - season.peak_hour) * (2 * np.pi / 24))
    logs += np.log1p(season.growth_per_month) * (times_ms - from_ms) / (MONTH_DAYS * DAY_MS)
    weekend, holiday = weekdays(local) >= SATURDAY, on_holiday(local, zone)
    logs += np.where(holiday, np.log(season.holiday), np.where(weekend, np.log(season.weekend), 0.0))
    return np.exp(logs + np.where(_month_end(local), np.log(season.month_end), 0.0))


def _month_end(local_ms: Ints) -> NDArray[np.bool_]:
    tomorrow = ((local_ms + DAY_MS) // DAY_MS).astype("datetime64[D]")
    is_first: NDArray[np.bool_] = tomorrow == tomorrow.astype("datetime64[M]").astype("datetime64[D]")
    return is_first


def noise(rng: np.random.Generator, count: int, spread: float, heavy: bool) -> Floats:
    """Deviations of the logarithm."""
    normal, heavy_tailed = rng.standard_normal(count), HEAVY_SCALE * rng.standard_t(3, count)
    return spread * np.clip(heavy_tailed if heavy else normal, -SPREADS_MAX, SPREADS_MAX)


def ordinary_runs(pipeline: Pipeline, seed: int, from_ms: int, to_ms: int) -> list[Run]:
    """The runs of a pipeline that are due in [from, to), in the order of their start."""
    rng = np.random.default_rng([seed, 2, pipeline.index])
    due = due_times(pipeline.schedule, pipeline.zone, pipeline.begins_ms, to_ms, rng)
    factors = season_factors(pipeline.season, due, from_ms, pipeline.zone)
    count = len(due)
    rows = _rows(pipeline, factors, rng)
    starts = due + _jitter(pipeline, count, rng)
    durations = _durations(pipeline, factors, rows, rng)
    tasks = _task_durations(pipeline, durations, rng)
    null_shares = null_share_of(pipeline.null_share or 0.0, count, rng)
    retried, fractions = rng.random(count) < pipeline.retry_share, rng.uniform(0.1, 0.9, count)
    pauses = rng.integers(30_000, min(300_000, pipeline.schedule.interval_ms // 8) + 30_001, count)
    publishing = rng.integers(5, PUBLISHING_MS_MAX, count)
    states = _states(pipeline, due)
    return [
        Run(
            number=str(number),
            start_ms=int(starts[number]),
            task_ms=tuple(tasks[number]),
            rows=None if pipeline.amounts is Amounts.NONE else int(rows[number]),
            bytes=int(rows[number]) * pipeline.row_bytes if pipeline.row_bytes else None,
            null_share=None if pipeline.null_share is None else float(null_shares[number]),
            schema=pipeline.schema,
            retry=Retry(int(fractions[number] * durations[number]) + 1, int(pauses[number]))
            if retried[number]
            else None,
            publishing_ms=int(publishing[number]),
            state=states[number],
        )
        for number in range(count)
        if states[number]
    ]


def _rows(pipeline: Pipeline, factors: Floats, rng: np.random.Generator) -> Ints:
    count = len(factors)
    deviations = noise(rng, count, pipeline.rows_spread, pipeline.amounts is Amounts.HEAVY)
    mean = np.maximum(pipeline.rows * factors, 1e-9)
    counts = rng.negative_binomial(pipeline.dispersion, pipeline.dispersion / (pipeline.dispersion + mean))
    counted = np.where(rng.random(count) < pipeline.zero_share, 0, counts)
    match pipeline.amounts:
        case Amounts.COUNT:
            return counted.astype(np.int64)
        case Amounts.CONSTANT | Amounts.ZERO:
            return np.full(count, round(pipeline.rows), np.int64)
        case _:
            rows: Ints = np.rint(mean * np.exp(deviations)).astype(np.int64)
            return rows


def _jitter(pipeline: Pipeline, count: int, rng: np.random.Generator) -> Ints:
    """How much later than due a run starts: log-normal, now and then it waits for a worker."""
    waits = pipeline.jitter_ms * np.exp(0.6 * np.clip(rng.standard_normal(count), -3, 3))
    queued = np.where(rng.random(count) < 0.01, rng.uniform(1, 4, count), 0.0) * pipeline.jitter_ms
    bounded: Ints = np.minimum(waits + queued, pipeline.schedule.interval_ms / 8).astype(np.int64)
    return bounded


def _durations(pipeline: Pipeline, factors: Floats, rows: Ints, rng: np.random.Generator) -> Floats:
    """By the rows that are carried, with noise, and now and then slower by half: a cold cache, a busy neighbour."""
    count = len(factors)
    logs = noise(rng, count, pipeline.duration_spread, pipeline.duration_heavy)
    slow, by = rng.random(count) < SLOW_SHARE, rng.uniform(1.2, 1.7, count)
    carried = np.log(np.maximum(rows, 1) / max(pipeline.rows, 1)) if pipeline.duration_by_rows else 0.0
    durations = (
        pipeline.duration_ms * np.exp(logs + pipeline.duration_by_rows * carried) * np.where(slow, by, 1.0)
    )
    return np.clip(durations, 50, 0.7 * pipeline.schedule.interval_ms)


def _task_durations(pipeline: Pipeline, durations: Floats, rng: np.random.Generator) -> list[list[int]]:
    """The whole, split over the tasks: each its usual share, with noise of its own."""
    tasks = max(len(pipeline.tasks), 1)
    usual = rng.dirichlet(np.full(tasks, 4.0))
    parts = (
        usual * np.exp(0.05 * rng.standard_normal((len(durations), tasks)))
        if tasks > 1
        else np.ones((len(durations), 1))
    )
    split: list[list[int]] = np.maximum(np.rint(durations[:, None] * parts), 1).astype(np.int64).tolist()
    return split


def null_share_of(usual: float, count: int, rng: np.random.Generator) -> Floats:
    """Measured shares around the usual one; a column that is never null stays at zero."""
    logs = 0.25 * np.clip(rng.standard_normal(count), -4, 4)
    return np.round(usual * np.exp(logs), 6)


def _states(pipeline: Pipeline, due: Ints) -> list[str]:
    """How each run ends; empty for one that does not take place."""
    if pipeline.on_holiday is OnHoliday.RUNS or not len(due):
        return ["succeeded"] * len(due)
    said = "skipped" if pipeline.on_holiday is OnHoliday.SKIPPED else ""
    resting = on_holiday(to_local(due, pipeline.zone), pipeline.zone)
    return [said if rests else "succeeded" for rests in resting.tolist()]
