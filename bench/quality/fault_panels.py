"""Panels of the pipeline faults: for each kind an incident that a series of numbers shows."""

from collections.abc import Iterator, Sequence

import numpy as np

from bench.quality.attribution import Incident
from bench.quality.own import judge
from bench.quality.per_run import Series
from detectors.alerts import Alert
from stream.commands.score import ScoredSignal
from stream.formats.times import read_time
from stream.plots.drawn import Drawn


def panels(
    incidents: Sequence[Incident], series: Sequence[Series], opened: Sequence[Alert]
) -> Iterator[Drawn]:
    """For each kind an incident that a series of numbers shows, one that was found there if there is one."""
    shown: dict[str, tuple[bool, Incident, Series]] = {}
    for it in incidents:
        for one in series:
            if _shows(it, one):
                alarming = any(_tells(alert, it, one) for alert in opened)
                if it.kind not in shown or alarming > shown[it.kind][0]:
                    shown[it.kind] = alarming, it, one
    for _, it, one in shown.values():
        yield _panel(it, one, opened)


def _tells(alert: Alert, it: Incident, series: Series) -> bool:
    same = alert.series.labels == series.labels
    return same and it.starts_ms <= read_time(alert.detected_at, "detected_at") <= it.grace_until_ms


def _shows(it: Incident, series: Series) -> bool:
    if series.signal not in it.signals & {"latency", "volume", "nulls", "value"} or len(series.values) < 30:
        return False
    inside = (series.times_ms >= it.starts_ms) & (series.times_ms <= it.ends_ms)
    return bool(inside.any()) and all(series.labels.get(name) == value for name, value in it.match.items())


def _panel(it: Incident, series: Series, opened: Sequence[Alert]) -> Drawn:
    signal = {"latency": ScoredSignal.LATENCY, "volume": ScoredSignal.VOLUME}.get(
        series.signal, ScoredSignal.VALUE
    )
    said = judge(series.times_ms, series.values, signal)
    margin = max(4 * (it.ends_ms - it.starts_ms), 40 * max(it.interval_ms, 300_000))
    first, last = np.searchsorted(series.times_ms, [it.starts_ms - margin, it.ends_ms + margin // 2])
    part = slice(int(first), int(last))
    times = series.times_ms[part]
    mine = [
        read_time(alert.detected_at, "detected_at")
        for alert in opened
        if alert.series.labels.get("pipeline") == series.labels.get("pipeline")
    ]
    title = f"{it.kind}: {series.signal} of {', '.join(series.labels.values())}"
    return Drawn(
        title,
        times,
        series.values[part],
        said.expected[part],
        said.lower[part],
        said.upper[part],
        [(it.starts_ms, it.ends_ms)],
        [time for time in mine if times[0] <= time <= times[-1]],
    )
