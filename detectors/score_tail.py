"""How unusual a score is when nothing is known of scores but those seen: their own tail, learned online.

Scores of arbitrary detectors have no scale, and many are bounded: once a value is far out, half-space trees give it the
same score however far. So the mean of the last 1, 4 and 16 scores are each compared with such means seen before, and the
least of the three p-values counts, three times as large (Bonferroni): one extreme score, or several high ones in a row. A
score that is not itself among the highest tenth is ordinary, whatever came before it.

Formula: among the last 500 means, the share that are at least as high, counting the present one (a conformal p-value,
Vovk et al., Algorithmic Learning in a Random World, 2005, 2.2). Within the highest tenth, a generalised Pareto tail fitted
by probability-weighted moments (Hosking & Wallis 1987) goes on below 1/500; its shape is kept from 0 (exponential) to 0.5, so
a bounded tail is taken for a longer one, and a p-value is never below the share that was seen.

A score is learned when 16 more have come, so that an incident is not compared with its own beginning. What then was part of an
anomaly is learned clipped to the highest that is remembered: an incident cannot hide the next one.
State: at most 1,600 numbers. Cost: about 10 us a score.
"""

from bisect import bisect_left, insort
from collections import deque
from itertools import islice
from typing import Final

KEPT: Final = 500
WARM_UP: Final = 100
"""Means known before there is a p-value."""
SPANS: Final = (1, 4, 16)
P_VALUE_MIN: Final = 1e-12
"""No tail is known any further."""
_TAIL_SHARE: Final = 0.1
_TAIL_MIN: Final = 10
_SHAPE_MAX: Final = 0.5


class Tail:
    """The distribution of the last `KEPT` of some numbers, of which the high ones matter."""

    def __init__(self, numbers: list[float] | None = None) -> None:
        self._recent = deque(numbers or ())
        self._sorted = sorted(self._recent)

    def numbers(self) -> list[float]:
        """What is remembered, oldest first."""
        return list(self._recent)

    def p_value(self, number: float) -> float | None:
        """The chance of a number as high as this one; None while too few are known."""
        n = len(self._sorted)
        if n < WARM_UP:
            return None
        seen = n - bisect_left(self._sorted, number)
        size = max(_TAIL_MIN, int(_TAIL_SHARE * n))
        if seen >= size:
            return (seen + 1) / (n + 1)
        above = self._sorted[n - size - 1]
        beyond = _pareto_tail([it - above for it in self._sorted[n - size :]], number - above)
        return (seen + 1) / (n + 1) if beyond is None else max(beyond * size / n, seen / (n + 1))

    def learn(self, number: float, *, clipped: bool) -> None:
        """Learn a number; a `clipped` one not beyond the highest that is remembered."""
        if clipped and self._sorted:
            number = min(number, self._sorted[-1])
        if len(self._recent) == KEPT:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(number)
        insort(self._sorted, number)


def _pareto_tail(excesses: list[float], excess: float) -> float | None:
    """P(more than `excess`) among `excesses`, which are sorted; None where they are all but equal."""
    n = len(excesses)
    mean = sum(excesses) / n
    weighted = sum(it * (n - 1 - rank) for rank, it in enumerate(excesses)) / (n * (n - 1))
    if mean <= 0 or mean <= 2 * weighted:
        return None
    shape = min(max(2.0 - mean / (mean - 2 * weighted), 0.0), _SHAPE_MAX)
    scale = mean * (1 - shape)
    if shape < 1e-6:
        return float(2.718281828459045 ** (-excess / scale))
    return float((1 + shape * excess / scale) ** (-1 / shape))


class ScoreTail:
    """P-values of a series of scores, over several spans.

    >>> tail = ScoreTail()
    >>> for i in range(200):
    ...     tail.learn(i * 0.618 % 1, anomalous=False)
    >>> tail.p_value(0.5) > 0.1 > 0.001 > tail.p_value(3.0)
    True
    """

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=SPANS[-1])
        self._waiting: deque[list[float]] = deque()
        self._tails = {span: Tail() for span in SPANS}

    def p_value(self, score: float) -> float | None:
        """The chance of such scores, the last and those before it; None while too few are known."""
        found = [
            self._tails[span].p_value(mean) for span, mean in zip(SPANS, self._means(score), strict=False)
        ]
        if found[0] is None or found[0] > _TAIL_SHARE:
            return found[0]
        return max(P_VALUE_MIN, min(1.0, len(SPANS) * min(it for it in found if it is not None)))

    def learn(self, score: float, *, anomalous: bool) -> None:
        """Learn a score once 16 more have come; when it turns out to be part of an anomaly, clipped."""
        if len(self._waiting) == SPANS[-1]:
            clipped, *means = self._waiting.popleft()
            for span, mean in zip(SPANS, means, strict=False):
                self._tails[span].learn(mean, clipped=clipped > 0)
        self._waiting.append([0.0, *self._means(score)])
        self._last.append(score)
        if anomalous:
            for waiting in self._waiting:
                waiting[0] = 1.0

    def _means(self, score: float) -> list[float]:
        recent = [score, *islice(reversed(self._last), SPANS[-1] - 1)]
        return [sum(recent[:span]) / span for span in SPANS if span <= len(recent)]

    def dump(self) -> list[list[list[float]]]:
        """What is known, as lists of numbers."""
        known = [self._tails[span].numbers() for span in SPANS]
        return [[list(self._last)], list(self._waiting), known]

    def load(self, dumped: list[list[list[float]]]) -> None:
        """Take over what was dumped."""
        (last,), waiting, known = dumped
        self._last, self._waiting = deque(last, SPANS[-1]), deque(waiting)
        self._tails = {span: Tail(numbers) for span, numbers in zip(SPANS, known, strict=True)}
