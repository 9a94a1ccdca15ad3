"""Lasting changes: one-sided CUSUMs on standardised residuals, for what no single run shows.

S = max(0, S + u - k) with u the residual in standard deviations, clipped to 3 so that single runs of heavy tails do not
add up, against a reference that moves slowly (Page, Biometrika 41, 1954). Two of them on each side: k = 0.5 finds a shift of one
deviation or a drift, k = 1.5 a shift of three within two or three runs, which is what "two of the last three" is for
elsewhere. Thresholds come from a share of the budget by
Siegmund's approximation, mean runs to a false alarm = (exp(2 k b) - 1 - 2 k b) / (2 k^2) with b = h + 1.166 (Siegmund,
Sequential Analysis, 1985, 2.6).

The level that residuals refer to is itself uncertain, so k is larger while few runs are known. And residuals are not independent where a series wanders, or its
hours have moved: the changes that came back of themselves are counted, forgotten over 30 days, and each beyond the first raises the thresholds by half.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import Record

STEPS = (0.5, 1.5)
SLOW, QUICK = 0, 1
U_MAX = (3.0, 2.6)
OVERSHOOT = 1.166
YOUNG = 1.0
"""Added to k: this over the root of the runs known."""
ABOVE_MAX = 0.9
"""A CUSUM rises this far above its threshold and no more: what has lasted long ends as soon as what has lasted briefly."""
RECENT_RUNS = 24
"""The size of a change is the mean of so many runs, or of those since its CUSUM left 0."""
UNREST_MEAN, UNREST_DEVIATION = -1.27, 2.22
"""Of log u^2 for normal noise; heavy tails have a lower mean."""
RECENT_CLIP = 8.0
RETURNED_FREE, RETURNED_RAISES, RETURNED_MAX = 1.0, 0.5, 10.0
RETURNED_S = 30 * 86_400.0
NEWTON_MAX, NEAR = 12, 1e-5


@inner
def cusum_threshold(step: float, runs: float) -> float:
    """The h at which a CUSUM with this k alarms falsely once in so many runs.

    With y = 2 k b and a = 2 k^2 runs + 1 it is y = log(a + y), solved by Newton's method, whose error is the square of the last step over a + y.
    """
    a = max(2.0 * step * step * runs, 1e-9) + 1.0
    y = math.log(a) * (1.0 + 1.0 / a)
    for _ in range(NEWTON_MAX):
        before, grown = y, a + y
        y -= (y - math.log(grown)) * grown / (grown - 1.0)
        if abs(y - before) < NEAR * grown:
            break
    return max(y / (2.0 * step) - OVERSHOOT, 0.5)


@inner
def set_bars(m: Record, runs: float) -> None:
    """Have each CUSUM alarm falsely once in so many runs, or less often where changes use to come back."""
    raised = 1.0 + RETURNED_RAISES * max(0.0, m.returned - RETURNED_FREE)
    for k in range(2):
        m.bar[k] = raised * cusum_threshold(STEPS[k], runs)


@inner
def note_returned(m: Record) -> None:
    """Count a change that came back of itself; the thresholds are set anew with the next run."""
    m.returned = min(m.returned + 1.0, RETURNED_MAX)
    m.reach_n = 0


@inner
def forget_returned(m: Record, interval_s: float) -> None:
    """Forget a little of the changes that came back, once a run."""
    m.returned -= m.returned * min(1.0, interval_s / RETURNED_S)


@inner
def follow_shift(m: Record, u: float, known: float) -> None:
    """Take in one residual, in deviations."""
    young = YOUNG / math.sqrt(known)
    for k in range(2):
        less = STEPS[k] + young
        bounded, top = clip(u, U_MAX[k]), m.bar[k] + ABOVE_MAX
        m.rise[k] = min(max(0.0, m.rise[k] + bounded - less), top)
        m.fall[k] = min(max(0.0, m.fall[k] - bounded - less), top)
    m.rising_runs = m.rising_runs + 1 if m.rise[SLOW] > 0.0 else 0
    m.falling_runs = m.falling_runs + 1 if m.fall[SLOW] > 0.0 else 0
    runs = m.rising_runs if m.rise[SLOW] > m.fall[SLOW] else m.falling_runs
    m.recent += (clip(u, RECENT_CLIP) - m.recent) / min(max(runs, 1), RECENT_RUNS)


@inner
def excess_up(m: Record) -> float:
    """How far the furthest upward CUSUM is beyond its threshold, 0 at the threshold."""
    return max(m.rise[SLOW] - m.bar[SLOW], m.rise[QUICK] - m.bar[QUICK])


@inner
def excess_down(m: Record) -> float:
    """The same downwards."""
    return max(m.fall[SLOW] - m.bar[SLOW], m.fall[QUICK] - m.bar[QUICK])


@inner
def rising_or_falling(m: Record) -> bool:
    """Whether a lasting change may be under way: then the level waits."""
    return max(m.rise[SLOW], m.fall[SLOW]) > 0.5 * m.bar[SLOW]


@inner
def forget_shift(m: Record) -> None:
    """Begin anew."""
    m.rise[SLOW] = m.rise[QUICK] = m.fall[SLOW] = m.fall[QUICK] = m.recent = 0.0
