"""Which incident an alert belongs to, and what alerts are worth: the accounts of the benchmark of pipeline faults.

An alert belongs to an incident if it comes between the incident's start and its end plus a grace, and its series has every label
that the incident names, with the same value. The grace is one usual interval of the pipeline's runs and an hour: the next run may still
suffer. An incident that stays or goes on for more than a week takes only alerts of the signals in which it may show; a shorter one takes any of its pipeline, because
what happens to a run shows in many ways. Of several incidents the one that names the signal comes first, then the latest.

An incident is found by an alert of its own that has one of its signals; of a change for good, that comes within a week and ten usual
intervals. An alert that belongs to no incident is a false one. Everything an incident causes counts among its alerts.

What people are never told of by itself (it joined an alert, or one upstream explains it) is no alert of its own, so it is neither counted nor false. But it finds:
it is told, in its own record and, unless it is more of the same within half an hour, by the alert it joins, which is told again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.quality.stationary import DAY_MS, Times
from detectors.episodes import QUIET_MS

HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 7 * DAY_MS
LASTING_MS: Final = WEEK_MS
NOBODY: Final = -1


class Incident(NamedTuple):
    """What was done: labels and signals of the series in which it may show, from when to when."""

    id: str
    kind: str
    match: Mapping[str, str]
    signals: frozenset[str]
    starts_ms: int
    ends_ms: int
    interval_ms: int = 0
    """Usual time between runs of its pipeline."""
    for_good: bool = False
    """Whether it stays so."""
    detail: str = ""

    @property
    def grace_until_ms(self) -> int:
        """Until when an alert may be its."""
        return self.ends_ms + self.interval_ms + HOUR_MS

    @property
    def lasting(self) -> bool:
        """Whether it stays, or goes on for more than a week."""
        return self.for_good or self.ends_ms - self.starts_ms > LASTING_MS

    @property
    def found_until_ms(self) -> int:
        """Until when an alert counts as having found it."""
        if not self.for_good:
            return self.grace_until_ms
        return min(self.grace_until_ms, self.starts_ms + WEEK_MS + 10 * self.interval_ms)


class Owners(NamedTuple):
    """For each of some times: the incident an alert would belong to, and the one it would find (the same or NOBODY)."""

    belongs: np.ndarray
    finds: np.ndarray


def owners(incidents: Sequence[Incident], signal: str, labels: Mapping[str, str], times_ms: Times) -> Owners:
    """Whom alerts of one series at these times would belong to. `incidents` in the order of their start."""
    belongs = np.full(len(times_ms), NOBODY)
    finds = np.full(len(times_ms), NOBODY)
    named = np.zeros(len(times_ms), bool)
    for number, it in enumerate(incidents):
        own = signal in it.signals
        if any(labels.get(name) != value for name, value in it.match.items()) or (it.lasting and not own):
            continue
        during = (times_ms >= it.starts_ms) & (times_ms <= it.grace_until_ms)
        taken = during & (own | ~named)
        belongs[taken] = number
        named |= during & own
        finds[taken] = np.where(own & (times_ms[taken] <= it.found_until_ms), number, NOBODY)
    return Owners(belongs, finds)


class Alerts(NamedTuple):
    """Episodes that opened: when, of which series (a number), whose, what they find, and whether each is an alert of its `own` or joined one."""

    times_ms: np.ndarray
    series: np.ndarray
    belongs: np.ndarray
    finds: np.ndarray
    own: np.ndarray


class Found(NamedTuple):
    """Of one incident: how long its first alert took (None: it was not found), and how many alerts it has."""

    delay_ms: int | None
    alerts: int


def found(incidents: Sequence[Incident], alerts: Alerts) -> list[Found]:
    """What came of each incident."""
    first: dict[int, int] = {}
    for time_ms, number in zip(alerts.times_ms.tolist(), alerts.finds.tolist(), strict=True):
        if number != NOBODY:
            first[number] = min(first.get(number, time_ms), time_ms)
    counts = np.bincount(
        alerts.belongs[alerts.own & (alerts.belongs != NOBODY)], minlength=len(incidents)
    ).tolist()
    return [
        Found(first[number] - it.starts_ms if number in first else None, counts[number])
        for number, it in enumerate(incidents)
    ]


def false_each(alerts: Alerts, series: int, from_ms: int) -> np.ndarray:
    """False alerts of each series from a time on."""
    false = alerts.own & (alerts.belongs == NOBODY) & (alerts.times_ms >= from_ms)
    return np.bincount(alerts.series[false], minlength=series)


class Samples(NamedTuple):
    """All samples of many series, one series after the other: of which series, when, whose an alert would be."""

    series: np.ndarray
    times_ms: np.ndarray
    belongs: np.ndarray
    finds: np.ndarray

    def alerts(self, flags: np.ndarray) -> Alerts:
        """The alerts of whoever flags these samples: episodes that open, by the rule of `detectors.episodes`."""
        at = np.flatnonzero(flags)
        opens = at[np.concatenate([[True], self._ended(at[:-1], at[1:])])] if len(at) else at
        return Alerts(
            self.times_ms[opens],
            self.series[opens],
            self.belongs[opens],
            self.finds[opens],
            np.ones(len(opens), bool),
        )

    def _ended(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Whether an episode has ended between two flagged samples: by an ordinary one, an hour after or more."""
        quiet = self.times_ms[after - 1] - self.times_ms[before] >= QUIET_MS
        other = self.series[before] != self.series[after]
        return np.asarray(other | ((after - 1 > before) & quiet))


def gathered(parts: Iterable[Samples]) -> Samples:
    """One after the other; incidents and series must be numbered through already."""
    return Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
