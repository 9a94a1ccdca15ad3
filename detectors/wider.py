"""Spread that grows: runs whose level is right and which vary more than they used to, for long.

With u a residual in standard deviations, sqrt|u| of normal noise is nearly normal, with mean 0.822 and deviation 0.349; a
CUSUM of w = (sqrt|u| - 0.822) / 0.349 so finds a larger deviation (Hawkins, Journal of Quality Technology 13, 1981), with k = 0.5 and
the threshold of `shift`. Noise with heavy tails has a lower mean, which makes it rarer. w counts up to 2.5: one strange run is no spread.

The spread learns four times as slowly while the CUSUM is half way to its alarm, so it does not follow at once; once it is told, the
spread learns as usual, and what has become usual ends the alarm.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import Record
from detectors.shift import YOUNG, cusum_threshold

STEP = 0.5
W_MEAN, W_DEVIATION, W_MAX = 0.822, 0.349, 2.5
ABOVE_MAX = 0.9
SHARE = 0.05
"""Of the budget."""
MISS_RATE = 1 / 12
EFFECT = 2.0
"""So many average misses have to reach the least effect."""
WAITING = 0.25


@inner
def set_unrest_bar(m: Record, alpha: float) -> None:
    """Have it alarm falsely in a share of the budget of `alpha` a run."""
    m.unrest_bar = cusum_threshold(STEP, 1.0 / (SHARE * alpha))


@inner
def follow_unrest(m: Record, u: float, miss: float, known: float) -> None:
    """Take in one residual, in deviations, and as it is on the log scale."""
    w = clip((math.sqrt(abs(u)) - W_MEAN) / W_DEVIATION, W_MAX)
    grown = m.unrest + w - STEP - YOUNG / math.sqrt(known)
    m.unrest = min(max(0.0, grown), m.unrest_bar + ABOVE_MAX)
    m.usual_miss += MISS_RATE * (abs(miss) - m.usual_miss)


@inner
def has_widened(m: Record, min_effect: float) -> bool:
    """Whether the spread has grown, by enough to matter."""
    return m.unrest >= m.unrest_bar > 0.0 and EFFECT * m.usual_miss >= math.log1p(min_effect)


@inner
def spread_rate(m: Record) -> float:
    """What the spread learns, as a share of what it learns as a rule."""
    return WAITING if 0.5 * m.unrest_bar < m.unrest < m.unrest_bar else 1.0
