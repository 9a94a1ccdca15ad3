"""New levels: a lasting change is told, then proposed as the new level, and then accepted.

From the first anomalous run on, the runs that agree with one another on a new level are counted. Once they are
`PROPOSED_RUNS` over a day it is said that this may be the new level (`baseline_shift_proposed`). Once they are `ACCEPTED_RUNS`
over `ACCEPTED_MS` and no longer drift, it becomes the level (`baseline_shift_accepted`) and the episode ends. Series that run
seldom are accepted with fewer runs after `SELDOM_MS`. A level of next to nothing is an outage, whatever it agrees on: it
takes three weeks.
"""

import math

from detectors.compiled import inner
from detectors.core.layout import DAY_MS, Record

PROPOSED_RUNS, PROPOSED_MS = 5, DAY_MS
ACCEPTED_RUNS, ACCEPTED_MS = 8, 7 * DAY_MS
SELDOM_RUNS, SELDOM_MS = 5, 21 * DAY_MS
OUTAGE_MS = 21 * DAY_MS
OUTAGE = -3.0
"""On the log scale: 95 % less."""
AGREES = 4.0
MISSED_MAX = 2
"""Runs in a row that do not agree, after which it was no level."""
LATE_SHARE = 4.0
"""The late mean remembers this part of what the mean does."""
STEADY, STEADY_NOISE = 0.1, 1.5
"""A level moves on by less than this share of the change, beyond what noise can do in standard errors."""
WIDER = 2.5
"""How much wider the noise around a new level may be."""

NOTHING, PROPOSED, ACCEPTED = 0, 1, 2


@inner
def forget_new_level(m: Record) -> None:
    """No new level is in sight."""
    m.new_runs, m.new_since_ms, m.proposed, m.missed = 0, 0, 0, 0
    m.new_mean, m.new_late, m.new_square = 0.0, 0.0, 0.0


@inner
def _begin(m: Record, time_ms: int, residual: float) -> None:
    forget_new_level(m)
    m.new_runs, m.new_since_ms, m.new_mean, m.new_late = 1, time_ms, residual, residual


@inner
def follow_new_level(
    m: Record, time_ms: int, residual: float, spread: float, interval_s: float, anomalous: bool
) -> int:
    """Take in the residual of one run; `NOTHING`, `PROPOSED` (once) or `ACCEPTED` (then the level has moved)."""
    if m.new_runs == 0:
        if anomalous:
            _begin(m, time_ms, residual)
        return NOTHING
    difference = residual - m.new_mean
    if abs(difference) > AGREES * spread * math.sqrt(1.0 + 1.0 / m.new_runs):
        m.missed += 1
        if m.missed >= MISSED_MAX:
            forget_new_level(m)
        if anomalous:
            _begin(m, time_ms, residual)
        return NOTHING
    m.missed = 0
    m.new_runs += 1
    memory = min(float(m.new_runs), max(float(ACCEPTED_RUNS), ACCEPTED_MS / 1000.0 / interval_s))
    rate = 1.0 / memory
    m.new_mean += rate * difference
    m.new_square += rate * (difference * difference * (1.0 - rate) - m.new_square)
    m.new_late += min(1.0, max(LATE_SHARE * rate, 1.0 / m.new_runs)) * (residual - m.new_late)
    steady_error = STEADY_NOISE * spread * math.sqrt(LATE_SHARE / memory)
    return _stage(m, time_ms - m.new_since_ms, spread, steady_error)


@inner
def _stage(m: Record, lasted_ms: int, spread: float, error: float) -> int:
    moved = abs(m.new_late - m.new_mean)
    steady = moved < STEADY * abs(m.new_mean) + error and m.new_square < (WIDER * spread) ** 2
    if not steady:
        return NOTHING
    enough = m.new_runs >= ACCEPTED_RUNS and lasted_ms >= ACCEPTED_MS
    enough = enough or (m.new_runs >= SELDOM_RUNS and lasted_ms >= SELDOM_MS)
    outage = m.new_mean < OUTAGE
    if enough and (not outage or lasted_ms >= OUTAGE_MS):
        return ACCEPTED
    if m.proposed == 0 and m.new_runs >= PROPOSED_RUNS and lasted_ms >= PROPOSED_MS:
        m.proposed = 1
        return PROPOSED
    return NOTHING
