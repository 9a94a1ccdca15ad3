"""Faults of streaming pipelines: each changes the metrics of some hours, or of the days of a drift."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stream.simulate.calendars import DAY_MS, HOUR_MS, MINUTE_MS, Ints
from stream.simulate.incidents import Change, History, Kind, Label
from stream.simulate.ordinary import Floats
from stream.simulate.platform import Pipeline
from stream.simulate.streams import LAG, LAG_SPREAD, NULLS, THROUGHPUT, Metric

DEVIATIONS_LASTING = 3.0


class StreamSite(NamedTuple):
    """Where a fault is to be: a pipeline, its metrics, the first sample concerned, and the end of the recording."""

    pipeline: Pipeline
    metrics: list[Metric]
    at: int
    to_ms: int

    def window(self, length_ms: int) -> slice | None:
        """The samples of so long a time from here; None when the recording ends before."""
        count = length_ms // self.pipeline.schedule.interval_ms
        inside = self.at + count < len(self.metrics[0].times_ms)
        return slice(self.at, self.at + count) if inside and count > 0 else None

    def label(self, kind: Kind, part: slice, detail: str, name: str | None = None, *signals: str) -> Label:
        """A label of the samples in `part`, of one metric or of all."""
        published = self.metrics[0].published_ms
        match = {"pipeline": self.pipeline.name} | ({"name": name} if name else {})
        ends_ms = int(published[part.stop - 1])
        return Label(kind, match, signals or ("value",), int(published[part.start]), ends_ms, detail)

    def scaled(self, label: Label, part: slice, **factors: float | Floats) -> Change:
        """The metrics with the samples in `part` times their factors."""
        metrics = list(self.metrics)
        for at, metric in enumerate(metrics):
            if metric.name in factors:
                values = metric.values.copy()
                values[part] = np.round(values[part] * factors[metric.name], 6)
                metrics[at] = metric._replace(values=values)
        return Change(label, History([], metrics))


StreamFault = Callable[[StreamSite, np.random.Generator], Change | None]


def _hours(rng: np.random.Generator, low: float, high: float) -> int:
    return int(rng.uniform(low, high) * HOUR_MS)


def missing_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """Nothing is published for half an hour to three hours."""
    part = site.window(_hours(rng, 0.5, 3))
    if part is None:
        return None
    minutes = (part.stop - part.start) * site.pipeline.schedule.interval_min
    label = site.label(Kind.MISSING_RUN, part, f"no metrics for {minutes} min", None, "freshness", "value")
    kept = np.ones(len(site.metrics[0].times_ms), bool)
    kept[part] = False
    label = label._replace(ends_ms=int(site.metrics[0].published_ms[part.stop]))
    metrics = [
        Metric(metric.name, metric.published_ms[kept], metric.times_ms[kept], metric.values[kept])
        for metric in site.metrics
    ]
    return Change(label, History([], metrics))


def stuck_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """The consumer hangs: no throughput, and lag that grows by a second every second."""
    part = site.window(_hours(rng, 0.5, 3))
    if part is None:
        return None
    label = site.label(Kind.STUCK_RUN, part, "the stream hangs: no throughput, lag grows")
    change = site.scaled(label, part, **{THROUGHPUT: 0.0})
    metrics = [_with_lag(metric, part) if metric.name == LAG else metric for metric in change.history.metrics]
    return change._replace(history=History([], metrics))


def _with_lag(metric: Metric, part: slice) -> Metric:
    values = metric.values.copy()
    waited_s = (metric.times_ms[part] - metric.times_ms[part.start]) / 1000
    values[part] = np.round(values[part] + waited_s + 30, 3)
    return metric._replace(values=values)


def drifting_lag(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """Lag grows by 5 to 9 per cent a day for two or three weeks."""
    days, rate = int(rng.integers(14, 22)), rng.uniform(0.05, 0.09)
    part = site.window(days * DAY_MS)
    if part is None:
        return None
    times = site.metrics[0].times_ms[part]
    growth = np.exp(np.log1p(rate) * (times - times[0]) / DAY_MS)
    label = site.label(Kind.SLOW_DRIFT, part, f"lag grows by {rate:.1%} a day for {days} days", LAG)
    return site.scaled(label, part, **{LAG: growth})


def slow_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """Throughput falls to a fraction and lag rises."""
    part = site.window(_hours(rng, 0.5, 6))
    share, lag = rng.uniform(0.3, 0.65), rng.uniform(5, 30)
    if part is None:
        return None
    label = site.label(Kind.SUDDEN_SLOWDOWN, part, f"throughput times {share:.2f}, lag times {lag:.0f}")
    return site.scaled(label, part, **{THROUGHPUT: share, LAG: lag})


def partial_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """A part of the input is missing: throughput falls, lag does not rise."""
    return _throughput(site, rng, Kind.PARTIAL_LOAD, rng.uniform(0.25, 0.8))


def duplicate_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """Everything arrives twice."""
    return _throughput(site, rng, Kind.DUPLICATE_LOAD, 2.0)


def replayed_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """A backfill: the past is read again at several times the usual throughput, and lag is that of the past."""
    part = site.window(_hours(rng, 1, 4))
    factor, lag = rng.uniform(3, 8), rng.uniform(200, 2_000)
    if part is None:
        return None
    label = site.label(
        Kind.BACKFILL, part, f"the past is read again: throughput times {factor:.1f}, lag rises"
    )
    return site.scaled(label, part, **{THROUGHPUT: factor, LAG: lag})


def _throughput(site: StreamSite, rng: np.random.Generator, kind: Kind, factor: float) -> Change | None:
    part = site.window(_hours(rng, 0.75, 6))
    if part is None or abs(np.log(factor)) < DEVIATIONS_LASTING * site.pipeline.rows_spread:
        return None
    label = site.label(kind, part, f"throughput times {factor:.2f}", THROUGHPUT)
    return site.scaled(label, part, **{THROUGHPUT: factor})


def null_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """A column is null in many more rows than usual."""
    share, part = rng.uniform(0.08, 0.7), site.window(_hours(rng, 0.5, 8))
    usual = site.pipeline.null_share or 0.0
    if part is None or share < 4 * usual:
        return None
    label = site.label(
        Kind.NULL_BURST, part, f"{share:.0%} nulls, usually {usual:.1%}", NULLS, "nulls", "value"
    )
    metrics = list(site.metrics)
    at = next(at for at, metric in enumerate(metrics) if metric.name == NULLS)
    values = metrics[at].values.copy()
    values[part] = np.round(share * rng.uniform(0.9, 1.1, part.stop - part.start), 6)
    metrics[at] = metrics[at]._replace(values=values)
    return Change(label, History([], metrics))


def flipped_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """A metric counts in another unit: lag in ms, throughput per minute or in thousands."""
    part = site.window(_hours(rng, 1, 24))
    name, factor = ((LAG, 1000.0), (THROUGHPUT, 60.0), (THROUGHPUT, 1e-3))[rng.integers(3)]
    if part is None:
        return None
    label = site.label(Kind.UNIT_FLIP, part, f"{name} times {factor:g}", name)
    return site.scaled(label, part, **{name: factor})


def skewed_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """The publisher's clock is wrong by 10 to 90 minutes."""
    off_ms = int(rng.uniform(10, 90)) * MINUTE_MS * int(rng.choice([-1, 1]))
    part = site.window(_hours(rng, 1, 8))
    if part is None:
        return None
    way = "ahead" if off_ms > 0 else "behind"
    detail = f"metrics are {abs(off_ms) // MINUTE_MS} min {way}"
    label = site.label(Kind.CLOCK_SKEW, part, detail, None, "freshness", "value")
    metrics = [metric._replace(times_ms=_shifted(metric.times_ms, part, off_ms)) for metric in site.metrics]
    return Change(label, History([], metrics))


def _shifted(times_ms: Ints, part: slice, by_ms: int) -> Ints:
    times_ms = times_ms.copy()
    times_ms[part] += by_ms
    return times_ms


def shifted_stream(site: StreamSite, rng: np.random.Generator) -> Change | None:
    """A deploy changes throughput or lag for good."""
    name, factor = (
        (THROUGHPUT, rng.uniform(1.4, 2.0)),
        (THROUGHPUT, rng.uniform(0.5, 0.7)),
        (LAG, rng.uniform(2.5, 4.0)),
    )[rng.integers(3)]
    deviation = LAG_SPREAD if name == LAG else site.pipeline.rows_spread
    times = site.metrics[0].times_ms
    if (
        site.to_ms - int(times[site.at]) < 5 * DAY_MS
        or np.log(factor) ** 2 < (DEVIATIONS_LASTING * deviation) ** 2
    ):
        return None
    part = slice(site.at, len(times))
    label = site.label(Kind.LEVEL_SHIFT, part, f"{name} times {factor:.2f} for good", name)
    label = label._replace(ends_ms=site.to_ms, expected=True, for_good=True)
    return site.scaled(label, part, **{name: factor})


STREAM_FAULTS: dict[Kind, StreamFault] = {
    Kind.MISSING_RUN: missing_stream,
    Kind.STUCK_RUN: stuck_stream,
    Kind.SLOW_DRIFT: drifting_lag,
    Kind.SUDDEN_SLOWDOWN: slow_stream,
    Kind.PARTIAL_LOAD: partial_stream,
    Kind.DUPLICATE_LOAD: duplicate_stream,
    Kind.BACKFILL: replayed_stream,
    Kind.NULL_BURST: null_stream,
    Kind.UNIT_FLIP: flipped_stream,
    Kind.CLOCK_SKEW: skewed_stream,
    Kind.LEVEL_SHIFT: shifted_stream,
}
