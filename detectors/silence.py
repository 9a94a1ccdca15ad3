"""Silence: learns when something comes, and by when the next one is due.

Three models, the first that holds: a schedule of days and times of day (`schedule`) for what comes every 5 hours or more rarely, a
rhythm of minutes (`rhythm`) for what comes every 15 minutes to 4 hours, and gaps. The gap to the next arrival is bounded
by what the last 32 gaps' tail predicts (`margins`), and never below a quarter more than the second longest of them: so one outage cannot teach that outages are normal. Under the latter two models nothing is due in hours in which nothing ever comes
(`active_hours`), and gaps across such hours teach nothing.

All goes by the series' own clock: UTC and the offset of its time zone. Where the zone is not known a schedule moves by an hour in UTC twice a year; so an arrival
of a punctual series that comes an hour before or after its time, to 20 minutes or the margin, moves the clock by that hour. A run that was once an
hour late moves it back the next time.

Arrivals within 10 s of one another count as one, and no series is silent before a minute has passed. Says nothing before four runs of a
schedule, or 6 arrivals. A gap model is worked out anew at every gap of the first eight, at every fourth up to 32 and at every eighth later.
"""

import numpy as np

from detectors.active_hours import expected_active, hour_of, mark_active, next_active
from detectors.budget import alpha_for
from detectors.cadence_layout import (
    CADENCE,
    GAPS_MAX,
    HOUR_MS,
    RECENT,
    Scratch,
    new_scratch,
)
from detectors.compiled import entry, inner
from detectors.core.layout import Record, Records
from detectors.day_rules import NO_RULE
from detectors.local_time import offset_ms, zone_record
from detectors.margins import BEYOND, limit_of
from detectors.order_statistics import middle, sort_few
from detectors.rhythm import find_rhythm
from detectors.schedule import find_schedule
from detectors.settings import UTC

RESOLUTION_MS = 10_000
ALLOWED_GAP_MS_MIN = 60_000
GAPS_MIN = 5
EACH_UNTIL = 8
BOUND_EVERY = 4
BOUND_EVERY_LATER = 8
EXCESS_PRIOR = 0.1
"""Of the usual gap: an excess that counts as seen."""
SCHEDULED_MS_MIN = 5 * HOUR_MS
"""Gaps from which on a schedule is looked for."""
HOURS_MS_MIN = 60_000
"""Gaps from which on active hours are asked for."""
ORDINARY_GAPS = 2.5
"""A gap of so many usual ones or less is activity all through."""
OVERDUE_MAX = 6
"""After so many overdue arrivals in a row the gaps before them are forgotten."""
PUNCTUAL_MS, JUMP_NEAR_MS = 2_700_000, 1_200_000
"""A series with a greater margin is not punctual enough to tell a jump of an hour, and how near to an hour one must be."""

KNOWN_HOURS = 504
"""From this age of a series on its active hours tell of a jump: three weeks."""

_ORDERED = 1


class Cadence:
    """The arrivals of one series, and the time by which the next one is due. Times and gaps in ms.

    >>> hourly = Cadence()
    >>> for hour in range(30):
    ...     due_ms = hourly.arrive(hour * 3_600_000, 1 / 30)
    >>> round((due_ms - 29 * 3_600_000) / 60_000)
    66
    """

    def __init__(self, time_zone: str = UTC) -> None:
        self._zone = zone_record(time_zone)
        self._state: Records = np.zeros(1, CADENCE)
        self._state["anchor_ms"] = self._state["last_ms"] = -1
        self._scratch = new_scratch()

    @property
    def last_ms(self) -> int:
        """The latest arrival, -1 before the first."""
        return int(self._state["last_ms"][0])

    @property
    def rule(self) -> int:
        """The rule of days in force, see `day_rules`."""
        return int(self._state["rule"][0])

    def arrive(self, time_ms: int, false_alarms_per_day: float) -> int | None:
        """Learn an arrival; returns when the next is overdue, or None while too little is known.

        An arrival at or before the last one teaches nothing.
        """
        due_ms = _arrive(self._state, self._zone, time_ms, false_alarms_per_day, self._scratch)
        return due_ms if due_ms >= 0 else None


@inner
def arrive(c: Record, zone: Record, time_ms: int, false_alarms_per_day: float, scratch: Scratch) -> int:
    """Learn an arrival; returns when the next is overdue, -1 while too little is known. The series' clock is that of `zone`."""
    if c.anchor_ms < 0:
        c.anchor_ms, c.due_ms = time_ms, -1
        c.clock_ms = time_ms + offset_ms(zone, time_ms)
        c.first_hour = hour_of(c.clock_ms)
        mark_active(c, c.first_hour)
    elif time_ms - c.anchor_ms >= RESOLUTION_MS:
        c.overdue = c.overdue + 1 if 0 <= c.due_ms < time_ms else 0
        ahead_ms = offset_ms(zone, time_ms)
        _learn(c, time_ms + ahead_ms, false_alarms_per_day, scratch)
        c.anchor_ms = time_ms
        due_ms = _due_clock_ms(c)
        c.due_ms = due_ms - c.jumped_ms - ahead_ms if due_ms >= 0 else -1
        if c.due_ms >= 0 and (c.rule != NO_RULE or c.period_ms > 0):
            c.due_ms += ahead_ms - offset_ms(zone, c.due_ms)
    c.last_ms = max(c.last_ms, time_ms)
    return max(c.due_ms, c.last_ms + ALLOWED_GAP_MS_MIN) if c.due_ms >= 0 else -1


@inner
def _learn(c: Record, local_ms: int, false_alarms_per_day: float, scratch: Scratch) -> None:
    before_ms = c.clock_ms
    _follow_jump(c, local_ms)
    c.clock_ms = local_ms + c.jumped_ms
    gap_ms = max(c.clock_ms - before_ms, 1)
    ordinary = c.typical_ms == 0 or gap_ms <= ORDINARY_GAPS * c.typical_ms
    expected = ordinary or c.typical_ms >= SCHEDULED_MS_MIN or _was_expected(c, before_ms)
    if c.overdue == OVERDUE_MAX:
        _begin_anew(c)
    c.gaps[c.learned % GAPS_MAX] = gap_ms if expected else -gap_ms
    c.learned += 1
    _mark(c, before_ms, ordinary)
    _measure_gaps(c, false_alarms_per_day, scratch)
    c.rule = NO_RULE
    if c.typical_ms >= SCHEDULED_MS_MIN:
        c.period_ms = 0
        if not find_schedule(c, false_alarms_per_day, scratch):
            c.rule = NO_RULE


@inner
def _begin_anew(c: Record) -> None:
    """Forget all gaps but the latest, each of which was too long: the series has slowed down."""
    kept = OVERDUE_MAX - 1
    for i in range(kept):
        c.gaps[GAPS_MAX - 1 - i] = c.gaps[(c.learned - 1 - i) % GAPS_MAX]
    for i in range(kept):
        c.gaps[i] = abs(c.gaps[GAPS_MAX - kept + i])
    c.learned, c.period_ms = kept, 0


@inner
def _follow_jump(c: Record, local_ms: int) -> None:
    """Move the clock by an hour when a punctual series comes an hour before or after its time."""
    waited = c.center_ms - c.clock_ms > ORDINARY_GAPS * c.period_ms
    known = hour_of(c.clock_ms) - c.first_hour >= KNOWN_HOURS
    told = c.period_ms > HOUR_MS or (c.period_ms == HOUR_MS and waited and known)
    if c.late_ms > PUNCTUAL_MS or not (c.rule != NO_RULE or told):
        return
    away_ms = local_ms + c.jumped_ms - c.center_ms
    if abs(abs(away_ms) - HOUR_MS) <= min(c.late_ms, JUMP_NEAR_MS):
        c.jumped_ms -= HOUR_MS if away_ms > 0 else -HOUR_MS


@inner
def _was_expected(c: Record, before_ms: int) -> bool:
    """Whether anything was expected in the hours of the latest gap but the first."""
    following = hour_of(before_ms) + 1
    return next_active(c, following) < hour_of(c.clock_ms) or not expected_active(c, hour_of(c.clock_ms))


@inner
def _mark(c: Record, before_ms: int, ordinary: bool) -> None:
    """Mark the hours that the latest gap has shown to be active.

    In a rhythm of an hour or more it is the hour in which a run was expected. Else an hour is active when the series went on beyond it.
    """
    if c.period_ms >= HOUR_MS:
        half = c.period_ms // 2
        mark_active(c, hour_of((c.clock_ms - c.phase_ms + half) // c.period_ms * c.period_ms + c.phase_ms))
    elif ordinary:
        for hour in range(hour_of(before_ms), hour_of(c.clock_ms)):
            mark_active(c, hour)


@inner
def _due_clock_ms(c: Record) -> int:
    """When the next arrival is overdue by the series' clock, -1 while it is not known."""
    if c.rule != NO_RULE:
        return c.center_ms + c.late_ms
    if c.period_ms > 0:
        half = c.period_ms // 2
        number = (c.clock_ms - c.phase_ms + half) // c.period_ms + 1
        c.center_ms = number * c.period_ms + c.phase_ms
        if not expected_active(c, hour_of(c.center_ms)):
            c.center_ms = _first_expected_ms(c)
        return c.center_ms + c.late_ms
    if c.allowed_ms == 0:
        return -1
    due_ms = c.clock_ms + c.allowed_ms
    if HOURS_MS_MIN <= c.typical_ms < SCHEDULED_MS_MIN and not expected_active(c, hour_of(due_ms)):
        hour = next_active(c, hour_of(due_ms))
        due_ms = max(due_ms, (hour + 1) * HOUR_MS + c.allowed_ms)
    return due_ms


@inner
def _first_expected_ms(c: Record) -> int:
    """The first run of the rhythm, after `center_ms`, that comes in an active hour."""
    if c.period_ms < HOUR_MS:
        from_ms = (next_active(c, hour_of(c.center_ms)) + 1) * HOUR_MS
        return (from_ms - c.phase_ms + c.period_ms - 1) // c.period_ms * c.period_ms + c.phase_ms
    center_ms = c.center_ms
    while center_ms < c.center_ms + 168 * HOUR_MS:
        if expected_active(c, hour_of(center_ms)):
            return center_ms
        center_ms += c.period_ms
    return c.center_ms


@inner
def _measure_gaps(c: Record, false_alarms_per_day: float, scratch: Scratch) -> None:
    if c.learned > EACH_UNTIL and c.learned % (BOUND_EVERY if c.learned <= RECENT else BOUND_EVERY_LATER):
        return
    ordered, n = scratch[_ORDERED], 0
    for i in range(min(c.learned, RECENT)):
        gap_ms = c.gaps[(c.learned - 1 - i) % GAPS_MAX]
        if gap_ms > 0:
            ordered[n] = gap_ms
            n += 1
    if n == 0:
        return
    sort_few(ordered[:n])
    c.typical_ms = int(middle(ordered[:n]))
    if n >= GAPS_MIN:
        alpha = alpha_for(false_alarms_per_day, c.typical_ms / 1000.0)
        predicted_ms = limit_of(ordered[:n], EXCESS_PRIOR * c.typical_ms, alpha)
        c.allowed_ms = int(max(BEYOND * ordered[n - 2], predicted_ms, float(ALLOWED_GAP_MS_MIN)))
    if c.typical_ms < SCHEDULED_MS_MIN:
        find_rhythm(c, false_alarms_per_day, scratch)


@entry
def _arrive(
    state: Records, zone: Records, time_ms: int, false_alarms_per_day: float, scratch: Scratch
) -> int:
    return arrive(state[0], zone[0], time_ms, false_alarms_per_day, scratch)
