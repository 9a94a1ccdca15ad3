"""What a recording measures, as plain series for detectors that know nothing else: a value for each run or metric sample.

For each pipeline (and task): duration and outcome (1: failed) of each run that ended, rows and bytes of each that says them, and the time since the run
before; for each metric its values. In the order of publication, under the signal in which an incident would name it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np

from bench.quality.stationary import Floats, Times
from stream.backtest import Recorded

METRICS: Final = "metrics"
_ENDED: Final = frozenset({"succeeded", "failed"})


class Series(NamedTuple):
    """One series; times are those of publication."""

    signal: str
    labels: Mapping[str, str]
    times_ms: Times
    values: Floats


class _Event(msgspec.Struct):
    pipeline: str = ""
    state: str = ""
    time: int = 0
    task: str | None = None
    run_id: str | None = None
    duration_ms: float | None = None
    rows: float | None = None
    bytes: float | None = None
    name: str = ""
    value: float = 0.0
    labels: dict[str, str] = {}


_decode = msgspec.json.Decoder(_Event, strict=False).decode
_Key = tuple[str, tuple[tuple[str, str], ...]]


class PerRun:
    """Series as they grow; `add` takes records in the order of publication."""

    def __init__(self) -> None:
        self._samples: defaultdict[_Key, list[tuple[int, float]]] = defaultdict(list)
        self._started: dict[str, int] = {}
        self._ended: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, record: Recorded) -> None:
        try:
            event = _decode(record.value or b"")
        except msgspec.DecodeError:
            return
        if event.pipeline:
            self._run(event, record.timestamp_ms)
        elif event.name:
            labels = tuple(sorted({**event.labels, "name": event.name}.items()))
            signal = "nulls" if event.name == "null_share" else "value"
            self._sample(signal, labels, record.timestamp_ms, event.value)

    def _run(self, event: _Event, now_ms: int) -> None:
        labels = (("pipeline", event.pipeline), *((("task", event.task),) if event.task else ()))
        if event.state == "started":
            self._started[event.run_id or ""] = event.time
        if event.state not in _ENDED:
            return
        began_ms = self._started.pop(event.run_id or "", None)
        duration = event.duration_ms
        if duration is None and began_ms is not None:
            duration = float(event.time - began_ms)
        self._sample("failures", labels, now_ms, float(event.state == "failed"))
        if event.state == "failed":
            return
        if duration is not None:
            self._sample("latency", labels, now_ms, duration)
        for measure, amount in (("rows", event.rows), ("bytes", event.bytes)):
            if amount is not None:
                self._sample("volume", (*labels, ("measure", measure)), now_ms, amount)
        if (before_ms := self._ended.get(labels)) is not None:
            self._sample("freshness", labels, now_ms, float(now_ms - before_ms))
        self._ended[labels] = now_ms

    def _sample(self, signal: str, labels: tuple[tuple[str, str], ...], now_ms: int, value: float) -> None:
        self._samples[signal, labels].append((now_ms, value))

    def series(self) -> list[Series]:
        """All of them."""
        return [
            Series(
                signal, dict(labels), np.array([it[0] for it in samples]), np.array([it[1] for it in samples])
            )
            for (signal, labels), samples in sorted(self._samples.items())
        ]

    def intervals_ms(self) -> dict[str, int]:
        """The usual time between runs, by pipeline: the longest of its tasks."""
        usual: dict[str, int] = {}
        for it in self.series():
            if it.signal == "freshness":
                name = it.labels["pipeline"]
                usual[name] = max(usual.get(name, 0), int(np.median(it.values)))
        return usual


def per_run(records: Iterable[Recorded]) -> PerRun:
    """Of a whole recording."""
    runs = PerRun()
    for record in records:
        runs.add(record)
    return runs
