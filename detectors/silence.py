"""Silence: learns how often something comes, and by when the next one is due."""

import math

import numpy as np
import numpy.typing as npt

from detectors.budget import coarse_alpha, coarse_place
from detectors.compiled import entry, inner
from detectors.core.layout import Record, Records
from detectors.student_t import upper_quantile

RESOLUTION_MS = 10_000
ALLOWED_GAP_MS_MIN = 60_000
GAPS_MIN = 5
GAPS_MAX = 32
EACH_UNTIL = 8
BOUND_EVERY = 4
BOUND_EVERY_LATER = 8
SPREAD_PRIOR = 0.1
SPREAD_PRIOR_WEIGHT = 4.0
MARGIN = 1.25
EXCUSED = 1

CADENCE = np.dtype(
    [
        ("anchor_ms", "<i8"),
        ("last_ms", "<i8"),
        ("allowed_ms", "<i8"),
        ("typical_ms", "<i8"),
        ("learned", "<i8"),
        ("gaps", "<f4", (GAPS_MAX,)),
    ]
)
"""State of one cadence; `anchor_ms` and `last_ms` are -1 before the first arrival, `gaps` is a ring in single precision."""

_ALPHAS = 256
_ORDERED, _LOGS, _AWAY = GAPS_MAX + 8, GAPS_MAX + 9, GAPS_MAX + 10
QUANTILES = (GAPS_MAX + 11, _ALPHAS)
"""Shape of the memo of t quantiles, by degrees of freedom and place of alpha on its grid; NaN where not worked out yet.

Its last rows are no quantiles but room to work in: whoever allocates in a kernel waits longer than it computes."""


def new_quantiles() -> npt.NDArray[np.float64]:
    """An empty memo."""
    return np.full(QUANTILES, np.nan)


class Cadence:
    """The gaps between arrivals of one series, and the time by which the next arrival is due.

    The next gap is bounded by a Student-t prediction on log gaps (spread shrunk to 10 % with 4 pseudo-gaps), and
    never below a quarter more than the second longest of the last 32 gaps: so one outage cannot teach that outages
    are normal, and the weekend of a weekday job, which comes back every week, is not an outage. Arrivals within 10 s
    of one another count as one, and no series is silent before a minute has passed. Times and gaps in ms. Says
    nothing before 6 arrivals. The bound is worked out anew at every gap of the first eight, at every fourth up to 32 and
    at every eighth later. 168 bytes a series.

    >>> hourly = Cadence()
    >>> for hour in range(30):
    ...     due_ms = hourly.arrive(hour * 3_600_000, 1 / 30)
    >>> round((due_ms - 29 * 3_600_000) / 60_000)
    75
    """

    def __init__(self) -> None:
        self._state: Records = np.zeros(1, CADENCE)
        self._state["anchor_ms"] = self._state["last_ms"] = -1
        self._quantiles = new_quantiles()

    @property
    def last_ms(self) -> int:
        """The latest arrival, -1 before the first."""
        return int(self._state["last_ms"][0])

    def arrive(self, time_ms: int, false_alarms_per_day: float) -> int | None:
        """Learn an arrival; returns when the next is overdue, or None while too little is known.

        An arrival at or before the last one teaches nothing.
        """
        due_ms = _arrive(self._state, time_ms, false_alarms_per_day, self._quantiles)
        return due_ms if due_ms >= 0 else None


@inner
def arrive(c: Record, time_ms: int, false_alarms_per_day: float, quantiles: npt.NDArray[np.float64]) -> int:
    """Learn an arrival; returns when the next is overdue, -1 while too little is known."""
    c.last_ms = max(c.last_ms, time_ms)
    if c.anchor_ms < 0:
        c.anchor_ms = time_ms
    elif time_ms - c.anchor_ms >= RESOLUTION_MS:
        _learn(c, time_ms - c.anchor_ms, false_alarms_per_day, quantiles)
        c.anchor_ms = time_ms
    return c.last_ms + c.allowed_ms if c.allowed_ms > 0 else -1


@inner
def latest_gap_ms(c: Record) -> float:
    """The newest gap, NaN before there is one."""
    return c.gaps[(c.learned - 1) % GAPS_MAX] if c.learned > 0 else math.nan


@inner
def _learn(c: Record, gap_ms: int, false_alarms_per_day: float, quantiles: npt.NDArray[np.float64]) -> None:
    c.gaps[c.learned % GAPS_MAX] = gap_ms
    c.learned += 1
    if c.learned > EACH_UNTIL and c.learned % (BOUND_EVERY if c.learned <= GAPS_MAX else BOUND_EVERY_LATER):
        return
    n = min(c.learned, GAPS_MAX)
    ordered = quantiles[_ORDERED, :n]
    for i in range(n):
        ordered[i] = c.gaps[i]
    _sort(ordered)
    c.typical_ms = int(_middle(ordered))
    if c.learned >= GAPS_MIN:
        predicted_ms = _predicted_gap_ms(ordered, false_alarms_per_day, c.typical_ms, quantiles)
        longest_ms = MARGIN * ordered[n - 1 - EXCUSED]
        c.allowed_ms = int(max(longest_ms, predicted_ms, float(ALLOWED_GAP_MS_MIN)))


@inner
def _sort(few: npt.NDArray[np.float64]) -> None:
    """By insertion, in place."""
    for i in range(1, len(few)):
        value, at = few[i], i
        while at > 0 and few[at - 1] > value:
            few[at] = few[at - 1]
            at -= 1
        few[at] = value


@inner
def _middle(ordered: npt.NDArray[np.float64]) -> float:
    n = len(ordered)
    return 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])


@inner
def _predicted_gap_ms(
    ordered: npt.NDArray[np.float64],
    false_alarms_per_day: float,
    typical_ms: int,
    quantiles: npt.NDArray[np.float64],
) -> float:
    n = len(ordered)
    logs, away = quantiles[_LOGS, :n], quantiles[_AWAY, :n]
    for i in range(n):
        logs[i] = math.log(ordered[i])
    middle = _middle(logs)
    for i in range(n):
        away[i] = abs(logs[i] - middle)
    _sort(away)
    limit = 3 * (1.4826 * _middle(away) + SPREAD_PRIOR)
    squares = 0.0
    for i in range(n):
        squares += min(abs(logs[i] - middle), limit) ** 2
    spread = math.sqrt((squares + SPREAD_PRIOR_WEIGHT * SPREAD_PRIOR**2) / (n + SPREAD_PRIOR_WEIGHT))
    reach = _t_quantile(false_alarms_per_day, typical_ms, n + SPREAD_PRIOR_WEIGHT - 1, quantiles)
    return math.exp(min(middle + reach * spread * math.sqrt(1 + 1 / n), 40.0))


@inner
def _t_quantile(
    false_alarms_per_day: float, interval_ms: float, degrees: float, quantiles: npt.NDArray[np.float64]
) -> float:
    place = min(coarse_place(false_alarms_per_day, interval_ms), _ALPHAS - 1)
    known = quantiles[int(degrees), place]
    if math.isnan(known):
        known = upper_quantile(coarse_alpha(place), degrees)
        quantiles[int(degrees), place] = known
    return known


@entry
def _arrive(
    state: Records, time_ms: int, false_alarms_per_day: float, quantiles: npt.NDArray[np.float64]
) -> int:
    return arrive(state[0], time_ms, false_alarms_per_day, quantiles)
