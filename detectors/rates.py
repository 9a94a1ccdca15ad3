"""Rates of rare outcomes: judges whether failures (or duplicates) come more often than they used to."""

from math import exp, lgamma
from typing import NamedTuple

import msgspec

RECENT_MAX = 32
SPANS = (1, 2, 4, 8, 16, 32)
PRIOR_YES = 0.5
PRIOR_NO = 9.5
MEMORY_OUTCOMES = 1000.0
FLAGGED_WEIGHT = 0.1


class RateJudgement(NamedTuple):
    """Recent share of yes outcomes, the expected share, the largest share that is ordinary, and the p-value (0..1)."""

    observed: float
    expected: float
    upper: float
    p_value: float
    anomalous: bool
    n: int


class Rate(msgspec.Struct, array_like=True):
    """The rate of one yes/no outcome, such as "the run failed".

    The last 1, 2, 4 … 32 outcomes are judged against a beta-binomial prediction from the outcomes before those 32
    (prior Beta(0.5, 9.5), memory about 1,000 outcomes), with Bonferroni's correction for the six looks. An outcome
    joins the baseline only when it leaves the 32, and with a tenth of its weight if it was part of an anomaly.
    About 300 bytes a series; a gap in time changes nothing.

    >>> rate = Rate()
    >>> any(rate.judge(False, 0.001).anomalous for _ in range(200))
    False
    >>> [rate.judge(True, 0.001).anomalous for _ in range(3)]
    [False, True, True]
    """

    yes: float = 0.0
    no: float = 0.0
    recent_yes: int = 0
    recent: list[float] = []

    def judge(self, outcome: bool, alpha: float) -> RateJudgement:
        """Judge the outcome with those before it, then learn it; anomalous when its p-value is at most `alpha`."""
        judgement = self._judgement(outcome, alpha)
        self._learn((FLAGGED_WEIGHT if judgement.anomalous else 1.0) if outcome else 0.0)
        return judgement

    def learn_no(self) -> None:
        """Learn a no without judging it, for when none of the recent outcomes is a yes."""
        self._learn(0.0)

    @property
    def n(self) -> int:
        """Outcomes learned, fading with the memory."""
        return round(self.yes + self.no) + len(self.recent)

    def _judgement(self, outcome: bool, alpha: float) -> RateJudgement:
        outcomes = [weight > 0 for weight in self.recent[1 - RECENT_MAX :]]
        outcomes.append(outcome)
        a, b = PRIOR_YES + self.yes, PRIOR_NO + self.no
        span, count, p_value = _rarest(outcomes, a, b)
        return RateJudgement(
            observed=count / span,
            expected=a / (a + b),
            upper=_upper_share(span, a, b, alpha / len(SPANS)),
            p_value=p_value,
            anomalous=p_value <= alpha,
            n=self.n,
        )

    def _learn(self, weight: float) -> None:
        self.recent.append(weight)
        self.recent_yes += weight > 0
        if len(self.recent) <= RECENT_MAX:
            return
        leaving = self.recent.pop(0)
        self.recent_yes -= leaving > 0
        keep = 1.0 - 1.0 / MEMORY_OUTCOMES
        self.yes = self.yes * keep + leaving
        self.no = self.no * keep + (leaving == 0.0)


def _rarest(outcomes: list[bool], a: float, b: float) -> tuple[int, int, float]:
    """Of the spans that end now, the one whose count of yes is least likely: span, count, corrected p-value."""
    looks = []
    for span in SPANS:
        if span <= len(outcomes):
            count = sum(outcomes[-span:])
            looks.append((min(1.0, len(SPANS) * beta_binomial_tail(count, span, a, b)), span, count))
    p_value, span, count = min(looks)
    return span, count, p_value


def beta_binomial_tail(count: int, n: int, a: float, b: float) -> float:
    """P(at least `count` of `n`) when the share is Beta(a, b) distributed (Johnson, Kemp & Kotz 2005, 6.2.2)."""
    if count <= 0:
        return 1.0
    return min(1.0, sum(_beta_binomial(k, n, a, b) for k in range(count, n + 1)))


def _beta_binomial(k: int, n: int, a: float, b: float) -> float:
    choose = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(choose + _log_beta(k + a, n - k + b) - _log_beta(a, b))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _upper_share(n: int, a: float, b: float, alpha: float) -> float:
    """The largest share of `n` whose tail is still above `alpha`."""
    return next((k - 1 for k in range(1, n + 1) if beta_binomial_tail(k, n, a, b) <= alpha), n) / n
