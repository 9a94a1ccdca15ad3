"""Streamgauge's own detectors on one series, with defaults and exactly as `streamgauge score` judges it: no look-ahead."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bench.quality.stationary import Floats, Times
from stream.commands.score import Scored, ScoredSignal, judged
from stream.series_csv import Row


class Judged(NamedTuple):
    """What was said of every sample; `alert` is where a notification would go out, NaN where nothing was said."""

    score: Floats
    anomalous: np.ndarray
    alert: np.ndarray
    expected: Floats
    lower: Floats
    upper: Floats


def judge(times_ms: Times, values: Floats, signal: ScoredSignal = ScoredSignal.VALUE) -> Judged:
    """Judge a series from its first sample on."""
    rows = (
        Row("", time_ms, "", value) for time_ms, value in zip(times_ms.tolist(), values.tolist(), strict=True)
    )
    return _columns(judged(rows, signal))


def _columns(said: Iterable[Scored]) -> Judged:
    rows = [
        (it.score, it.anomalous, scored.alert, it.expected, it.lower, it.upper)
        if (it := scored.judgement)
        else (0.0, False, scored.alert, np.nan, np.nan, np.nan)
        for scored in said
    ]
    score, anomalous, alert, expected, lower, upper = (np.array(part) for part in zip(*rows, strict=True))
    return Judged(score, anomalous, alert, expected, lower, upper)
