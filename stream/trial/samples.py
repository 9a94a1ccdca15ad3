"""Samples: the numbers of chosen series, taken from what ingest makes of a recording."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.core.layout import HOUR_MS
from detectors.outputs import Destination, Output
from detectors.samples import (
    RUN_COLUMNS,
    RUNS,
    VALUE_COLUMNS,
    Key,
    RunState,
    SampleBatch,
    decode_key,
)
from detectors.series import HOURLY_MEAN, MEASURE, Labels, Signal, measured, series_text, unmeasured

SAMPLES_MAX: Final = 200_000
"""Samples of one series that are kept unless said otherwise: the latest."""
MEASURES: Final = ("rows", "bytes")

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Points(NamedTuple):
    """The samples of one series in the order of time."""

    times_ms: Ints
    values: Floats


class Name(NamedTuple):
    """A series by signal and labels."""

    signal: str
    labels: Labels

    @property
    def text(self) -> str:
        """As people read it."""
        return series_text(self.signal, self.labels)


class Samples:
    """Durations, amounts, outcomes (1: failed), values, and for freshness the times between runs (ms), of the series that are `wanted` by name."""

    def __init__(self, wanted: Callable[[Name], bool], samples_max: int = SAMPLES_MAX) -> None:
        self._wanted, self._samples_max = wanted, samples_max
        self._keys: dict[bytes, list[tuple[Name, str]]] = {}
        self._parts: dict[Name, list[Points]] = defaultdict(list)

    def add(self, outputs: Iterable[Output]) -> None:
        """Take what is wanted from sample batches."""
        for output in outputs:
            if output.destination is Destination.SAMPLES and output.value:
                self._add(SampleBatch.from_bytes(output.value))

    def of(self, name: Name) -> Points:
        """What is known of one series; nothing where it has no numbers."""
        if (base := _averaged(name)) is not None:
            return _hour_means(self.of(base))
        parts = self._parts.get(name) or [Points(np.empty(0, np.int64), np.empty(0))]
        times, values = (
            np.concatenate([it.times_ms for it in parts]),
            np.concatenate([it.values for it in parts]),
        )
        order = np.argsort(times, kind="stable")[-self._samples_max :]
        points = Points(times[order], values[order])
        if name.signal != Signal.FRESHNESS:
            return points
        return Points(points.times_ms[1:], np.diff(points.times_ms).astype(float))

    @property
    def names(self) -> list[Name]:
        """The series of which there are samples, by name."""
        return sorted(self._parts)

    def _add(self, batch: SampleBatch) -> None:
        runs, values = batch.table(batch.runs, RUN_COLUMNS), batch.table(batch.values, VALUE_COLUMNS)
        for number in np.unique(np.concatenate([runs["key"], values["key"]])).tolist():
            for name, column in self._columns(batch, number):
                table = values if column == "value" else runs
                self._take(name, column, table, table["key"] == number)

    def _take(
        self, name: Name, column: str, table: dict[str, npt.NDArray[Any]], mine: npt.NDArray[np.bool_]
    ) -> None:
        if column == "failed":
            mine = mine & np.isin(table["state"], (RunState.SUCCEEDED, RunState.FAILED))
            found = (table["state"][mine] == RunState.FAILED).astype(float)
        elif column == "time":
            mine = mine & np.isin(table["state"], (RunState.SUCCEEDED, RunState.FAILED))
            found = np.zeros(int(mine.sum()))
        else:
            mine = mine & np.isfinite(table[column])
            if column != "value":
                mine = mine & (table["state"] == RunState.SUCCEEDED)
            found = table[column][mine].astype(float)
        if len(found):
            parts = self._parts[name]
            parts.append(Points(table["time_ms"][mine].astype(np.int64), found))
            if sum(len(it.values) for it in parts[1:]) > self._samples_max:
                del parts[0]

    def _columns(self, batch: SampleBatch, number: int) -> list[tuple[Name, str]]:
        """The wanted series of a key, each with the column that it is found in."""
        ident = batch.idents[16 * number : 16 * number + 16]
        if (known := self._keys.get(ident)) is None:
            (text,) = batch.key_texts(np.array([number]))
            series = _series(decode_key(text))
            known = self._keys[ident] = [it for it in series if self._is_wanted(it[0])]
        return known

    def _is_wanted(self, name: Name) -> bool:
        return self._wanted(name) or (name.signal == Signal.VALUE and self._wanted(_hourly(name)))


def _hourly(name: Name) -> Name:
    """The series of the hour means of a metric."""
    return Name(name.signal, measured(name.labels, HOURLY_MEAN))


def _averaged(name: Name) -> Name | None:
    """The metric of whose hours a series is the mean; None for any other series."""
    if (MEASURE, HOURLY_MEAN) not in name.labels:
        return None
    return Name(name.signal, unmeasured(name.labels))


def _hour_means(points: Points) -> Points:
    """The mean of each clock hour, at its end."""
    hours, first = np.unique(points.times_ms // HOUR_MS, return_index=True)
    counts = np.diff(np.append(first, len(points.times_ms)))
    totals = np.add.reduceat(points.values, first) if len(first) else points.values
    return Points((hours + 1) * HOUR_MS, totals / counts)


def _series(key: Key) -> list[tuple[Name, str]]:
    if key.kind != RUNS:
        return [(Name(key.kind, key.labels), "value")]
    labels = key.labels
    volumes = [(Name("volume", measured(labels, it)), it) for it in MEASURES]
    return [
        (Name("latency", labels), "duration_ms"),
        *volumes,
        (Name("failures", labels), "failed"),
        (Name("freshness", labels), "time"),
    ]
