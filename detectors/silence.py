"""Silence: learns how often something comes, and by when the next one is due."""

from functools import lru_cache
from math import exp, log, sqrt
from statistics import median

import msgspec

from detectors.budget import coarse_alpha_for
from detectors.compiled import entry
from detectors.student_t import upper_quantile

RESOLUTION_MS = 10_000
ALLOWED_GAP_MS_MIN = 60_000
GAPS_MIN = 5
GAPS_MAX = 32
BOUND_EVERY = 8
SPREAD_PRIOR = 0.1
SPREAD_PRIOR_WEIGHT = 4.0
MARGIN = 1.25
EXCUSED = 1


class Cadence(msgspec.Struct, array_like=True):
    """The gaps between arrivals of one series, and the time by which the next arrival is due.

    The next gap is bounded by a Student-t prediction on log gaps (spread shrunk to 10 % with 4 pseudo-gaps), and
    never below a quarter more than the second longest of the last 32 gaps: so one outage cannot teach that outages
    are normal, and the weekend of a weekday job, which comes back every week, is not an outage. Arrivals within 10 s
    of one another count as one, and no series is silent before a minute has passed. Times and gaps in ms. Says
    nothing before 6 arrivals; once 32 gaps are known, the bound is worked out anew at every eighth. About 400 bytes a
    series.

    >>> hourly = Cadence()
    >>> for hour in range(30):
    ...     due_ms = hourly.arrive(hour * 3_600_000, 1 / 30)
    >>> round((due_ms - 29 * 3_600_000) / 60_000)
    75
    """

    anchor_ms: int = -1
    last_ms: int = -1
    allowed_ms: int = 0
    typical_ms: int = 0
    learned: int = 0
    gaps: list[int] = []

    def arrive(self, time_ms: int, false_alarms_per_day: float) -> int | None:
        """Learn an arrival; returns when the next is overdue, or None while too little is known.

        An arrival at or before the last one teaches nothing.
        """
        self.last_ms = max(self.last_ms, time_ms)
        if self.anchor_ms < 0:
            self.anchor_ms = time_ms
        elif time_ms - self.anchor_ms >= RESOLUTION_MS:
            self._learn(time_ms - self.anchor_ms, false_alarms_per_day)
            self.anchor_ms = time_ms
        return self.last_ms + self.allowed_ms if self.allowed_ms else None

    def _learn(self, gap_ms: int, false_alarms_per_day: float) -> None:
        self.gaps.append(gap_ms)
        self.learned += 1
        if self.learned > GAPS_MAX:
            self.gaps.pop(0)
            if self.learned % BOUND_EVERY:
                return
        self.typical_ms = int(median(self.gaps))
        if self.learned >= GAPS_MIN:
            alpha = coarse_alpha_for(false_alarms_per_day, self.typical_ms)
            longest = sorted(self.gaps)[-1 - EXCUSED]
            self.allowed_ms = int(
                max(MARGIN * longest, _predicted_gap_ms(self.gaps, alpha), ALLOWED_GAP_MS_MIN)
            )


def _predicted_gap_ms(gaps: list[int], alpha: float) -> float:
    logs = [log(gap) for gap in gaps]
    n = len(logs)
    middle = median(logs)
    limit = 3 * (1.4826 * median(abs(x - middle) for x in logs) + SPREAD_PRIOR)
    squares = sum(min(abs(x - middle), limit) ** 2 for x in logs)
    spread = sqrt((squares + SPREAD_PRIOR_WEIGHT * SPREAD_PRIOR**2) / (n + SPREAD_PRIOR_WEIGHT))
    return exp(min(middle + _t_quantile(alpha, n + SPREAD_PRIOR_WEIGHT - 1) * spread * sqrt(1 + 1 / n), 40.0))


@lru_cache(maxsize=4096)
def _t_quantile(alpha: float, degrees: float) -> float:
    return _quantile(alpha, degrees)


@entry
def _quantile(alpha: float, degrees: float) -> float:
    return upper_quantile(alpha, degrees)
