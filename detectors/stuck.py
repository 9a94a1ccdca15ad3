"""Stuck series: what usually changes from sample to sample and has the same value over and over, as a frozen sensor or cache has.

If a share r of the samples repeat the one before, k repeats in a row have probability r^k (the run length of independent trials,
Feller, An Introduction to Probability Theory I, XIII.7). r is learned with a memory of 1,000 samples, and counts as 1 / n larger, as so
many samples cannot rule out; of one spell of repeats it learns the first eight. Spells that a series is used to are no news:
it takes more than three times the longest, which grows to twice and two more at most with each spell, so one incident teaches little.

A series that repeats itself half of the time or more is never told: it is constant, a counter at rest or read more often than it is
written.
"""

import math

from detectors.compiled import inner
from detectors.core.layout import Record

VALUES_EQUAL, RUNS_EQUAL = 12, 6
"""Repeats that it takes."""
EQUAL_MAX = 65_535
TIMES_USUAL = 3
COUNTED_MAX = 8
MEMORY = 1000.0
REPEATS_MAX = 0.5
VALUES_KNOWN, RUNS_KNOWN = 1000, 20
"""Samples before the first judgement."""
SHARE = 0.05
"""Of the budget."""


@inner
def stuck_share(m: Record, n: int) -> float:
    """How likely a series repeats itself once more after the repeats it has behind it, `n` samples being known."""
    return math.exp((m.equal + 1.0) * math.log(min(m.repeats + 1.0 / min(n, MEMORY), 1.0)))


@inner
def is_stuck(m: Record, n: int, repeated: bool, least: int, alpha: float) -> bool:
    """Whether a sample that `repeated` the one before is one too many, of `least` in a row at least; `alpha` is the budget of one sample."""
    equal = m.equal + 1
    if not repeated or equal < least or equal <= TIMES_USUAL * m.equal_usual or m.repeats >= REPEATS_MAX:
        return False
    return stuck_share(m, n) <= SHARE * alpha


@inner
def note_repeat(m: Record, n: int, repeated: bool) -> None:
    """Learn whether sample `n` repeated the one before."""
    if not repeated or m.equal < COUNTED_MAX:
        m.repeats += ((1.0 if repeated else 0.0) - m.repeats) / min(n + 1.0, MEMORY)
    if repeated:
        m.equal = min(m.equal + 1, EQUAL_MAX)
    elif m.equal > 0:
        m.equal_usual = max(m.equal_usual, min(m.equal, 2 * m.equal_usual + 2, EQUAL_MAX))
        m.equal = 0
