"""Crowds: says when a pipeline runs more often than it ever does, as a backfill or a scheduler gone wild makes it.

What the usual gap lets through drains from a bucket, and each run adds one to it (a leaky bucket, Turner 1986): with gap g since the run before
and the usual gap T, beyond = max(0, beyond - 1.25 g / T) + 1, and from g = 0.9 T on it is empty: else a backfill of a month of daily runs would go on for weeks. A regular series stays at 1; runs one after the other at random, whose median gap is shorter than
the mean one, reach 3 or 4 now and then. So the crowds that a series is used to are learned: when the bucket runs empty, usual = max(0.995 usual, peak), of the
peak 1.25 usual + 0.5 at most, so that one backfill teaches little. It is one run too many when the bucket is above 4 + 2 usual, which for
a regular series is the sixth run beside the ordinary ones, once eight runs are known. Simulated, runs at random (exponential, log-normal and
gamma gaps, from a minute to a day on average) are told at most 0.12 times in a series-week.

In a crowd, from 1 + 2 usual on, what comes within half the usual gap of a run that was learned teaches the cadence nothing: else an hourly pipeline is
overdue every few minutes after a backfill; so it is with the samples of a metric, of which nothing else is said here. But it does for 256 runs, or two days, at most: then that is how often it runs now.

One episode a crowd, of the number of run events. Runs count by the time at which they came; of late ones lateness tells, and only it. Cost: a few nanoseconds a run, 72 bytes a follower.
"""

from detectors.compiled import inner, pasted
from detectors.core.layout import DAY_MS, Record
from detectors.findings import new_finding, place_finding
from detectors.follower_layout import CROWDED, EVENTS, RUN_EVENTS, Arrays
from detectors.interest import wanted
from detectors.numeric_layout import DOWN

PACE_MS_MIN = 60_000
"""Runs that usually come more often are counted in windows (`event_counts`)."""
DRAIN = 1.25
OVER = 0.9
"""After so many usual gaps without a run a crowd is over."""
RUNS_MIN = 8
USUAL_KEPT, USUAL_GROWN, USUAL_MORE = 0.995, 1.25, 0.5
TOLD_FROM, TOLD_USUAL = 4.0, 2.0
CROWD_FROM, CROWD_USUAL = 1.0, 2.0
APART = 0.5
"""In a crowd a run so many usual gaps after the last one that was learned is learned."""
UNLEARNED_MAX, UNLEARNED_MS_MAX = 256, 2 * DAY_MS


@pasted
def note_crowd(a: Arrays, follower: int, row: Record, time_ms: int) -> bool:
    """Judge whether what came at `time_ms` is one run too many; returns whether it is to teach the cadence."""
    f = a.followers[follower]
    c, typical_ms = f.crowd, float(f.arrivals.cadence.typical_ms)
    if typical_ms < PACE_MS_MIN:
        return True
    _pour(c, time_ms, typical_ms)
    limit = TOLD_FROM + TOLD_USUAL * c.usual
    late = row.order_ms > row.time_ms
    too_many = not late and c.beyond > limit and f.arrivals.cadence.learned >= RUNS_MIN
    watched = f.kind == RUN_EVENTS and a.tuned[f.tuned[EVENTS]].direction != DOWN
    if watched and (too_many or c.interest_ms > 0):
        _report(a, follower, row, time_ms, too_many, limit)
    return _teaches(c, time_ms, time_ms - f.arrivals.cadence.anchor_ms, typical_ms)


@inner
def _pour(c: Record, time_ms: int, typical_ms: float) -> None:
    """Let the bucket drain, learn the crowd that ends so, and add a run."""
    gaps = max(time_ms - c.last_ms, 0) / typical_ms
    c.beyond = max(0.0, c.beyond - DRAIN * gaps) if gaps < OVER else 0.0
    if c.beyond == 0.0:
        c.usual = max(USUAL_KEPT * c.usual, min(c.peak, USUAL_GROWN * c.usual + USUAL_MORE), 1.0)
        c.peak, c.count, c.unlearned, c.since_ms = 0.0, 0, 0, time_ms
    c.beyond += 1.0
    c.count += 1
    c.peak = max(c.peak, c.beyond)
    c.last_ms = max(c.last_ms, time_ms)


@inner
def _teaches(c: Record, time_ms: int, apart_ms: int, typical_ms: float) -> bool:
    if c.beyond <= CROWD_FROM + CROWD_USUAL * c.usual or apart_ms >= APART * typical_ms:
        return True
    if c.unlearned >= UNLEARNED_MAX or time_ms - c.since_ms > UNLEARNED_MS_MAX:
        return True
    c.unlearned += 1
    return False


@pasted
def _report(a: Arrays, follower: int, row: Record, time_ms: int, too_many: bool, limit: float) -> None:
    f = a.followers[follower]
    c, state = f.crowd, f.arrivals
    severity = c.beyond / limit
    if wanted(c, time_ms, too_many, severity, True, 0.0):
        finding = new_finding(a, CROWDED, EVENTS, follower, time_ms, c.since_ms)
        usual = 1.0 + (time_ms - c.since_ms) / state.cadence.typical_ms
        finding.observed, finding.expected, finding.lower = float(c.count), usual, 0.0
        finding.upper, finding.score, finding.anomalous = usual + limit, severity, too_many
        finding.n, finding.since_ms, finding.last_ms = state.arrivals, state.first_ms, state.cadence.last_ms
        place_finding(finding, 0, row.source, row.offset)
