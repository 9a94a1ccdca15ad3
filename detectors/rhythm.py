"""Rhythms: a series that runs every 15 minutes to 4 hours, at which minutes does it?

When the usual gap is near one of the periods that schedulers know, the places of the latest arrivals (32 at most) within it are looked at.
They are a rhythm when four in five lie within a third of the period; the next run is then expected at their
median, within their `margins`. By the series' own clock. Cost: about a microsecond, once in several arrivals.
"""

import numpy as np
import numpy.typing as npt

from detectors.cadence_layout import HOUR_MS, RECENT, Scratch
from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.margins import margins
from detectors.order_statistics import middle, sort_few
from detectors.schedule import lay_out, within

MINUTE_MS = 60_000
PERIODS_MS = (
    15 * MINUTE_MS,
    20 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    4 * HOUR_MS,
)
PERIOD_MS_MAX = 4 * HOUR_MS
NEAR = 0.12
ARRIVALS_MIN = 6
TOGETHER, WIDTH_MAX = 0.1, 1 / 3
LATE_MAX = 0.75
LATE_MIN = 0.1
"""Shares of the period."""
_TIMES, _PLACES = 0, 1


@inner
def find_rhythm(c: Record, false_alarms_per_day: float, scratch: Scratch) -> None:
    """Work out `period_ms` (0: there is none), `phase_ms` and the margins."""
    c.period_ms = 0
    period = 0
    for tried in PERIODS_MS:
        if abs(c.typical_ms - tried) <= NEAR * tried:
            period = tried
    if period == 0:
        return
    n = lay_out(c, scratch, RECENT)
    if n < ARRIVALS_MIN:
        return
    times, places = scratch[_TIMES][:n], scratch[_PLACES][:n]
    center = within(times[0], period)
    for _ in range(2):
        _place(times, places, center, period)
        sort_few(places)
        center = within(center + middle(places), period)
    _place(times, places, center, period)
    sort_few(places)
    beside = int(TOGETHER * n)
    if places[n - 1 - beside] - places[beside] > WIDTH_MAX * period:
        return
    early, late = margins(places[beside // 2 :], float(period), false_alarms_per_day)
    late = max(late, LATE_MIN * period)
    if late <= LATE_MAX * period:
        c.period_ms, c.phase_ms, c.early_ms, c.late_ms = period, int(center), int(early), int(late)


@inner
def _place(
    times: npt.NDArray[np.float64], places: npt.NDArray[np.float64], center: float, period: int
) -> None:
    for i in range(len(times)):
        places[i] = within(times[i] - center + period // 2, period) - period // 2
