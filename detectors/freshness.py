"""Freshness: says when a run or sample that was due has not come, and when it comes after all.

A silence passes its deadline only once, so a deadline keeps to both budgets, the series' own and the fleet's.

An arrival moves `due_ms`, mostly on; a timer that runs out before it is set anew. `Arrays.silence_ms` holds the earliest timer
that is set (NO_TIMER: none), any other one is a leftover. It is no part of the state: after a restart the timer is set for `due_ms`.
"""

from detectors.budget import alpha_for
from detectors.compiled import inner, pasted
from detectors.core.layout import Record
from detectors.crowds import note_crowd
from detectors.day_rules import NO_RULE
from detectors.findings import NOWHERE, new_finding, place_finding
from detectors.follower_layout import ARRIVED, FRESHNESS, OVERDUE, RUN_EVENTS, TIMERS, Arrays
from detectors.interest import begins_or_worsens, ends
from detectors.silence import arrive
from detectors.timers import push_timer

SILENCE = 1
"""The purpose of its timers."""
NO_TIMER = -1
VALUE_AGE_MS = 86_400_000
"""A series of values is only waited for when it has existed for so long: many end with what they measure."""
GAPS, RHYTHM = NO_RULE, -1
"""What a finding's `method` says besides the rules of `day_rules`: judged by gaps, or by a rhythm of `days` ms."""
OVERDUE_SEVERITY = 1.0


@pasted
def note_arrival(a: Arrays, follower: int, row: Record) -> None:
    """Learn an arrival, and end a silence if there was one.

    A late row has come when it was applied, whatever its time says: of a slow clock lateness tells, and only it.
    """
    state = a.followers[follower].arrivals
    time_ms = max(row.time_ms, row.order_ms)
    if state.arrivals > 0 and time_ms > state.cadence.last_ms and ends(state, time_ms, True):
        _report(a, follower, ARRIVED, time_ms, row.source, row.offset)
    if state.arrivals == 0:
        state.first_ms = time_ms
    state.arrivals += 1
    state.source, state.offset = row.source, row.offset
    if not note_crowd(a, follower, row, time_ms):
        state.cadence.last_ms = max(state.cadence.last_ms, time_ms)
        return
    tuned = a.tuned[a.followers[follower].tuned[FRESHNESS]]
    rate = min(tuned.false_alarms_per_day, a.fleet[0].allowed_per_day)
    due_ms = arrive(state.cadence, a.bank.zones[tuned.zone], time_ms, rate, a.scratch)
    is_old = a.followers[follower].kind == RUN_EVENTS or time_ms - state.first_ms >= VALUE_AGE_MS
    if due_ms >= 0 and is_old:
        state.due_ms = due_ms
        if a.silence_ms[follower] == NO_TIMER or due_ms < a.silence_ms[follower]:
            set_silence_timer(a, follower)


@pasted
def set_silence_timer(a: Arrays, follower: int) -> None:
    """Ask to be told when the next run is due."""
    due_ms = a.followers[follower].arrivals.due_ms
    a.silence_ms[follower] = due_ms if due_ms >= 0 else NO_TIMER
    if due_ms >= 0:
        a.counters[TIMERS] = push_timer(a.timers, a.counters[TIMERS], due_ms, follower, SILENCE, 0)


@pasted
def silence_expired(a: Arrays, follower: int, due_ms: int) -> None:
    """The run was due at `due_ms`, unless one has come since."""
    state = a.followers[follower].arrivals
    if a.silence_ms[follower] != due_ms:
        return
    if state.due_ms > due_ms:
        set_silence_timer(a, follower)
    elif state.due_ms == due_ms:
        state.due_ms = -1
        a.silence_ms[follower] = NO_TIMER
        if begins_or_worsens(state, due_ms, OVERDUE_SEVERITY, True, 0.0):
            _report(a, follower, OVERDUE, due_ms, state.source if state.arrivals else NOWHERE, state.offset)


@inner
def _report(a: Arrays, follower: int, what: int, time_ms: int, source: int, offset: int) -> None:
    state = a.followers[follower].arrivals
    cadence = state.cadence
    finding = new_finding(a, what, FRESHNESS, follower, time_ms, cadence.last_ms)
    finding.observed, finding.upper = (
        float(time_ms - cadence.last_ms),
        float(cadence.due_ms - cadence.last_ms),
    )
    if cadence.rule != NO_RULE or cadence.period_ms > 0:
        finding.expected = finding.upper - cadence.late_ms
        finding.lower = max(0.0, finding.expected - cadence.early_ms)
        finding.method = cadence.rule if cadence.rule != NO_RULE else RHYTHM
        finding.days = cadence.rule_days if cadence.rule != NO_RULE else cadence.period_ms
    else:
        finding.expected, finding.lower, finding.method = float(cadence.typical_ms), 0.0, GAPS
    finding.n, finding.since_ms, finding.last_ms = state.arrivals, state.first_ms, cadence.last_ms
    finding.anomalous = what == OVERDUE
    finding.score = OVERDUE_SEVERITY if what == OVERDUE else 0.0
    if what == OVERDUE:
        allowed = min(
            a.tuned[a.followers[follower].tuned[FRESHNESS]].false_alarms_per_day, a.fleet[0].allowed_per_day
        )
        finding.p_value = alpha_for(allowed, cadence.typical_ms / 1000.0)
    place_finding(finding, 0, source, offset)
