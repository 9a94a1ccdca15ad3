"""Hour means: says when a metric that comes often lies below its routine for an hour, though none of its values is odd by itself.

A stream that carries two thirds of what it should is in every minute within what its noise may do. The mean of an hour has less noise, so
it is a series of its own, judged as hourly runs are: by hour and day of the week, on the log scale. Of it only falls are told: what lies above is
told by the values. Lasting changes teach its level, and are not told.

An hour is judged with the first value of a later one, when it had at least half of the usual number of values and none below zero, of
series that have four values an hour or more. A metric for which only what lies above counts has no such series.
"""

import math

from detectors.compiled import inner, pasted
from detectors.core.layout import HOUR_MS, Record
from detectors.follower_layout import HOURLY, Arrays
from detectors.numeric_layout import UP
from detectors.numeric_series import judge_part

VALUES_MIN = 4.0
SHARE_MIN = 0.5
MEAN_WEIGHT = 0.1


@pasted
def average_value(a: Arrays, follower: int, row: Record) -> None:
    """Take a value into the mean of its hour, and judge the hour before if it has ended; values of an hour that has been judged count for none."""
    w = a.followers[follower].window
    hour = row.time_ms // HOUR_MS
    if hour > w.window:
        if w.window >= 0:
            _close(a, follower)
        w.window, w.count, w.total = hour, 0, 0.0
        w.first_source, w.first_offset = row.source, row.offset
    if hour == w.window:
        w.count += 1
        w.total += row.value if row.value >= 0.0 else math.nan
        w.last_source, w.last_offset = row.source, row.offset


@inner
def _close(a: Arrays, follower: int) -> None:
    f = a.followers[follower]
    w = f.window
    is_known = w.mean >= VALUES_MIN and w.count >= SHARE_MIN * w.mean and not math.isnan(w.total)
    if is_known and a.tuned[f.tuned[HOURLY]].direction != UP:
        start_ms, mean = w.window * HOUR_MS, w.total / w.count
        sources, offsets = (w.first_source, w.last_source), (w.first_offset, w.last_offset)
        judge_part(a, follower, HOURLY, start_ms + HOUR_MS, mean, start_ms, sources, offsets)
    w.mean += (MEAN_WEIGHT if w.mean > 0.0 else 1.0) * (w.count - w.mean)
