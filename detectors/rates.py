"""Rates of rare outcomes: judges whether failures (or duplicates) come more often than they used to."""

import math
from typing import NamedTuple

import numpy as np

from detectors.compiled import entry, inner
from detectors.core.layout import Record, Records

RECENT_MAX = 32
LOOKS = 6
"""Spans that are looked at: the last 1, 2, 4 ... 32 outcomes."""
PRIOR_YES = 0.5
SOMETIMES, SELDOM, HARDLY_EVER = 9.5, 99.5, 1999.5
"""Weight of the noes known before the first outcome: how rare yes is, where nothing else is known yet."""
EARLY = 8
"""Of an outcome that comes seldom, one among so many first ones teaches an eighth of the prior's weight."""
MEMORY_OUTCOMES = 1000.0
FLAGGED_WEIGHT, FLAGGED_WEIGHT_SELDOM = 0.1, 0.5

RATE = np.dtype([("yes", "<f8"), ("no", "<f8"), ("recent", "<u4"), ("flagged", "<u4"), ("count", "<i4")])
"""State of one rate: outcomes learned, and the last 32 as bits, the newest lowest: yes, and yes as part of an anomaly."""

Judged = tuple[bool, float, int, int]
"""Anomalous, p-value, and the span with the count of yes that is least likely."""


class RateJudgement(NamedTuple):
    """Recent share of yes outcomes, the expected share, the largest share that is ordinary, and the p-value (0..1)."""

    observed: float
    expected: float
    upper: float
    p_value: float
    anomalous: bool
    n: int


class Rate:
    """The rate of one yes/no outcome, such as "the run failed".

    The last 1, 2, 4 … 32 outcomes are judged against a beta-binomial prediction from the outcomes before those 32
    (prior Beta(0.5, `prior_no`), memory about 1,000 outcomes), with Bonferroni's correction for the six looks. An outcome
    joins the baseline only when it leaves the 32, and with a tenth of its weight if it was part of an anomaly.
    28 bytes a series; a gap in time changes nothing.

    What comes seldom (`SELDOM`, `HARDLY_EVER`) is judged from the ninth outcome on: a series that has such outcomes from
    its beginning is one that has them. There an anomaly teaches half its weight, so that the second of its kind is none
    where runs are frequent.

    >>> rate = Rate()
    >>> any(rate.judge(False, 0.001).anomalous for _ in range(200))
    False
    >>> [rate.judge(True, 0.001).anomalous for _ in range(3)]
    [False, True, True]
    """

    def __init__(self, prior_no: float = SOMETIMES) -> None:
        self._state: Records = np.zeros(1, RATE)
        self._prior_no = prior_no

    def judge(self, outcome: bool, alpha: float) -> RateJudgement:
        """Judge the outcome with those before it, then learn it; anomalous when its p-value is at most `alpha`."""
        return RateJudgement._make(_judge(self._state, outcome, alpha, self._prior_no))

    @property
    def yes(self) -> float:
        """Weight of the yes outcomes that are older than the recent ones."""
        return float(self._state["yes"][0])


@inner
def judged(r: Record, outcome: bool, alpha: float, prior_no: float) -> Judged:
    """Judge the outcome with those before it; nothing is learned."""
    a, b = PRIOR_YES + r.yes, prior_no + r.no
    bits = (np.uint64(r.recent) << np.uint64(1)) | np.uint64(outcome)
    known = min(r.count, RECENT_MAX - 1) + 1
    best, best_span, best_count = 2.0, 1, 0
    count, seen = 0, 0
    for look in range(LOOKS):
        span = 1 << look
        if span > known:
            break
        while seen < span:
            count += int((bits >> np.uint64(seen)) & np.uint64(1))
            seen += 1
        p_value = min(1.0, LOOKS * beta_binomial_tail(count, span, a, b))
        if p_value < best:
            best, best_span, best_count = p_value, span, count
    known_enough = prior_no <= SOMETIMES or r.count >= EARLY
    return known_enough and best <= alpha, best, best_span, best_count


@inner
def learn(r: Record, outcome: bool, flagged: bool, prior_no: float) -> None:
    """Learn an outcome; `flagged` when it was part of an anomaly."""
    seldom = prior_no > SOMETIMES
    if seldom and outcome and r.count < EARLY:
        r.yes += prior_no / EARLY
    if r.count == RECENT_MAX:
        keep = 1.0 - 1.0 / MEMORY_OUTCOMES
        leaving = r.recent >> np.uint32(RECENT_MAX - 1)
        was_flagged = r.flagged >> np.uint32(RECENT_MAX - 1)
        part = FLAGGED_WEIGHT_SELDOM if seldom else FLAGGED_WEIGHT
        weight = part if was_flagged else 1.0
        r.yes = r.yes * keep + (weight if leaving else 0.0)
        r.no = r.no * keep + (0.0 if leaving else 1.0)
    else:
        r.count += 1
    r.recent = np.uint32((r.recent << np.uint32(1)) | np.uint32(outcome))
    r.flagged = np.uint32((r.flagged << np.uint32(1)) | np.uint32(outcome and flagged))


@inner
def learned(r: Record) -> int:
    """Outcomes learned, fading with the memory."""
    return round(r.yes + r.no) + r.count


@inner
def expected_share(r: Record, prior_no: float) -> float:
    """The share of yes outcomes that is predicted."""
    a, b = PRIOR_YES + r.yes, prior_no + r.no
    return a / (a + b)


@inner
def upper_share(r: Record, span: int, alpha: float, prior_no: float) -> float:
    """The largest share of `span` outcomes whose corrected tail is still above `alpha`."""
    a, b = PRIOR_YES + r.yes, prior_no + r.no
    for k in range(1, span + 1):
        if beta_binomial_tail(k, span, a, b) <= alpha / LOOKS:
            return (k - 1) / span
    return 1.0


@inner
def beta_binomial_tail(count: int, n: int, a: float, b: float) -> float:
    """P(at least `count` of `n`) when the share is Beta(a, b) distributed (Johnson, Kemp & Kotz 2005, 6.2.2).

    The first probability by log-gammas, each further one from its neighbour.
    """
    if count <= 0:
        return 1.0
    k = float(count)
    log_choose = math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
    probability = math.exp(log_choose + _log_beta(k + a, n - k + b) - _log_beta(a, b))
    total = probability
    while k < n:
        probability *= (n - k) / (k + 1.0) * (k + a) / (n - k - 1.0 + b)
        total += probability
        k += 1.0
    return min(1.0, total)


@inner
def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@entry
def _judge(
    state: Records, outcome: bool, alpha: float, prior_no: float
) -> tuple[float, float, float, float, bool, int]:
    r = state[0]
    anomalous, p_value, span, count = judged(r, outcome, alpha, prior_no)
    expected, upper = expected_share(r, prior_no), upper_share(r, span, alpha, prior_no)
    said = count / span, expected, upper, p_value, anomalous, learned(r)
    learn(r, outcome, anomalous, prior_no)
    return said
