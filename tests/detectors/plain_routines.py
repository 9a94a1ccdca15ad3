"""The routines of one series of runs in plain Python, in UTC: the formulas of `run_routines`. Dates and weekdays are the standard library's.

What days of the week add, and when they begin, is in `plain_week`.
"""

import calendar
import math
from datetime import UTC, datetime
from typing import NamedTuple

from detectors import run_routines as routines
from detectors.run_tails import SPREAD_MIN
from detectors.run_week import DAYS_MIN
from tests.detectors.plain_tails import clip, single
from tests.detectors.plain_week import HOUR_MS, Class, PlainDays, PlainWeek

DAY_MS = 86_400_000
HOUR, WEEKDAY, START, END = range(4)


class Day:
    """The day at hand, for one kind of routine: what its runs add, and for weekdays where they lie with the level."""

    def __init__(self) -> None:
        self.date: int | None = None
        self.place, self.count = -1, 0
        self.total = self.gain = self.with_level = 0.0


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
        self.week, self.begins = PlainWeek(), PlainDays()
        self.classes = [[Class() for _ in range(size)] for size in (24, 7, 3, 3)]
        self.classes[WEEKDAY] = self.week.classes
        self.odds = list(routines.ODDS_START)
        self.days = [Day() for _ in range(4)]
        self.hours: dict[int, list[float]] = {}

    def visited(self, kind: int) -> list[Class]:
        return [it for it in self.classes[kind] if it.visits > 0]

    def range(self, time_ms: int, spread: float, interval_s: float) -> Range:
        likely = least = greatest = variance = new = 0.0
        for kind, place in enumerate(self._places(time_ms)):
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
            likely += self.weight(kind) * offset
        return Range(likely, least, greatest, variance, new)

    def today(self) -> float:
        """By what the day at hand differs from what its weekday adds."""
        day = self.days[WEEKDAY]
        if day.count < routines.TODAY_RUNS or day.place < 0:
            return 0.0
        it = self.classes[WEEKDAY][day.place]
        expected = self.weight(WEEKDAY) * self._shrunk(WEEKDAY, it) if it.visits > 0 else 0.0
        return (day.total / day.count - expected) * day.count / (day.count + routines.TODAY_SHRINK)

    def learn(
        self, time_ms: int, y: float, level: float, likely: float, spread: float, interval_s: float
    ) -> Learned:
        """Learn a run at `y` over its level."""
        found, moved = None, list[float]()
        dates = [self._date(kind, time_ms) for kind in range(4)]
        for kind, (date, place) in enumerate(zip(dates, self._places(time_ms), strict=True)):
            day, rest = self.days[kind], 0.0
            if place is not None:
                rest = y - likely + self._added(kind, place)
            if day.date != date:
                found = kind if self._end_day(kind, spread, moved) else found
                day.date = date
            day.place = -1 if place is None else place
            if place is None:
                continue
            if kind == WEEKDAY and interval_s < routines.OFTEN_A_DAY_S:
                self._note_edge(time_ms, rest, spread)
            rest, above, scale = self._bounded(kind, rest, spread), 0.0, spread
            if kind == WEEKDAY:
                self._learn_run_of_week(rest, level, spread)
                if interval_s > routines.DAILY_S and self.odds[WEEKDAY] < routines.BELIEVED:
                    above, scale = self._weighed_by_week(level, spread)
            self._learn_place(kind, place, rest, above, scale)
        return Learned(found, moved)

    def _added(self, kind: int, place: int) -> float:
        """What a class was thought to add."""
        it = self._known(kind, place)
        return (
            self.weight(kind) * self._shrunk(kind, it) if it and self.odds[kind] >= routines.REJECTED else 0.0
        )

    def _bounded(self, kind: int, rest: float, spread: float) -> float:
        day = self.days[kind]
        if kind == HOUR or day.count < routines.TODAY_RUNS:
            return rest
        mean = day.total / day.count
        return mean + clip(rest - mean, routines.LATER_CLIP * spread)

    def _note_edge(self, time_ms: int, rest: float, spread: float) -> None:
        """Note whether a run looks like one of the day next to its hour."""
        clock_ms = self.begins.clock(time_ms)
        hour = clock_ms // HOUR_MS % 24
        other = self.classes[WEEKDAY][weekday(clock_ms + (DAY_MS if hour >= 12 else -DAY_MS))]
        if self.odds[WEEKDAY] > routines.BELIEVED and other.visits > 0:
            own = self.classes[WEEKDAY][self.days[WEEKDAY].place]
            self.begins.note(hour, (rest - own.offset) / spread, (rest - other.offset) / spread)

    def _learn_run_of_week(self, rest: float, level: float, spread: float) -> None:
        """Note where a run lies with its level."""
        day = self.days[WEEKDAY]
        offset = self._shrunk(WEEKDAY, self.classes[WEEKDAY][day.place])
        believed = self.odds[WEEKDAY] > routines.BELIEVED
        bound = routines.LATER_CLIP * spread if believed else routines.FIRST_CLIP
        day.with_level = single(day.with_level + level + offset + clip(rest - offset, bound))

    def _weighed_by_week(self, level: float, spread: float) -> tuple[float, float]:
        """How far the level lies above that of the week, and the scale of evidence, once weeks tell their noise."""
        week = self.week
        if not week.freedom:
            return 0.0, spread
        above = level - week.level() - week.centre if len(week.days) >= DAYS_MIN else 0.0
        return above, min(spread, routines.WEEK_SCALE * max(single(math.sqrt(week.noise)), SPREAD_MIN))

    def _learn_place(self, kind: int, place: int, rest: float, above: float, scale: float) -> None:
        """Learn a run within its day; evidence is what lies `above` too."""
        day, it = self.days[kind], self._known(kind, place)
        day.count += 1
        day.total = single(day.total + rest)
        if kind == HOUR:
            self.hours.setdefault(place, []).append(rest)
        elif it:
            day.gain = single(day.gain + _gain(rest + above, self._shrunk(kind, it), scale))

    def _date(self, kind: int, time_ms: int) -> int:
        return (self.begins.clock(time_ms) if kind == WEEKDAY else time_ms) // DAY_MS

    def _places(self, time_ms: int) -> tuple[int, int, int | None, int | None]:
        """`places`, with the weekday by the series' own days."""
        hour, _, first, last = places(time_ms)
        return hour, weekday(self.begins.clock(time_ms)), first, last

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
        return single(it.offset * it.visits) / (it.visits + routines.SHRINK[kind])

    def weight(self, kind: int) -> float:
        return 1 / (1 + math.exp(-self.odds[kind]))

    def _between_hours(self, time_ms: int, place: int) -> float:
        share = time_ms % HOUR_MS / HOUR_MS - 0.5
        here, there = self.classes[HOUR][place], self.classes[HOUR][(place + (1 if share > 0 else -1)) % 24]
        offset = self._shrunk(HOUR, here)
        return offset if there.visits == 0 else offset + abs(share) * (self._shrunk(HOUR, there) - offset)

    def _today_in(self, kind: int, place: int, time_ms: int) -> int:
        day = self.days[kind]
        if day.date != self._date(kind, time_ms):
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
        elif kind == WEEKDAY:
            before = self._learn_week(moved)
        else:
            self._learn_class(kind, day.place, day.total / day.count, spread)
        gained = before + min(max(day.gain, -routines.LOSS_MAX[kind]), routines.GAIN_MAX)
        self.odds[kind] = min(max(gained, routines.ODDS_LEAST), routines.ODDS_GREATEST)
        if kind == HOUR:
            known = self.visited(kind)
            common = sum(it.offset for it in known) / len(known)
            for it in known:
                it.offset = single(it.offset - common)
            moved.append(self.weight(kind) * common)
        day.count, day.total, day.gain = 0, 0.0, 0.0
        return before < routines.BELIEVED <= self.odds[kind]

    def _learn_week(self, moved: list[float]) -> float:
        """Learn the day of the week that is over; the log odds as of before it."""
        day, odds = self.days[WEEKDAY], self.odds[WEEKDAY]
        assert day.date is not None
        moved.append(self.weight(WEEKDAY) * self.week.note(day.date, day.with_level / day.count))
        day.with_level = 0.0
        if self.begins.move():
            self.week.begin_anew()
            odds = routines.REJECTED
        return odds

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


def weekday(time_ms: int) -> int:
    return datetime.fromtimestamp(time_ms / 1000, UTC).weekday()


def places(time_ms: int) -> tuple[int, int, int | None, int | None]:
    """Hour, weekday, and the class of a first and of a last day of a month: a business day too, it alone, or a weekend."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    on, left = at.weekday(), calendar.monthrange(at.year, at.month)[1] - at.day
    first = (2 if on >= 5 else 0) if at.day == 1 else 1 if at.day <= 3 and on == 0 else None
    last = (2 if on >= 5 else 0) if left == 0 else 1 if left <= 2 and on == 4 else None
    return at.hour, on, first, last


def _gain(rest: float, offset: float, spread: float) -> float:
    without, with_it = ((it / spread) ** 2 for it in (rest, rest - offset))
    return 0.5 * (min(without, routines.SQUARE_MAX) - min(with_it, routines.SQUARE_MAX))
