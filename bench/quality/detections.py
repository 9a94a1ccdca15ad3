"""From scores to alerts, by the same rule for every detector, and what alerts are worth to whoever gets them.

An alert is an episode that opens: a sample at or above the threshold, with no hour of quiet since the episode before (as
`detectors.episodes` has it). A window is found when an alert is sent in it; an alert in no window is a false one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.figures import percentile
from bench.quality.stationary import Floats, Times
from detectors.episodes import QUIET_MS

WEEK_MS: Final = 604_800_000
CANDIDATES: Final = 400


class Watched(NamedTuple):
    """A series to count alerts of: times, what happened when, and from when on it counts."""

    times_ms: Times
    windows_ms: list[tuple[int, int]]
    counts_from_ms: int

    @property
    def weeks(self) -> float:
        """For how long it counts."""
        return float(self.times_ms[-1] - self.counts_from_ms) / WEEK_MS


class Outcome(NamedTuple):
    """What came of one series: false alerts, weeks, windows, and alerts and the delay of the first in each window found."""

    false_alerts: int
    weeks: float
    windows: int
    alerts_each: list[int]
    delays_ms: list[int]


class Balance(NamedTuple):
    """What came of many series."""

    windows: int
    found: int
    false_a_week: float
    median_false_a_week: float
    ninth_false_a_week: float
    """90th percentile over series."""
    worst_false_a_week: float
    delays_ms: list[int]
    alerts_per_incident: float

    @property
    def recall(self) -> float:
        """Share of the windows found."""
        return self.found / self.windows if self.windows else 0.0


def opened(times_ms: Times, flags: np.ndarray) -> list[int]:
    """Times at which episodes open: of flagged samples those with an ordinary one an hour or more after the one before."""
    at = np.flatnonzero(flags)
    if len(at) == 0:
        return []
    before, after = at[:-1], at[1:]
    ended = (after - 1 > before) & (times_ms[after - 1] - times_ms[before] >= QUIET_MS)
    opens = at[np.concatenate([[True], ended])]
    return [int(time_ms) for time_ms in times_ms[opens]]


def outcome(series: Watched, alerts_ms: Iterable[int]) -> Outcome:
    """What alerts at these times were worth."""
    inside: dict[int, list[int]] = {}
    false_alerts = 0
    firsts = [first for first, _ in series.windows_ms]
    for time_ms in alerts_ms:
        if time_ms < series.counts_from_ms:
            continue
        number = bisect_left(firsts, time_ms + 1) - 1
        if number >= 0 and time_ms <= series.windows_ms[number][1]:
            inside.setdefault(number, []).append(time_ms)
        else:
            false_alerts += 1
    delays = [min(times) - firsts[number] for number, times in inside.items()]
    return Outcome(false_alerts, series.weeks, len(firsts), [len(times) for times in inside.values()], delays)


def balance(outcomes: Sequence[Outcome]) -> Balance:
    """All series together; rates of single series are over their own time."""
    rates = [it.false_alerts / it.weeks for it in outcomes if it.weeks > 0]
    each = [count for it in outcomes for count in it.alerts_each]
    weeks = sum(it.weeks for it in outcomes)
    return Balance(
        sum(it.windows for it in outcomes),
        len(each),
        sum(it.false_alerts for it in outcomes) / weeks if weeks else 0.0,
        percentile(rates, 0.5),
        percentile(rates, 0.9),
        max(rates),
        [delay for it in outcomes for delay in it.delays_ms],
        sum(each) / len(each) if each else 0.0,
    )


class Threshold(NamedTuple):
    """A threshold and what came of it."""

    value: float
    balance: Balance


def at(series: Sequence[Watched], scores: Sequence[Floats], threshold: float) -> Balance:
    """What one threshold makes of all series."""
    return balance(
        [outcome(it, opened(it.times_ms, said >= threshold)) for it, said in zip(series, scores, strict=True)]
    )


def at_most(series: Sequence[Watched], scores: Sequence[Floats], false_a_week: float) -> Threshold:
    """The threshold, the same for all series, that finds most with no more false alerts; of equals the highest."""
    tried = [Threshold(value, at(series, scores, value)) for value in candidates(scores)]
    allowed = [it for it in tried if it.balance.false_a_week <= false_a_week]
    nothing = Threshold(float("inf"), at(series, scores, float("inf")))
    return max(allowed, key=lambda it: (it.balance.found, it.value), default=nothing)


def candidates(scores: Sequence[Floats]) -> list[float]:
    """Scores worth trying as thresholds: by rank among the highest tenth, the highest ones close together."""
    ranked = np.sort(np.concatenate([said[said > 0] for said in scores]))[::-1]
    if not len(ranked):
        return []
    most = max(min(len(ranked), CANDIDATES), len(ranked) // 10)
    places = np.unique(np.geomspace(1, most, CANDIDATES).astype(int)) - 1
    return sorted({float(ranked[place]) for place in places if place < len(ranked)})
