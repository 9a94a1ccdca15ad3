"""Lateness: says when more of a series' rows come late than used to.

A row is late when its event time lies further behind the greatest one already seen in its own source partition than is allowed
(`allowed_lateness`). That is what a backlog, a slow network, a backfill or a publisher's slow clock look like. A clock that is fast makes the others in
its partition late: a future time beyond `allowed_skew` is dead-lettered by ingest before it can. The share of late rows is
judged as any outcome is (`outcomes`), at the time when the row was applied, once 32 rows are known: there is no usual share before.
"""

from detectors.compiled import pasted
from detectors.core.layout import Record
from detectors.follower_layout import LATENESS, Arrays
from detectors.outcomes import judge_outcome
from detectors.rates import RECENT_MAX, SELDOM, learn


@pasted
def judge_lateness(a: Arrays, follower: int, row: Record) -> None:
    """Judge whether the row is one late row too many, and learn it."""
    f = a.followers[follower]
    late = row.order_ms > row.time_ms
    if f.lateness.rate.count < RECENT_MAX:
        if f.lateness.rate.count == 0:
            f.lateness.first_ms = row.order_ms
        f.lateness.seen += 1
        learn(f.lateness.rate, late, False, SELDOM)
    else:
        interval_ms = float(f.arrivals.cadence.typical_ms)
        judge_outcome(a, follower, LATENESS, f.lateness, row, row.order_ms, late, interval_ms)
