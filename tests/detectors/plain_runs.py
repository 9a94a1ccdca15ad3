"""The model of runs in plain Python, one object a series, from the formulas in `run_model`, `run_tails`, `run_routines`, `run_week`,
`run_days`, `shift`, `new_level` and `wider`: what the kernels are tested against.

For positive values that are no whole numbers, with default settings, in UTC, without like series. Student's t, quantiles of dates
and weekdays are other people's. What kernels keep in single precision is rounded as there.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

from detectors import new_level as levels
from detectors import run_model as model
from detectors import run_tails as tails
from detectors import shift as shifts
from detectors import wider
from detectors.numeric_layout import ACCEPTED, DRIFT, FIRST, ORDINARY, POINT, PROPOSED, SHIFT, WIDER
from detectors.run_head import DRIFT_RUNS, DRIFT_SIZE, LASTING_SCORE, SPREAD_RUNS_AFTER
from detectors.run_routines import DAILY_S
from detectors.run_week import DAYS_MIN
from tests.detectors.plain_changes import PlainNewLevel, PlainShift, PlainUnrest
from tests.detectors.plain_routines import DAY_MS, START, WEEKDAY, PlainRoutines, Range
from tests.detectors.plain_tails import PlainTails, clip, single

PER_DAY, THRESHOLD = 1 / 30, 4.4


class Said(NamedTuple):
    score: float
    expected: float
    lower: float
    upper: float
    p_value: float
    anomalous: bool
    change: int


class PlainRuns:
    """One series of runs."""

    def __init__(self) -> None:
        self.n, self.last_ms, self.interval_s = 0, 0, 60.0
        self.first: list[float] = []
        self.level = self.slope = 0.0
        self.tails, self.routines = PlainTails(), PlainRoutines()
        self.shift, self.unrest, self.new = PlainShift(), PlainUnrest(), PlainNewLevel()
        self.reach = self.points_then = 0.0
        self.reach_n = 0

    def judge(self, time_ms: int, x: float) -> Said:
        """Judge a run, then learn it."""
        self._note_time(time_ms)
        y = math.log1p(x)
        if self.n < FIRST:
            expected = math.expm1(self.level) if self.n else math.nan
            said = Said(0.0, expected, math.nan, math.nan, math.nan, False, ORDINARY)
            self._learn_first(time_ms, y)
        else:
            said = self._judge(time_ms, y)
            self._learn(time_ms, y)
        return said

    def _note_time(self, time_ms: int) -> None:
        gap_s = (time_ms - self.last_ms) / 1000
        if self.n > 0 and gap_s > 0:
            bounded = gap_s if self.n <= 2 else min(gap_s, 10 * self.interval_s + 60)
            self.interval_s += max(0.01, 1 / (self.n + 1)) * (bounded - self.interval_s)
        self.last_ms = time_ms

    def _range(self, time_ms: int) -> Range:
        return self.routines.range(time_ms, self.tails.spread(), self.interval_s)

    # ---- judging

    def _judge(self, time_ms: int, y: float) -> Said:
        days = self.interval_s / 86_400
        alpha = min(PER_DAY * days, model.ALPHA_DAILY * math.sqrt(max(days, 1)), model.ALPHA_MAX)
        self._refresh_reach(alpha)
        unit = self.tails.spread()
        added = self._range(time_ms)
        centre = self.level + self.slope
        scale = math.sqrt(unit**2 * (1 + 1 / min(self.n, model.MEMORY)) + added.variance + added.new)
        low, high = centre + added.least, centre + added.greatest
        below, above = scale * self.tails.side(-1), scale * self.tails.side(1)
        t = (y - high) / above if y > high else (y - low) / below if y < low else 0.0
        excess = self._follow(t, unit) if added.new == 0.0 else -1.0
        point = abs(t) >= self.reach
        odd = point or self.shift.way != 0
        stage = self._follow_new_level(time_ms, y - centre - added.likely, unit, odd)
        restless = self.unrest.is_over and not self.shift.is_half_way
        change = self._change(t, stage, point=point, restless=restless)
        anomalous = change != ORDINARY and abs(change) != ACCEPTED
        score = max(0.0, THRESHOLD + math.log2(max(abs(t), 1e-9) / self.reach))
        if anomalous:
            lasting = LASTING_SCORE * max(excess, 0.0) if self.shift.way else 0.0
            score = max(score if point else 0.0, THRESHOLD + lasting)
        else:
            score = min(score, math.nextafter(THRESHOLD, 0.0)) if stage == levels.NOTHING else 0.0
        p_value = self._p_value(t, alpha, point=point, lasts=anomalous, restless=restless)
        expected = math.expm1(centre + added.likely)
        edges = [_expm1(low - self.reach * below), _expm1(high + self.reach * above)]
        if stage == levels.ACCEPTED:
            self.level += self.new.mean
            self.routines.week.move(self.new.mean)
            self.tails.runs, self.reach_n = min(self.tails.runs, SPREAD_RUNS_AFTER), 0
            self.unrest.sum = 0.0
            self.shift.end()
            self.new = PlainNewLevel()
        return Said(
            score, expected, min(edges[0], expected), max(edges[1], expected), p_value, anomalous, change
        )

    def _points(self, alpha: float) -> float:
        ceiling, young = PER_DAY * max(self.interval_s, 1.0) / 86_400, model.POINTS * alpha
        least = model.DAILY_POINTS * alpha if self.interval_s > DAILY_S else young
        settled = min(max(least, model.REALISED * (ceiling - model.SHIFTS * alpha)), model.POINTS_MAX)
        between = [model.UNSETTLED_RUNS, model.SETTLED_RUNS]
        return float(np.interp(min(self.n, self.tails.runs), between, [young, settled]))

    def _refresh_reach(self, alpha: float) -> None:
        points = self._points(alpha)
        if self.n < self.reach_n and abs(points - self.points_then) <= model.SAME_POINTS * points:
            return
        tail, unit = points / 2, self.tails.spread()
        crossing = optimize.brentq(
            lambda log: math.log(self.tails.beyond(math.exp(log) * unit) / tail), -1.0, 10.0, xtol=1e-12
        )
        grid = math.ceil((crossing - math.log(tails.REACH_MIN)) / tails.GRID)
        high = tails.REACH_MIN * math.exp(tails.GRID * grid)
        self.reach = min(high, model.REACH_YOUNG) if self.n < model.YOUNG_RUNS else high
        self.shift.set_bar(alpha)
        self.unrest.set_bar(alpha)
        self.points_then, self.reach_n = (
            single(points),
            self.n + max(1, min(int(self.tails.runs) // model.REACH_SHARE, model.REACH_RUNS_MAX)),
        )

    def _follow(self, t: float, unit: float) -> float:
        """Follow what may last; by how much a shift is beyond its bar."""
        side = self.tails.side
        u = t * side(1 if t > 0 else -1) / max(side(-1), side(1))
        young = shifts.YOUNG / math.sqrt(min(self.tails.runs - 1, 200))
        self.shift.follow(u, young)
        self.unrest.follow(t, young)
        before = self.shift.way
        excess = self.shift.excess(u, abs(self.new.mean) / unit, self.interval_s)
        if before and not self.shift.way:
            self.new, self.reach_n = PlainNewLevel(), 0
        return excess

    def _follow_new_level(self, time_ms: int, residual: float, unit: float, anomalous: bool) -> int:
        if self.new.runs and self.new.agrees(residual, unit):
            return self.new.learn(time_ms, residual, unit, self.interval_s)
        self.new.missed += 1
        if anomalous:
            self.new = PlainNewLevel(time_ms, residual)
        elif self.new.missed >= levels.MISSED_MAX:
            self.new = PlainNewLevel()
        return levels.NOTHING

    def _change(self, t: float, stage: int, *, point: bool, restless: bool) -> int:
        way = 1 if self.new.mean > 0 else -1
        if stage == levels.ACCEPTED:
            return ACCEPTED * way
        if not point and self.shift.way == 0:
            return WIDER if restless else ORDINARY
        if stage == levels.PROPOSED:
            return PROPOSED * way
        if point:
            return POINT if t > 0 else -POINT
        drifted = self.shift.runs >= DRIFT_RUNS and abs(self.shift.recent) < DRIFT_SIZE
        return (DRIFT if drifted else SHIFT) * self.shift.way

    def _p_value(self, t: float, alpha: float, *, point: bool, lasts: bool, restless: bool) -> float:
        unit = self.tails.spread()
        p_value = min(1.0, 2 * self.tails.beyond(abs(t) * unit))
        p_value = min(p_value, self._points(alpha)) if point else p_value
        if lasts and self.shift.way:
            size, runs = min(abs(self.new.mean) / unit, model.LASTING_SIZE_MAX), self.new.runs
            p_value = min(p_value, model.SHIFTS * alpha, math.sqrt(1 + runs) * math.exp(-runs * size**2 / 2))
        return min(p_value, wider.SHARE * alpha) if restless else p_value

    # ---- learning

    def _learn(self, time_ms: int, y: float) -> None:
        spread, new = self.tails.spread(), self.new
        likely, least, greatest, _, _ = self._range(time_ms)
        lasting = new.mean if new.runs >= model.LASTING_RUNS else 0.0
        residual = y - self.level - self.slope
        ordinary = clip(residual - likely, 3 * spread)
        memory = min(max(model.MEMORY, model.MEMORY_S / max(self.interval_s, 1)), model.MEMORY_MAX)
        rate = max(1 / (self.n + 1), 1 / memory)
        waiting = 0.0 if self.shift.way else model.WAITING if self.shift.is_half_way else 1.0
        self.level += self.slope + waiting * rate * ordinary
        if self.n >= model.SLOPE_FROM and memory == model.MEMORY:
            self.slope += waiting * rate * (0.75 * rate * ordinary - 0.25 * self.slope)
        lasted = lasting if time_ms - new.since_ms > model.ROUTINE_DAYS * DAY_MS else 0.0
        found = self._learn_routines(time_ms, residual - lasted, y - residual, likely)
        noise = _unexplained(residual - lasting, likely, least, greatest)
        if self.routines.days[WEEKDAY].count >= model.TODAY_RUNS:
            of_today = residual - self.routines.today()
            noise = min(noise, _unexplained(of_today, likely, least, greatest), key=abs)
        remembered = min(max(model.SPREAD_MEMORY, memory), model.SPREAD_MEMORY_MAX)
        slowed = wider.WAITING if self.unrest.is_under_way else 1.0
        slowed = min(slowed, model.SPREAD_WAITING if waiting == model.WAITING else 1.0)
        if abs(noise) >= self.reach * spread * self.tails.side(1 if noise > 0 else -1):
            slowed *= model.POINT_SHARE
        calm = self.shift.way == 0 and not self.shift.is_half_way
        self.tails.learn(noise, slowed * max(model.HASTE / self.tails.runs, 1 / remembered), calm=calm)
        self.tails.runs += model.WORTH
        if self.interval_s > DAILY_S:
            self._bound_spread()
        self.shift.forget(self.interval_s)
        self.n += 1
        if found is not None:
            self._begin_spread_anew(found)

    def _learn_routines(self, time_ms: int, residual: float, level: float, likely: float) -> int | None:
        spread = self.tails.spread()
        learned = self.routines.learn(time_ms, residual, level, likely, spread, self.interval_s)
        for more in learned.moved:
            self.level += more
        return learned.found

    def _explained(self, kind: int) -> float:
        if kind >= START:
            return 0.0
        visited = self.routines.visited(kind)
        return sum(it.visits * it.offset**2 for it in visited) / sum(it.visits for it in visited)

    def _bound_spread(self) -> None:
        week = self.routines.week
        if week.freedom < model.WEEK_FREEDOM_MIN:
            return
        if self.routines.weight(WEEKDAY) < model.SURELY and self._explained(WEEKDAY) > week.noise:
            return
        bound = (model.WEEK_ROOM + model.WEEK_DOUBT / week.freedom) * week.noise
        share = min(1.0, bound / self.tails.variance[0])
        self.tails.variance = [share * it for it in self.tails.variance]

    def _begin_spread_anew(self, kind: int) -> None:
        explained, variance = self._explained(kind), self.tails.variance[0]
        left, runs = max(variance - explained, model.UNEXPLAINED_LEAST * variance), model.SPREAD_ANEW
        if kind == WEEKDAY:
            week = self.routines.week
            if len(week.days) >= DAYS_MIN:
                self.level, self.slope = week.level() + week.centre, 0.0
            freedom, noise = week.freedom, week.noise
            if self.interval_s > DAILY_S and freedom >= model.FREEDOM_MIN:
                left, runs = (left + freedom * noise) / (1 + freedom), 2 + freedom / 2
        self.tails.start(left, left)
        self.tails.runs = min(self.tails.runs, runs)
        self.unrest.sum, self.reach_n = 0.0, 0

    def _learn_first(self, time_ms: int, y: float) -> None:
        self.first.append(y)
        self.n += 1
        self.level = float(np.median(self.first))
        least = 9 * model.PRIOR_VARIANCE
        squares = model.PRIOR_RUNS * model.PRIOR_VARIANCE
        squares += sum(min((it - self.level) ** 2, least) for it in self.first)
        self.tails.runs = model.PRIOR_RUNS + self.n
        known = self.tails.runs - 1
        self.tails.start(squares / known, model.PRIOR_RUNS * model.PRIOR_VARIANCE / known)
        self._learn_routines(time_ms, y - self.level, self.level, self._range(time_ms).likely)


def _expm1(y: float) -> float:
    return math.copysign(math.expm1(min(abs(y), 600)), y)


def _unexplained(residual: float, likely: float, least: float, greatest: float) -> float:
    beyond = residual - min(max(residual, least), greatest)
    return residual - likely if beyond == 0 or abs(residual - likely) < abs(beyond) else beyond
