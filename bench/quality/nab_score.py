"""NAB's score, from its description.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA 2015
(arXiv:1510.03336), section III; probation and the position of a false detection as NAB's own scoring documents them:

- The first min(15 %, 750) rows of a series do not count.
- In a window of w rows the earliest detection counts: sigmoid(-(rows from it to the end, it included) / w), over that of the
  window's first row, so the first row earns 1.
- A window without a detection costs 1 (profile "low FN": 2).
- Each detection outside costs 0.11 (profile "low FP": 0.22) times a sigmoid of how far it is behind the window before, in widths of that
  window (w - 1 rows); -1 from 3 widths on, and where no window came before.
- sigmoid(y) = 2 / (1 + exp(5 y)) - 1. Over all series: 0 for a detector that says nothing, 100 for one that is perfect.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.quality.evidence import Labelled

PROBATION_SHARE: Final = 0.15
PROBATION_ROWS_MAX: Final = 750
FAR_WIDTHS: Final = 3.0


class Profile(NamedTuple):
    """What a false detection and a missed window cost."""

    name: str
    false_detection: float
    missed: float


STANDARD: Final = Profile("standard", 0.11, 1.0)
PROFILES: Final = (STANDARD, Profile("low FP", 0.22, 1.0), Profile("low FN", 0.11, 2.0))


def sigmoid(place: float) -> float:
    """Near 1 at the left end of a window (-1), 0 at its right end (0), -1 from three widths behind it."""
    return -1.0 if place >= FAR_WIDTHS else 2 / (1 + math.exp(5 * place)) - 1


def probation(rows: int) -> int:
    """Rows at the start that do not count."""
    return min(math.floor(PROBATION_SHARE * rows), PROBATION_ROWS_MAX)


class Rows(NamedTuple):
    """What a detection at each row of a series is worth, before weights, and which window the row lies in (-1: none)."""

    worth: np.ndarray
    window: np.ndarray
    windows: int
    scored_from: int


def rows_of(series: Labelled) -> Rows:
    """Rows are told by position: times of some series are repeated."""
    times = series.times_ms
    count = len(times)
    worth, inside = np.full(count, -1.0), np.full(count, -1)
    before: tuple[int, int] | None = None
    spans = [
        (int(np.searchsorted(times, first, "left")), int(np.searchsorted(times, last, "right")) - 1)
        for first, last in series.windows_ms
    ]
    for number, (left, right) in enumerate(spans):
        _outside(worth, before, left)
        width = right - left + 1
        places = -(right - np.arange(left, right + 1) + 1) / width
        worth[left : right + 1] = [sigmoid(place) / sigmoid(-1.0) for place in places]
        inside[left : right + 1] = number
        before = (left, right)
    _outside(worth, before, count)
    return Rows(worth, inside, len(spans), probation(count))


def _outside(worth: np.ndarray, before: tuple[int, int] | None, until: int) -> None:
    if before is not None:
        left, right = before
        gone = np.arange(1, until - right) / (right - left)
        worth[right + 1 : until] = [sigmoid(place) for place in gone]


class Tally(NamedTuple):
    """What detections earned: sum of worth in windows found, sum outside, windows, windows found, detections outside."""

    earned: float = 0.0
    lost: float = 0.0
    windows: int = 0
    found: int = 0
    outside: int = 0

    def score(self, profile: Profile = STANDARD) -> float:
        """From 0 for silence to 100 for perfection; negative for much noise."""
        missed = profile.missed * (self.windows - self.found)
        points = self.earned + profile.false_detection * self.lost - missed
        silence = -profile.missed * self.windows
        return 100 * (points - silence) / (self.windows - silence)


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    return Tally._make(sum(part) for part in zip(*tallies, strict=True))


def tally(rows: Rows, detected: Sequence[int] | np.ndarray) -> Tally:
    """Score the rows of one series at which a detector said "anomaly"."""
    best: dict[int, float] = {}
    lost, outside = 0.0, 0
    for row in detected:
        if row < rows.scored_from:
            continue
        number = int(rows.window[row])
        if number < 0:
            lost += float(rows.worth[row])
            outside += 1
        else:
            best[number] = max(best.get(number, -1.0), float(rows.worth[row]))
    return Tally(sum(best.values()), lost, rows.windows, len(best), outside)


class Best(NamedTuple):
    """The threshold at which a detector scores most, and what it scores there."""

    threshold: float
    score: float


def best_threshold(rows: Sequence[Rows], scores: Sequence[np.ndarray]) -> Best:
    """NAB's sweep in its standard profile: one threshold for all series, every row at or above it a detection."""
    found: dict[tuple[int, int], float] = {}
    windows = sum(it.windows for it in rows)
    points, best = -float(windows), Best(math.inf, 0.0)
    ranked = _ranked(rows, scores)
    for place, (threshold, which, row) in enumerate(ranked):
        worth, number = float(rows[which].worth[row]), int(rows[which].window[row])
        if number < 0:
            points += STANDARD.false_detection * worth
        else:
            known = found.get((which, number), -1.0)
            found[which, number] = max(known, worth)
            points += max(worth - known, 0.0)
        if place + 1 == len(ranked) or ranked[place + 1][0] < threshold:
            score = 100 * (points + windows) / (2 * windows)
            best = max(best, Best(threshold, score), key=lambda it: it.score)
    return best


def _ranked(rows: Sequence[Rows], scores: Sequence[np.ndarray]) -> list[tuple[float, int, int]]:
    """Score, series and row of whatever scores above 0 and counts, highest first."""
    ranked = [
        (float(score), which, at + it.scored_from)
        for which, (it, said) in enumerate(zip(rows, scores, strict=True))
        for at, score in enumerate(said[it.scored_from :].tolist())
        if score > 0
    ]
    return sorted(ranked, reverse=True)
