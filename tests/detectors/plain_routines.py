"""The routines of one series of runs in plain Python, in UTC: the formulas of `run_routines`. Dates and weekdays are the standard library's."""

import calendar
import math
from datetime import UTC, datetime
from typing import NamedTuple

from detectors import run_routines as routines
from tests.detectors.plain_tails import clip, single

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
HOUR, WEEKDAY, START, END = range(4)


class Class:
    """One hour, weekday or day of a month: what it adds, from how many days."""

    def __init__(self) -> None:
        self.offset = self.visits = 0.0


class Day:
    """The day at hand, for one kind of routine."""

    def __init__(self) -> None:
        self.key, self.place, self.count = 0, -1, 0
        self.total = self.gain = 0.0


class Range(NamedTuple):
    """What routines add at a time, the likeliest and from where to where, and how little is known of it."""

    likely: float
    least: float
    greatest: float
    variance: float
    new: float


class Learned(NamedTuple):
    """The kind of routine that was believed in first just now, and by what the level is more because routines are that less."""

    found: int | None
    moved: list[float]


class PlainRoutines:
    """What hours, weekdays and the ends of months add, and whether each kind is believed."""

    def __init__(self) -> None:
        self.classes = [[Class() for _ in range(size)] for size in (24, 7, 3, 3)]
        self.odds = list(routines.ODDS_START)
        self.days = [Day() for _ in range(4)]
        self.hours: dict[int, list[float]] = {}

    def visited(self, kind: int) -> list[Class]:
        return [it for it in self.classes[kind] if it.visits > 0]

    def range(self, time_ms: int, spread: float, interval_s: float) -> Range:
        likely = least = greatest = variance = new = 0.0
        for kind, place in enumerate(places(time_ms)):
            if place is None or self.odds[kind] < routines.REJECTED:
                continue
            it = self._known(kind, place)
            if it is None:
                new += routines.UNSEEN_VARIANCE[kind] / (1 + self._today_in(kind, place, time_ms))
                continue
            variance += spread**2 / (it.visits * max(1, routines.SPANS_S[kind] / interval_s))
            offset, ends = self._shrunk(kind, it), [it.offset]
            if kind == HOUR and interval_s < routines.OFTEN_S:
                between = self._between_hours(time_ms, place)
                ends.append(between)
                if abs(between - it.offset) < routines.SMOOTH * spread:
                    offset, ends = between, [between]
            if self.odds[kind] < routines.BELIEVED or (kind >= START and it.visits < routines.FIRST_VISITS):
                low, high = least + min(ends), greatest + max(ends)
                least, greatest = min(low, low - min(ends)), max(high, high - max(ends))
            else:
                least, greatest = least + min(ends), greatest + max(ends)
            likely += self._weight(kind) * offset
        return Range(likely, least, greatest, variance, new)

    def today(self) -> float:
        """By what the day at hand differs from what its weekday adds."""
        day = self.days[WEEKDAY]
        if day.count < routines.TODAY_RUNS or day.place < 0:
            return 0.0
        it = self.classes[WEEKDAY][day.place]
        expected = self._weight(WEEKDAY) * self._shrunk(WEEKDAY, it) if it.visits > 0 else 0.0
        return (day.total / day.count - expected) * day.count / (day.count + routines.TODAY_SHRINK)

    def learn(self, time_ms: int, residual: float, likely: float, spread: float) -> Learned:
        found, moved = None, list[float]()
        for kind, place in enumerate(places(time_ms)):
            day = self.days[kind]
            if day.key != 1 + time_ms // DAY_MS:
                found = kind if self._end_day(kind, spread, moved) else found
                day.key = 1 + time_ms // DAY_MS
            day.place = -1 if place is None else place
            if place is not None:
                self._learn_place(kind, place, residual - likely, spread)
        return Learned(found, moved)

    def _learn_place(self, kind: int, place: int, rest: float, spread: float) -> None:
        day, it = self.days[kind], self._known(kind, place)
        offset = self._shrunk(kind, it) if it else 0.0
        if self.odds[kind] >= routines.REJECTED:
            rest += self._weight(kind) * offset
        if kind != HOUR and day.count >= routines.TODAY_RUNS:
            mean = day.total / day.count
            rest = mean + clip(rest - mean, routines.LATER_CLIP * spread)
        day.count += 1
        day.total = single(day.total + rest)
        if kind == HOUR:
            self.hours.setdefault(place, []).append(rest)
        elif it:
            day.gain = single(day.gain + _gain(rest, offset, spread))

    def _known(self, kind: int, place: int) -> Class | None:
        found = self.classes[kind][place]
        if found.visits == 0 and kind == HOUR:
            nearest = [self.classes[HOUR][(place + hours) % 24] for hours in (-1, 1)]
            found = next((it for it in nearest if it.visits > 0), found)
        elif found.visits == 0 and kind >= START and place != 1:
            found = self.classes[kind][2 - place]
        return found if found.visits > 0 else None

    def _shrunk(self, kind: int, it: Class) -> float:
        if self.odds[kind] > routines.BELIEVED:
            return it.offset
        return it.offset * it.visits / (it.visits + routines.SHRINK[kind])

    def _weight(self, kind: int) -> float:
        return 1 / (1 + math.exp(-self.odds[kind]))

    def _between_hours(self, time_ms: int, place: int) -> float:
        share = time_ms % HOUR_MS / HOUR_MS - 0.5
        here, there = self.classes[HOUR][place], self.classes[HOUR][(place + (1 if share > 0 else -1)) % 24]
        offset = self._shrunk(HOUR, here)
        return offset if there.visits == 0 else offset + abs(share) * (self._shrunk(HOUR, there) - offset)

    def _today_in(self, kind: int, place: int, time_ms: int) -> int:
        day = self.days[kind]
        if day.key != 1 + time_ms // DAY_MS:
            return 0
        if kind == HOUR:
            return len(self.hours.get(place, []))
        return day.count if day.place == place else 0

    def _end_day(self, kind: int, spread: float, moved: list[float]) -> bool:
        """Learn the day that is over; whether its kind is believed since."""
        day, before = self.days[kind], self.odds[kind]
        if day.count == 0:
            return False
        if kind == HOUR:
            day.gain = self._learn_hours(spread)
        else:
            self._learn_class(kind, day.place, day.total / day.count, spread)
        gained = before + clip(day.gain, routines.GAIN_MAX)
        self.odds[kind] = min(max(gained, routines.ODDS_LEAST), routines.ODDS_GREATEST)
        if kind < START:
            known = self.visited(kind)
            common = sum(it.offset for it in known) / len(known)
            for it in known:
                it.offset = single(it.offset - common)
            moved.append(self._weight(kind) * common)
        day.count, day.total, day.gain = 0, 0.0, 0.0
        return before < routines.BELIEVED <= self.odds[kind]

    def _learn_class(self, kind: int, place: int, mean: float, spread: float) -> None:
        it = self.classes[kind][place]
        bound = routines.FIRST_CLIP if it.visits < routines.FIRST_VISITS else routines.LATER_CLIP * spread
        it.offset = single(it.offset + clip(mean - it.offset, bound) / (it.visits + 1))
        it.visits = min(it.visits + 1, routines.VISITS_MAX[kind])

    def _learn_hours(self, spread: float) -> float:
        means = {place: sum(rests) / len(rests) for place, rests in sorted(self.hours.items())}
        known = [
            means[place] - self.classes[HOUR][place].offset
            for place in means
            if self.classes[HOUR][place].visits
        ]
        common = sum(known) / len(known) if len(known) >= routines.HOURS_MIN else 0.0
        if len(means) == 1:
            means, common = dict.fromkeys(means, 0.0), 0.0
        gain = 0.0
        for place, mean in means.items():
            it = self.classes[HOUR][place]
            if it.visits > 0:
                scale = spread * math.sqrt(1 / len(self.hours[place]) + routines.HOUR_NOISE)
                noise = scale**2 / it.visits
                likely = it.offset - noise / it.offset if it.offset**2 > noise else 0.0
                gain += _gain(mean - common, likely, scale)
            self._learn_class(HOUR, place, mean - common, spread)
        self.hours = {}
        return gain


def places(time_ms: int) -> tuple[int, int, int | None, int | None]:
    """Hour, weekday, and the class of a first and of a last day of a month: a business day too, it alone, or a weekend."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    weekday, left = at.weekday(), calendar.monthrange(at.year, at.month)[1] - at.day
    first = (2 if weekday >= 5 else 0) if at.day == 1 else 1 if at.day <= 3 and weekday == 0 else None
    last = (2 if weekday >= 5 else 0) if left == 0 else 1 if left <= 2 and weekday == 4 else None
    return at.hour, weekday, first, last


def _gain(rest: float, offset: float, spread: float) -> float:
    without, with_it = ((it / spread) ** 2 for it in (rest, rest - offset))
    return 0.5 * (min(without, routines.SQUARE_MAX) - min(with_it, routines.SQUARE_MAX))
