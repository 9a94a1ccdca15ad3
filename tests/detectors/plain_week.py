"""Weeks of one series of runs in plain Python: the formulas of `run_week`, and of `run_days`. Medians are the standard library's."""

import math
import statistics
from typing import NamedTuple

from detectors import run_days as begin
from detectors import run_week as week
from detectors.run_layout import WEEKS
from tests.detectors.plain_tails import clip, single

HOUR_MS = 3_600_000


class Class:
    """One hour, weekday or day of a month: what it adds, from how many days."""

    def __init__(self) -> None:
        self.offset = self.visits = 0.0


class Split(NamedTuple):
    """Sum of squares of what days of the week add, above what the heavier ones of two kinds add, and the sum of squares within both."""

    whole: float
    edge: float
    within: float


class PlainWeek:
    """What each day of the week adds: of each of the last days its mean, and of each weekday by what its last ones lay above their weeks."""

    def __init__(self) -> None:
        self.classes = [Class() for _ in range(7)]
        self.begin()

    def begin(self) -> None:
        """Forget all days."""
        self.newest, self.centre = 0, 0.0
        self.freedom, self.noise = 0, 0.0
        self.days: dict[int, int] = {}
        self.added: dict[int, dict[int, int]] = {weekday: {} for weekday in range(7)}

    def begin_anew(self) -> None:
        """Forget all days, but not what weekdays add: that holds until it is learned anew."""
        centre = self.centre
        self.begin()
        self.centre = centre
        for it in self.classes:
            it.visits = min(it.visits, 1)

    def note(self, day: int, mean: float) -> float:
        """Learn the mean of a day that is over; by how much less each weekday adds now."""
        less = 0.0
        for each in range(max(self.newest + 1, day - 6), day + 1):
            self.days.pop(each % 7, None)
            if each == day:
                self.days[each % 7] = _kept(mean)
            less += self._learn_middle(each - 3)
        self.newest = day
        return less

    def level(self) -> float:
        """The level of the last seven days, NaN if none is known."""
        rests = [
            kept / week.ONE - self.classes[_weekday(place)].offset - self.centre
            for place, kept in self.days.items()
        ]
        return statistics.median(rests) if rests else math.nan

    def move(self, by: float) -> None:
        """Have the last days lie so much higher."""
        self.days = {place: _kept(kept / week.ONE + by) for place, kept in self.days.items()}

    def _learn_middle(self, day: int) -> float:
        """Learn the day that six others surround; by how much less each weekday adds now, of which the first one added nothing before."""
        if day % 7 not in self.days or len(self.days) < week.DAYS_MIN:
            return 0.0
        self.added[_weekday(day)][day // 7 % WEEKS] = _kept(self.days[day % 7] / week.ONE - self.level())
        self.freedom, noise = self._noise()
        self.noise = single(noise)
        self._share()
        known = [it for it in self.classes if it.visits > 0]
        common = sum(it.offset for it in known) / len(known)
        for it in known:
            it.offset = single(it.offset - common)
        self.centre = single(self.centre + common)
        return common if len(known) > 1 else 0.0

    def _means(self) -> dict[int, float]:
        """What each weekday that is known added, without the least and the greatest once there are three."""
        return {weekday: _trimmed(list(kept.values())) for weekday, kept in self.added.items() if kept}

    def _noise(self) -> tuple[int, float]:
        """What weekdays do not explain: degrees of freedom and variance."""
        changes = self._changes()
        if len(changes) < week.CHANGES_MIN:
            split, known = self._split(), len(self._means())
            if known == 7 and split.within < week.TWO_KINDS_EARLY * split.whole:
                return 5, week.OF_OWN_MEAN * split.within / 5
            return 0, 0.0
        most = week.CHANGE_MAX * max(week.OF_MEDIAN * statistics.median_high(changes), week.LEAST)
        squares = sum(min(it, most) ** 2 for it in changes)
        return len(changes), week.OF_OWN_MEAN * squares / 2 / len(changes)

    def _changes(self) -> list[float]:
        """By how much weekdays differed from those a week before."""
        oldest = (self.newest // 7 + 1) % WEEKS
        return [
            abs(after - kept[(place - 1) % WEEKS]) / week.ONE
            for kept in self.added.values()
            for place, after in kept.items()
            if place != oldest and (place - 1) % WEEKS in kept
        ]

    def _split(self) -> Split:
        means = list(self._means().values())
        squares = sum(it**2 for it in means)
        whole = squares - _of_common(means)
        edge, within = week.GREATEST, whole
        for bound in means:
            light, heavy = [it for it in means if it <= bound], [it for it in means if it > bound]
            both = squares - _of_common(light) - _of_common(heavy)
            if heavy and both < within:
                edge, within = bound, both
        return Split(whole, edge, max(within, 0.0))

    def _share(self) -> None:
        """Have weekdays of one kind share what they have learned, as far as noise makes them differ."""
        means, split = self._means(), self._split()
        two = split.within < week.TWO_KINDS * split.whole
        edge, within = (split.edge, split.within) if two else (week.GREATEST, split.whole)
        spread = max(within / max(len(means) - (2 if two else 1), 1), 1e-9)
        for weekday, added in means.items():
            kind = [it for it in means if (means[it] > edge) == (added > edge)]
            count, days = len(self.added[weekday]), sum(len(self.added[it]) for it in kind)
            own = 0.0 if two else 1.0
            if self.freedom:
                own = max(0.0, 1 - single(self.noise / count) / spread)
            mean = sum(means[it] for it in kind) / len(kind)
            it = self.classes[weekday]
            it.offset = single(mean + own * (added - mean) - self.centre)
            it.visits = min(count + int((1 - own) * (days - count)), week.VISITS_MAX)


class PlainDays:
    """How many hours before midnight the days of a series begin, and what each hour says of it."""

    def __init__(self) -> None:
        self.shift, self.edge = 0, [0] * 24

    def clock(self, time_ms: int) -> int:
        return time_ms + self.shift * HOUR_MS

    def note(self, hour: int, own: float, other: float) -> None:
        said = self.edge[hour] + begin.ONE * clip((own**2 - other**2) / 2, begin.EACH_MAX)
        self.edge[hour] = int(clip(said, begin.GREATEST))

    def move(self) -> bool:
        """Whether days begin at another hour from now on."""
        hours = range(1, 13)
        said = {it: sum(self.edge[24 - it :]) for it in hours} | {-it: sum(self.edge[:it]) for it in hours}
        best = max(said, key=lambda it: said[it])
        moved = said[best] > begin.BAR * begin.ONE and abs(self.shift + best) <= begin.SHIFT_MAX
        self.edge = [0 if moved else int(begin.KEPT * it) for it in self.edge]
        self.shift += best if moved else 0
        return moved


def _kept(y: float) -> int:
    """Whole 1024ths that fit two bytes."""
    return math.floor(clip(y * week.ONE, week.GREATEST) + 0.5)


def _weekday(day: int) -> int:
    """0 on a Monday: 1 January 1970 was a Thursday."""
    return (day + 3) % 7


def _trimmed(kept: list[int]) -> float:
    inner = sorted(kept)[1:-1] if len(kept) >= week.TRIMMED_FROM else kept
    return math.floor(sum(inner) / len(inner) + 0.5) / week.ONE


def _of_common(added: list[float]) -> float:
    """The part of the sum of squares that their mean explains."""
    return sum(added) ** 2 / max(len(added), 1)
