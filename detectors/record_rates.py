"""Rates: how often a value is null, absent or empty where that is known to happen, and whether it has come to happen far more often.

What it detects: a block of payloads in which the share is at least `RISE` times what it was, and larger than in any block before. What comes and
goes in bursts has had such blocks; a share that falls is no change.

Formula: the likelihood ratio (G) of two proportions, the block's and all before, against one for both; exp(-G) bounds the probability that
chance does as much (Chernoff). Below one in a million it is a change.

Cost: three logarithms. State: `Rate`.

>>> rate = Rate(20.0, 1000.0, 0.03)
>>> round(log_p_of_rise(rate, 400, 1000)), rises(rate, 400, 1000), rises(rate, 60, 1000)
(-257, True, False)
"""

import math
from typing import Final

import msgspec

from detectors.novelty import CHANCES_MIN, LOG_P_MAX, SHARE_MIN, TIMES_MIN

RISE: Final = 5.0
COUNTS_MAX: Final = 1_000_000


class Rate(msgspec.Struct, array_like=True):
    """How often something happened in so many chances, and the largest share of a block with enough of them."""

    times: float = 0.0
    chances: float = 0.0
    peak: float = 0.0

    @property
    def share(self) -> float:
        """How many of the chances had it."""
        return self.times / self.chances if self.chances else 0.0

    def learn(self, times: float, chances: float) -> None:
        """Take in a block."""
        self.times += times
        self.chances += chances
        if chances >= CHANCES_MIN:
            self.peak = max(self.peak, times / chances)
        if self.chances > COUNTS_MAX:
            self.times, self.chances = self.times / 2, self.chances / 2

    def begin(self, times: float, chances: float) -> None:
        """Have this be what is known from now on."""
        self.times, self.chances = 0.0, 0.0
        self.learn(times, chances)


def rises(rate: Rate, times: float, chances: float) -> bool:
    """Whether a block with so many times in so many chances is a change."""
    share = times / chances
    return (
        min(chances, rate.chances) >= CHANCES_MIN
        and times >= TIMES_MIN
        and share >= max(SHARE_MIN, RISE * rate.share)
        and share > rate.peak
        and log_p_of_rise(rate, times, chances) < LOG_P_MAX
    )


def log_p_of_rise(rate: Rate, times: float, chances: float) -> float:
    """How likely both shares are by chance one and the same."""
    both, all_chances = rate.times + times, rate.chances + chances
    one = _fit(times, chances, times / chances) + _fit(rate.times, rate.chances, rate.share)
    return _fit(both, all_chances, both / all_chances) - one


def _fit(times: float, chances: float, share: float) -> float:
    """The logarithm of the likelihood of a share."""
    rest = chances - times
    return (times * math.log(share) if times else 0.0) + (rest * math.log(1 - share) if rest > 0 else 0.0)


def rate_text(share: float, what: str) -> str:
    """A share as people read it.

    >>> rate_text(0.0213, "null")
    '2.13 % null'
    """
    return f"{100 * share:.3g} % {what}"
