"""Persistence: a series is anomalous only when so many of its last samples crossed their limits, the newest among them.

M of N, as Nagios and Prometheus users know it from "soft states" and `for`, but counted in samples, so that it means the same for
a series by the minute and one by the day. What a sample crosses is decided before; here is only the count.
"""

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.settings import AMONG_MAX

_ALL = (1 << AMONG_MAX) - 1


@inner
def would_persist(s: Record) -> bool:
    """Whether a sample that crosses its limits would be anomalous, as the next one of a LIGHT record."""
    missing = int(s.needed) - 1
    for back in range(int(s.among) - 1):
        missing -= (s.crossed >> back) & 1
    return missing <= 0


@inner
def note_crossing(s: Record, crosses: bool) -> bool:
    """Take note whether the newest sample crosses its limits; returns whether it is anomalous."""
    anomalous = crosses and would_persist(s)
    s.crossed = (s.crossed << 1 | int(crosses)) & _ALL
    return anomalous
