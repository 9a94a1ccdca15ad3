"""Faults of pipelines that run: each takes a pipeline's runs from a place on and says what becomes of them.

A fault that would not stand out there (by 4 robust deviations of what is ordinary, or 3 where it lasts) is none: the function
returns None, and the plan looks for another place.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from stream.simulate.calendars import DAY_MS, HOUR_MS, MINUTE_MS
from stream.simulate.incidents import Change, History, Kind, Label
from stream.simulate.ordinary import Retry, Run
from stream.simulate.platform import Amounts, Archetype, Pipeline

DEVIATIONS = 4.0
DEVIATIONS_LASTING = 3.0
JITTERS = 10.0
BUSY_SHARE = 0.9
"""How much of its interval a slow run may take, so that it does not run into the next one."""
LANES = 3

_FREQUENT = (Archetype.MICRO_BATCH, Archetype.HOURLY)
_DATED = (Archetype.HOURLY, Archetype.FEW_HOURS, Archetype.DAILY, Archetype.WEEKDAYS, Archetype.WEEKLY)
_REGULAR = (*_FREQUENT, Archetype.FEW_HOURS, Archetype.DAILY, Archetype.WEEKDAYS)


class Site(NamedTuple):
    """Where a fault is to be: a pipeline, its runs, the first one concerned, and the end of the recording."""

    pipeline: Pipeline
    runs: list[Run]
    at: int
    to_ms: int

    @property
    def first(self) -> Run:
        """The first run concerned."""
        return self.runs[self.at]

    @property
    def interval_ms(self) -> int:
        """The distance of two runs."""
        return self.pipeline.schedule.interval_ms

    def taken(self, count: int) -> list[Run] | None:
        """That many runs, all of which would have succeeded, with another after them; else None."""
        runs = self.runs[self.at : self.at + count]
        enough = self.at + count < len(self.runs) and count > 0
        return runs if enough and all(run.state == "succeeded" for run in runs) else None

    def change(
        self,
        replaced: int,
        runs: Iterable[Run],
        label: Label,
    ) -> Change | None:
        """The history in which `runs` stand for the first `replaced` ones; None when it does not end in time."""
        if label.ends_ms > self.to_ms:
            return None
        after = self.runs[: self.at] + list(runs) + self.runs[self.at + replaced :]
        after.sort(key=lambda run: run.start_ms)
        return Change(label, History(after, []))

    def label(
        self,
        kind: Kind,
        signals: tuple[str, ...],
        ends_ms: int,
        detail: str,
        *,
        starts_ms: int | None = None,
        name: str | None = None,
    ) -> Label:
        """A label of this pipeline, or of its metric `name`, from the first run's start on."""
        starts_ms = self.first.start_ms if starts_ms is None else starts_ms
        match = {"pipeline": self.pipeline.name} | ({"name": name} if name else {})
        return Label(kind, match, signals, starts_ms, ends_ms, detail)


RunFault = Callable[[Site, np.random.Generator], Change | None]


def last_told(runs: Iterable[Run]) -> int:
    """When the last record of these runs is published."""
    return max(run.last_published_ms for run in runs)


def _number_of_runs(
    site: Site, rng: np.random.Generator, hours: tuple[float, float], runs: tuple[int, int]
) -> int:
    """How many runs a fault takes in: by its hours where runs are frequent, but at least two; else by number."""
    if site.pipeline.archetype in _FREQUENT:
        return max(2, round(rng.uniform(*hours) * HOUR_MS / site.interval_ms))
    if site.pipeline.archetype is Archetype.WEEKLY:
        return runs[0]
    return int(rng.integers(runs[0], runs[1] + 1))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def late_run(site: Site, rng: np.random.Generator) -> Change | None:
    """A run starts late: by a third of the interval or more, by some hours where it is a day or a week."""
    run, interval_ms = site.first, site.interval_ms
    share = rng.uniform(0.35, 0.85) if interval_ms < DAY_MS else rng.uniform(0.07, 0.35)
    delay_ms = int(min(share * interval_ms, 36 * HOUR_MS))
    room_ms = int(0.97 * interval_ms) - (run.end_ms - run.start_ms)
    if site.pipeline.archetype not in _DATED or not site.taken(1):
        return None
    if not JITTERS * site.pipeline.jitter_ms <= delay_ms <= room_ms:
        return None
    late = run._replace(start_ms=run.start_ms + delay_ms)
    detail = f"run {run.number} starts {delay_ms // MINUTE_MS} min late"
    label = site.label(Kind.LATE_RUN, ("freshness", "volume"), last_told([late]), detail)
    return site.change(1, [late], label)


def missing_run(site: Site, rng: np.random.Generator) -> Change | None:
    """Runs that are due do not take place."""
    micro = site.pipeline.archetype is Archetype.MICRO_BATCH
    count = _number_of_runs(site, rng, (0.75, 4.0), (1, 2)) if micro else int(rng.integers(1, 3))
    if site.interval_ms > DAY_MS:
        count = 1
    if site.pipeline.archetype not in (*_DATED, Archetype.MICRO_BATCH) or not site.taken(count):
        return None
    ends_ms = last_told([site.runs[site.at + count]])
    detail = (
        f"{count} runs do not take place" if count > 1 else f"run {site.first.number} does not take place"
    )
    return site.change(count, [], site.label(Kind.MISSING_RUN, ("freshness", "volume"), ends_ms, detail))


def stuck_run(site: Site, rng: np.random.Generator) -> Change | None:
    """A run starts and never ends; the frequent ones wait for it until it is killed."""
    run, frequent = site.first, site.pipeline.archetype in _FREQUENT
    waiting = max(1, round(rng.uniform(1.0, 5.0) * HOUR_MS / site.interval_ms)) if frequent else 0
    if not site.pipeline.announces_start or not site.taken(1 + waiting):
        return None
    ends_ms = max(
        last_told([site.runs[site.at + 1 + waiting]]),
        run.start_ms + 8 * run.duration_ms,
        run.end_ms + 1000,
    )
    detail = f"run {run.number} never ends" + (f", {waiting} runs wait for it" if waiting else "")
    label = site.label(Kind.STUCK_RUN, ("latency", "freshness", "volume"), ends_ms, detail)
    return site.change(1 + waiting, [run._replace(ends=False, retry=None)], label)


def _slower(run: Run, factor: float, task: int | None = None) -> Run:
    """The run with one task, or all, that many times as long."""
    times = (
        max(1, round(ms * factor)) if task is None or at == task else ms for at, ms in enumerate(run.task_ms)
    )
    return run._replace(task_ms=tuple(times))


def _scaled(run: Run, factor: float, by_rows: float = 0.0) -> Run:
    """The run with that many times the rows, and the duration that goes with them."""
    rows = None if run.rows is None else round(run.rows * factor)
    carried = None if run.bytes is None else round(run.bytes * factor)
    return _slower(run, factor**by_rows)._replace(rows=rows, bytes=carried)


def slow_drift(site: Site, rng: np.random.Generator) -> Change | None:
    """Durations grow, or rows shrink, by some per cent a day for two or three weeks; then it is mended."""
    days, rate = int(rng.integers(14, 22)), rng.uniform(0.015, 0.04)
    of_rows = rng.random() < 0.25
    deviation = site.pipeline.rows_deviation if of_rows else site.pipeline.duration_deviation
    count = sum(run.start_ms < site.first.start_ms + days * DAY_MS for run in site.runs[site.at :])
    total = np.log1p(rate) * days
    too_late = site.first.start_ms + days * DAY_MS > site.to_ms
    if too_late or site.pipeline.archetype not in _REGULAR:
        return None
    if total < max(DEVIATIONS_LASTING * deviation, 0.25):
        return None
    runs = site.runs[site.at : site.at + count]
    growth = [np.exp(np.log1p(rate) * (run.start_ms - site.first.start_ms) / DAY_MS) for run in runs]
    longest = max(run.duration_ms * by for run, by in zip(runs, growth, strict=True))
    if count < 10 or (not of_rows and longest > BUSY_SHARE * site.interval_ms):
        return None
    drifting = [
        _scaled(run, 1 / by) if of_rows else _slower(run, by) for run, by in zip(runs, growth, strict=True)
    ]
    what = f"rows shrink by {rate:.1%} a day" if of_rows else f"durations grow by {rate:.1%} a day"
    signals = ("volume",) if of_rows else ("latency",)
    label = site.label(Kind.SLOW_DRIFT, signals, last_told(drifting), f"{what} for {days} days")
    return site.change(count, drifting, label)


def sudden_slowdown(site: Site, rng: np.random.Generator) -> Change | None:
    """Some runs take 1.8 to 5 times as long; where there are tasks, the longest of them."""
    factor = _log_uniform(rng, 1.8, 5.0)
    count = _number_of_runs(site, rng, (3.0, 24.0), (1, 4))
    runs = site.taken(count)
    if not runs:
        return None
    task = int(np.argmax(runs[0].task_ms)) if len(runs[0].task_ms) > 1 else None
    slow = [_slower(run, factor, task) for run in runs]
    effect = min(np.log(after.duration_ms / run.duration_ms) for run, after in zip(runs, slow, strict=True))
    longest = max(run.duration_ms for run in slow)
    if (
        effect < max(DEVIATIONS * site.pipeline.duration_deviation, 0.4)
        or longest > BUSY_SHARE * site.interval_ms
    ):
        return None
    where = "" if task is None else f" in task {site.pipeline.tasks[task]}"
    detail = f"{count} runs take {factor:.1f} times as long{where}"
    return site.change(
        count,
        slow,
        site.label(Kind.SUDDEN_SLOWDOWN, ("latency", "freshness"), last_told(runs + slow), detail),
    )


def partial_load(site: Site, rng: np.random.Generator) -> Change | None:
    """20 to 75 % of the rows are missing."""
    kept = rng.uniform(0.25, 0.8)
    count = _number_of_runs(site, rng, (1.0, 12.0), (1, 3))
    runs = site.taken(count)
    if not runs or -np.log(kept) < DEVIATIONS * site.pipeline.rows_deviation:
        return None
    partial = [_scaled(run, kept, site.pipeline.duration_by_rows) for run in runs]
    if any(after.rows == run.rows for run, after in zip(runs, partial, strict=True)):
        return None
    detail = f"{1 - kept:.0%} of the rows of {count} runs are missing"
    return site.change(
        count, partial, site.label(Kind.PARTIAL_LOAD, ("volume",), last_told(runs + partial), detail)
    )


def duplicate_load(site: Site, rng: np.random.Generator) -> Change | None:
    """Rows are loaded twice, or runs are reported twice, or both."""
    count = _number_of_runs(site, rng, (1.0, 6.0), (1, 3))
    doubled, again = ((True, False), (False, True), (True, True))[rng.integers(3)]
    runs = site.taken(count)
    if not runs or (doubled and np.log(2) < DEVIATIONS * site.pipeline.rows_deviation):
        return None
    latest = max(run.end_ms - run.start_ms for run in runs)
    minutes = rng.uniform(1, 20) if rng.random() < 0.5 else rng.uniform(0.05, 0.3)
    again_ms = int(min(minutes * MINUTE_MS, 0.4 * site.interval_ms))
    if latest + again_ms > BUSY_SHARE * site.interval_ms:
        return None
    twice = [
        (_scaled(run, 2.0, site.pipeline.duration_by_rows) if doubled else run)._replace(
            told_again_after_ms=again_ms if again else None
        )
        for run in runs
    ]
    what = " and ".join(["load their rows twice"] * doubled + ["are reported twice"] * again)
    slower = doubled and site.pipeline.duration_by_rows > 0
    signals = ("volume",) + ("latency",) * slower + ("duplicates",) * again
    label = site.label(Kind.DUPLICATE_LOAD, signals, last_told(runs + twice), f"{count} runs {what}")
    return site.change(count, twice, label)


def backfill(site: Site, rng: np.random.Generator) -> Change | None:
    """Runs of past periods are run again, three at a time, besides the ordinary ones."""
    archetype = site.pipeline.archetype
    most = {Archetype.MICRO_BATCH: 200, Archetype.HOURLY: 72}.get(archetype, 30)
    count = int(rng.integers(most // 4, most + 1))
    starts_ms = site.first.end_ms + int(rng.integers(1, 10)) * MINUTE_MS
    past = [run for run in site.runs[: site.at] if run.state == "succeeded"][-count:]
    if archetype not in _REGULAR or len(past) < max(7, count // 2) or not site.taken(1):
        return None
    lanes, again = [starts_ms] * LANES, []
    for run in past:
        lane = int(np.argmin(lanes))
        again.append(run._replace(number=f"backfill-{run.number}", start_ms=lanes[lane], retry=None))
        lanes[lane] = again[-1].end_ms + 2_000
    ends_ms = last_told(again)
    if ends_ms - starts_ms > 2 * DAY_MS:
        return None
    detail = f"{len(past)} past runs are run again"
    signals = ("volume", "freshness", "duplicates")
    label = site.label(Kind.BACKFILL, signals, ends_ms, detail, starts_ms=starts_ms)
    return site.change(1, [site.first, *again], label)


def null_burst(site: Site, rng: np.random.Generator) -> Change | None:
    """A column is null in many more rows than usual."""
    usual, share = site.pipeline.null_share, float(np.round(rng.uniform(0.08, 0.7), 4))
    count = _number_of_runs(site, rng, (1.0, 12.0), (1, 3))
    runs = site.taken(count)
    if not runs or usual is None or share < 4 * usual:
        return None
    burst = [run._replace(null_share=round(share * rng.uniform(0.9, 1.1), 6)) for run in runs]
    detail = f"{share:.0%} nulls in {count} runs, usually {usual:.1%}"
    signals = ("nulls", "value")
    return site.change(
        count, burst, site.label(Kind.NULL_BURST, signals, last_told(runs), detail, name="null_share")
    )


def unit_flip(site: Site, rng: np.random.Generator) -> Change | None:
    """A publisher counts in another unit for some time: thousands or cents in rows, KiB in bytes, µs or s for ms."""
    what = ("rows", "rows", "bytes", "duration")[rng.integers(4)]
    up = rng.random() < (0.75 if what == "duration" else 0.5)
    factor = {"rows": (1e-3, float(rng.choice([100, 1000]))), "bytes": (1 / 1024, 1024.0)}.get(
        what, (1e-3, 1e3)
    )[up]
    count = _number_of_runs(site, rng, (3.0, 36.0), (2, 5))
    runs = site.taken(count)
    pipeline = site.pipeline
    if not runs or (what == "duration" and not pipeline.reports_duration):
        return None
    if what != "duration" and (
        pipeline.rows * factor < 3 or pipeline.amounts in (Amounts.NONE, Amounts.COUNT)
    ):
        return None
    if what == "bytes" and not pipeline.row_bytes:
        return None
    flipped = [_flip(run, what, factor) for run in runs]
    signals = ("latency",) if what == "duration" else ("volume",)
    detail = f"{what} of {count} runs times {factor:.4g}"
    return site.change(count, flipped, site.label(Kind.UNIT_FLIP, signals, last_told(runs), detail))


def _flip(run: Run, what: str, factor: float) -> Run:
    if what == "duration":
        return run._replace(duration_factor=factor)
    if what == "bytes":
        return run._replace(bytes=None if run.bytes is None else round(run.bytes * factor))
    return run._replace(rows=None if run.rows is None else round(run.rows * factor))


def clock_skew(site: Site, rng: np.random.Generator) -> Change | None:
    """The publisher's clock is wrong by 10 to 90 minutes: events come when they should and claim another time."""
    least_ms = max(10 * MINUTE_MS, JITTERS * site.pipeline.jitter_ms)
    count = _number_of_runs(site, rng, (2.0, 24.0), (1, 3))
    runs = site.taken(count)
    if site.pipeline.archetype not in _REGULAR or not runs or least_ms > 90 * MINUTE_MS:
        return None
    off_ms = int(rng.uniform(least_ms, 90 * MINUTE_MS)) * int(rng.choice([-1, 1]))
    skewed = [run._replace(clock_ms=off_ms) for run in runs]
    detail = (
        f"events of {count} runs are {abs(off_ms) // MINUTE_MS} min {'ahead' if off_ms > 0 else 'behind'}"
    )
    signals = ("freshness", "volume", "lateness")
    return site.change(count, skewed, site.label(Kind.CLOCK_SKEW, signals, last_told(runs), detail))


def failure_burst(site: Site, rng: np.random.Generator) -> Change | None:
    """Most runs fail, in both attempts."""
    count = _number_of_runs(site, rng, (2.0, 10.0), (2, 4))
    share = rng.uniform(0.7, 1.0)
    runs = site.taken(count)
    if not runs:
        return None
    failing = [_failed(run, rng) if at < 2 or rng.random() < share else run for at, run in enumerate(runs)]
    failed = sum(run.state == "failed" for run in failing)
    detail = f"{failed} of {count} runs fail"
    signals = ("failures", "freshness", "volume")
    label = site.label(Kind.FAILURE_BURST, signals, last_told(runs + failing), detail)
    return site.change(count, failing, label)


def _failed(run: Run, rng: np.random.Generator) -> Run:
    first, second = rng.uniform(0.05, 0.9, 2)
    retry = Retry(int(first * run.duration_ms) + 1, 30_000)
    return _slower(run, second)._replace(state="failed", retry=retry, rows=None, bytes=None, null_share=None)


def level_shift(site: Site, rng: np.random.Generator) -> Change | None:
    """A deploy changes rows for good, by half or up to twice, or makes runs that much slower."""
    of_rows = rng.random() < 0.5
    up = not of_rows or rng.random() < 0.5
    factor = rng.uniform(1.33, 2.0) if up else rng.uniform(0.5, 0.75)
    deviation = site.pipeline.rows_deviation if of_rows else site.pipeline.duration_deviation
    runs = site.runs[site.at :]
    if site.pipeline.archetype not in _REGULAR or abs(np.log(factor)) < DEVIATIONS_LASTING * deviation:
        return None
    if len(runs) < 10 or site.to_ms - site.first.start_ms < 5 * DAY_MS:
        return None
    shifted = [
        _scaled(run, factor, site.pipeline.duration_by_rows) if of_rows else _slower(run, factor)
        for run in runs
    ]
    if max(run.duration_ms for run in shifted) > BUSY_SHARE * site.interval_ms:
        return None
    detail = f"{'rows' if of_rows else 'durations'} times {factor:.2f} for good"
    signals = ("volume", "latency") if of_rows and site.pipeline.duration_by_rows else ("volume",)
    signals = signals if of_rows else ("latency",)
    label = site.label(Kind.LEVEL_SHIFT, signals, site.to_ms, detail)
    return site.change(len(runs), shifted, label._replace(expected=True, for_good=True))


def schema_change(site: Site, rng: np.random.Generator) -> Change | None:
    """A field of the declared schema is added, removed or of another type; often for good, else until it is reverted."""
    schema = site.pipeline.schema
    for_good = rng.random() < 0.6
    lasting = _number_of_runs(site, rng, (12.0, 72.0), (2, 5))
    count = len(site.runs) - site.at if for_good else lasting
    runs = site.runs[site.at : site.at + count]
    if not schema or site.first.state != "succeeded" or not (for_good or site.taken(count)):
        return None
    at = int(rng.integers(1, len(schema)))
    name, kind = schema[at]
    after, detail = (
        (schema[:at] + schema[at + 1 :], f"field {name} removed"),
        ((*schema, ("source_system", "string")), "field source_system added"),
        (
            (*schema[:at], (name, "long" if kind == "string" else "string"), *schema[at + 1 :]),
            f"type of {name} changed",
        ),
    )[rng.integers(3)]
    changed = [run._replace(schema=after) for run in runs]
    ends_ms = site.to_ms if for_good else last_told(runs)
    detail += "" if for_good else f" for {count} runs"
    label = site.label(Kind.SCHEMA_CHANGE, ("schema",), ends_ms, detail)
    label = label._replace(match={"dataset": site.pipeline.dataset}, for_good=for_good)
    return site.change(count, changed, label)


RUN_FAULTS: dict[Kind, RunFault] = {
    Kind.LATE_RUN: late_run,
    Kind.MISSING_RUN: missing_run,
    Kind.STUCK_RUN: stuck_run,
    Kind.SLOW_DRIFT: slow_drift,
    Kind.SUDDEN_SLOWDOWN: sudden_slowdown,
    Kind.PARTIAL_LOAD: partial_load,
    Kind.DUPLICATE_LOAD: duplicate_load,
    Kind.BACKFILL: backfill,
    Kind.NULL_BURST: null_burst,
    Kind.UNIT_FLIP: unit_flip,
    Kind.CLOCK_SKEW: clock_skew,
    Kind.FAILURE_BURST: failure_burst,
    Kind.LEVEL_SHIFT: level_shift,
    Kind.SCHEMA_CHANGE: schema_change,
}
