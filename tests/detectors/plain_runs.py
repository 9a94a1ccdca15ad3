"""The model of runs in plain Python, one object a series, from the formulas in `run_model`, `run_tails`, `run_routines`, `shift`,
`new_level` and `wider`: what the kernels are tested against.

For positive values that are no whole numbers, with default settings, in UTC, without like series. Student's t, quantiles of dates
and weekdays are other people's. What kernels keep in single precision is rounded as there.
"""

import calendar
import math
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from detectors import new_level as levels
from detectors import run_model as model
from detectors import run_routines as routines
from detectors import run_tails as tails
from detectors import shift as shifts
from detectors import wider
from detectors.numeric_layout import ACCEPTED, DRIFT, FIRST, ORDINARY, POINT, PROPOSED, SHIFT, WIDER
from detectors.run_head import DRIFT_RUNS, DRIFT_SIZE, LASTING_SCORE

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PER_DAY, THRESHOLD = 1 / 30, 4.4
HOUR, WEEKDAY, START, END = range(4)


def single(x: float) -> float:
    return float(np.float32(x))


def clip(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


class Said(NamedTuple):
    score: float
    expected: float
    lower: float
    upper: float
    p_value: float
    anomalous: bool
    change: int


class Class:
    """One hour, weekday or day of a month: what it adds, from how many days."""

    def __init__(self) -> None:
        self.offset = self.visits = 0.0


class Day:
    """The day at hand, for one kind of routine."""

    def __init__(self) -> None:
        self.key, self.place, self.count = 0, -1, 0
        self.total = self.gain = 0.0


class Level:
    """A new level that may be under way."""

    def __init__(self) -> None:
        self.runs = self.since_ms = self.missed = 0
        self.proposed = False
        self.mean = self.late = self.square = 0.0


class PlainRuns:
    """One series of runs."""

    def __init__(self) -> None:
        self.n, self.last_ms, self.interval_s = 0, 0, 60.0
        self.first: list[float] = []
        self.level = self.slope = 0.0
        self.variance, self.evidence = [0.0] * 3, [0.0] * 3
        self.spread_runs, self.strange, self.skew, self.prior_part = 0.0, False, 0.0, 0.0
        self.classes = [[Class() for _ in range(size)] for size in (24, 7, 3, 3)]
        self.odds = list(routines.ODDS_START)
        self.days = [Day() for _ in range(4)]
        self.hours: dict[int, list[float]] = {}
        self.rise, self.fall, self.bar = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.recent = self.back = self.reach = self.points_then = 0.0
        self.rising = self.falling = self.reach_n = self.shifted = 0
        self.returned = self.unrest = self.unrest_bar = 0.0
        self.new = Level()

    def judge(self, time_ms: int, x: float) -> Said:
        """Judge a run, then learn it."""
        self._note_time(time_ms)
        y = math.log1p(x)
        if self.n < FIRST:
            expected = math.expm1(self.level) if self.n else math.nan
            said = Said(0.0, expected, math.nan, math.nan, math.nan, False, ORDINARY)
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

    # ---- tails

    def _spread(self, k: int = 0) -> float:
        return math.sqrt(self.variance[k] + (tails.SPREAD_MIN * tails.RELATIVE_SCALE[k]) ** 2)

    def _side(self, way: int) -> float:
        return math.sqrt(1 + clip(way * self.skew, tails.SKEW_MAX))

    def _tail(self, distance: float) -> float:
        known = min(self.spread_runs - 1, 200)
        weights = np.exp(self.evidence)
        freedoms = 1 / (1 / np.array(tails.FREEDOMS) + 1 / known)
        scales = np.array([self._spread(k) for k in range(3)])
        return float(weights @ stats.t.sf(distance / scales, freedoms) / weights.sum())

    def _points(self, alpha: float) -> float:
        ceiling, young = PER_DAY * max(self.interval_s, 1.0) / 86_400, model.POINTS * alpha
        least = model.DAILY_POINTS * alpha if self.interval_s > model.DAILY_S else young
        settled = min(max(least, model.REALISED * (ceiling - model.SHIFTS * alpha)), model.POINTS_MAX)
        between = [model.UNSETTLED_RUNS, model.SETTLED_RUNS]
        return float(np.interp(min(self.n, self.spread_runs), between, [young, settled]))

    def _refresh_reach(self, alpha: float) -> None:
        points = self._points(alpha)
        if self.n < self.reach_n and abs(points - self.points_then) <= model.SAME_POINTS * points:
            return
        tail, unit = points / 2, self._spread()
        crossing = optimize.brentq(
            lambda log: math.log(self._tail(math.exp(log) * unit) / tail), -1.0, 10.0, xtol=1e-12
        )
        grid = math.ceil((crossing - math.log(tails.REACH_MIN)) / tails.GRID)
        high = tails.REACH_MIN * math.exp(tails.GRID * grid)
        self.reach = min(high, model.REACH_YOUNG) if self.n < model.YOUNG_RUNS else high
        raised = 1 + shifts.RETURNED_RAISES * max(0.0, self.returned - shifts.RETURNED_FREE)
        self.bar = [single(raised * _cusum_bar(k, 4 / (model.SHIFTS * alpha))) for k in shifts.STEPS]
        self.unrest_bar = single(_cusum_bar(wider.STEP, 1 / (wider.SHARE * alpha)))
        self.points_then, self.reach_n = (
            single(points),
            self.n + max(1, min(int(self.spread_runs) // model.REACH_SHARE, model.REACH_RUNS_MAX)),
        )

    def _learn_tails(self, residual: float, rate: float) -> None:
        bound = self._spread()
        even = residual / self._side(1 if residual > 0 else -1)
        strange = abs(even) > tails.STRANGE * bound
        r = clip(even, tails.TAIL_CLIP * bound)
        alone = not (strange and self.strange)
        own = max(0.0, 1 - self.prior_part / bound**2)
        if alone and self.shifted == 0 and not self._half_way():
            leaning = math.copysign(min((residual / bound) ** 2, tails.LEAN_MAX), residual)
            self.skew = single(self.skew + (leaning - self.skew) / (1 / rate + tails.SKEW_RUNS))
        for k, freedom in enumerate(tails.FREEDOMS):
            scale = self._spread(k)
            if alone:
                density = (
                    float(stats.t.logpdf(r / scale, freedom)) - math.log(scale) + 0.5 * math.log(math.pi)
                )
                self.evidence[k] += (
                    tails.PRIORS[k] - self.evidence[k]
                ) / tails.EVIDENCE_MEMORY + own * density
            squared = (freedom + 1) * r * r / (freedom + (r / scale) ** 2)
            if k == 0:
                squared = min(r * r, tails.SQUARE_MAX * scale * scale)
            self.variance[k] += rate * (squared - self.variance[k])
        best = max(self.evidence)
        self.evidence = [max(it - best, -tails.EVIDENCE_RANGE) for it in self.evidence]
        self.prior_part = single(self.prior_part * (1 - rate))
        self.strange = strange

    # ---- routines

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

    def _range(self, time_ms: int) -> tuple[float, float, float, float, float]:
        likely = least = greatest = variance = new = 0.0
        spread = self._spread()
        for kind, place in enumerate(places(time_ms)):
            if place is None or self.odds[kind] < routines.REJECTED:
                continue
            it = self._known(kind, place)
            if it is None:
                new += routines.UNSEEN_VARIANCE[kind] / (1 + self._today_in(kind, place, time_ms))
                continue
            variance += spread**2 / (it.visits * max(1, routines.SPANS_S[kind] / self.interval_s))
            offset, ends = self._shrunk(kind, it), [it.offset]
            if kind == HOUR and self.interval_s < routines.OFTEN_S:
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
        return likely, least, greatest, variance, new

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

    def _learn_routines(self, time_ms: int, residual: float, likely: float) -> int | None:
        found, spread = None, self._spread()
        for kind, place in enumerate(places(time_ms)):
            day = self.days[kind]
            if day.key != 1 + time_ms // DAY_MS:
                found = kind if self._end_day(kind, spread) else found
                day.key = 1 + time_ms // DAY_MS
            day.place = -1 if place is None else place
            if place is None:
                continue
            it = self._known(kind, place)
            offset = self._shrunk(kind, it) if it else 0.0
            rest = residual - likely
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
        return found

    def _end_day(self, kind: int, spread: float) -> bool:
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
            known = [it for it in self.classes[kind] if it.visits > 0]
            common = sum(it.offset for it in known) / len(known)
            for it in known:
                it.offset = single(it.offset - common)
            self.level += self._weight(kind) * common
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

    def _today(self) -> float:
        day = self.days[WEEKDAY]
        if day.count < routines.TODAY_RUNS or day.place < 0:
            return 0.0
        it = self.classes[WEEKDAY][day.place]
        expected = self._weight(WEEKDAY) * self._shrunk(WEEKDAY, it) if it.visits > 0 else 0.0
        return (day.total / day.count - expected) * day.count / (day.count + routines.TODAY_SHRINK)

    # ---- judging

    def _judge(self, time_ms: int, y: float) -> Said:
        days = self.interval_s / 86_400
        alpha = min(PER_DAY * days, model.ALPHA_DAILY * math.sqrt(max(days, 1)), model.ALPHA_MAX)
        self._refresh_reach(alpha)
        unit = self._spread()
        likely, least, greatest, variance, new = self._range(time_ms)
        centre = self.level + self.slope
        scale = math.sqrt(unit**2 * (1 + 1 / min(self.n, model.MEMORY)) + variance + new)
        low, high = centre + least, centre + greatest
        below, above = scale * self._side(-1), scale * self._side(1)
        t = (y - high) / above if y > high else (y - low) / below if y < low else 0.0
        excess = -1.0
        if new == 0.0:
            u = t * self._side(1 if t > 0 else -1) / max(self._side(-1), self._side(1))
            self._follow_shift(u)
            self._follow_unrest(t)
            excess = self._shift_state(u, unit)
        point = abs(t) >= self.reach
        stage = self._follow_new_level(time_ms, y - centre - likely, unit, point or self.shifted != 0)
        restless = self.unrest >= self.unrest_bar > 0 and not self._half_way()
        change = self._change(t, stage, point=point, restless=restless)
        anomalous = change != ORDINARY and abs(change) != ACCEPTED
        score = max(0.0, THRESHOLD + math.log2(max(abs(t), 1e-9) / self.reach))
        if anomalous:
            lasting = LASTING_SCORE * max(excess, 0.0) if self.shifted else 0.0
            score = max(score if point else 0.0, THRESHOLD + lasting)
        else:
            score = min(score, math.nextafter(THRESHOLD, 0.0)) if stage == levels.NOTHING else 0.0
        p_value = min(1.0, 2 * self._tail(abs(t) * unit))
        p_value = min(p_value, self._points(alpha)) if point else p_value
        if anomalous and self.shifted:
            size, runs = min(abs(self.new.mean) / unit, model.LASTING_SIZE_MAX), self.new.runs
            p_value = min(p_value, model.SHIFTS * alpha, math.sqrt(1 + runs) * math.exp(-runs * size**2 / 2))
        p_value = min(p_value, wider.SHARE * alpha) if restless else p_value
        expected = math.expm1(centre + likely)
        edges = [_expm1(low - self.reach * below), _expm1(high + self.reach * above)]
        if stage == levels.ACCEPTED:
            self.level += self.new.mean
            self.unrest = 0.0
            self._end_shift()
        return Said(
            score, expected, min(edges[0], expected), max(edges[1], expected), p_value, anomalous, change
        )

    def _change(self, t: float, stage: int, *, point: bool, restless: bool) -> int:
        way = 1 if self.new.mean > 0 else -1
        if stage == levels.ACCEPTED:
            return ACCEPTED * way
        if not point and self.shifted == 0:
            return WIDER if restless else ORDINARY
        if stage == levels.PROPOSED:
            return PROPOSED * way
        if point:
            return POINT if t > 0 else -POINT
        runs = self.rising if self.shifted > 0 else self.falling
        return (DRIFT if runs >= DRIFT_RUNS and abs(self.recent) < DRIFT_SIZE else SHIFT) * self.shifted

    def _follow_shift(self, u: float) -> None:
        young = shifts.YOUNG / math.sqrt(min(self.spread_runs - 1, 200))
        for k in range(2):
            bounded, less = clip(u, shifts.U_MAX[k]), shifts.STEPS[k] + young
            top = self.bar[k] + shifts.ABOVE_MAX
            self.rise[k] = single(min(max(0.0, self.rise[k] + bounded - less), top))
            self.fall[k] = single(min(max(0.0, self.fall[k] - bounded - less), top))
        self.rising = self.rising + 1 if self.rise[0] > 0 else 0
        self.falling = self.falling + 1 if self.fall[0] > 0 else 0
        runs = self.rising if self.rise[0] > self.fall[0] else self.falling
        self.recent += (clip(u, shifts.RECENT_CLIP) - self.recent) / min(max(runs, 1), shifts.RECENT_RUNS)

    def _follow_unrest(self, u: float) -> None:
        young = shifts.YOUNG / math.sqrt(min(self.spread_runs - 1, 200))
        w = clip((math.sqrt(abs(u)) - wider.W_MEAN) / wider.W_DEVIATION, wider.W_MAX)
        grown = max(0.0, self.unrest + w - wider.STEP - young)
        self.unrest = single(min(grown, self.unrest_bar + wider.ABOVE_MAX))

    def _half_way(self) -> bool:
        return max(self.rise[0], self.fall[0]) > 0.5 * self.bar[0]

    def _shift_state(self, u: float, unit: float) -> float:
        up = max(self.rise[k] - self.bar[k] for k in range(2))
        down = max(self.fall[k] - self.bar[k] for k in range(2))
        if self.shifted != 0:
            size = min(max(abs(self.new.mean) / unit, 1.0), 6.0)
            said = clip(size * (0.5 * size - self.shifted * u), model.BACK_STEP)
            self.back = max(0.0, self.back + said)
            if self.back > model.BACK_BAR + math.log1p(model.BACK_S / self.interval_s):
                self._end_shift()
                self.returned = min(self.returned + 1, shifts.RETURNED_MAX)
                self.reach_n = 0
                return -1.0
            return max(up, down, 0.0)
        if (up >= 0 and self.recent >= 0) or (down >= 0 and self.recent <= 0):
            self.shifted, self.back = (1 if up >= down else -1), 0.0
            return max(up, down)
        return -1.0

    def _end_shift(self) -> None:
        self.shifted, self.recent = 0, 0.0
        self.rise, self.fall = [0.0, 0.0], [0.0, 0.0]
        self.new = Level()

    def _follow_new_level(self, time_ms: int, residual: float, unit: float, anomalous: bool) -> int:
        new = self.new
        fresh = Level()
        fresh.runs, fresh.since_ms, fresh.mean, fresh.late = 1, time_ms, residual, residual
        if new.runs == 0:
            self.new = fresh if anomalous else new
            return levels.NOTHING
        difference = residual - new.mean
        if abs(difference) > levels.AGREES * unit * math.sqrt(1 + 1 / new.runs):
            new.missed += 1
            if new.missed >= levels.MISSED_MAX:
                self.new = Level()
            if anomalous:
                self.new = fresh
            return levels.NOTHING
        new.missed = 0
        new.runs += 1
        memory = min(new.runs, max(levels.ACCEPTED_RUNS, levels.ACCEPTED_MS / 1000 / self.interval_s))
        rate = 1 / memory
        new.mean += rate * difference
        new.square += rate * (difference**2 * (1 - rate) - new.square)
        new.late += min(1.0, max(levels.LATE_SHARE * rate, 1 / new.runs)) * (residual - new.late)
        error = levels.STEADY_NOISE * unit * math.sqrt(levels.LATE_SHARE / memory)
        moved, lasted = abs(new.late - new.mean), time_ms - new.since_ms
        if moved >= levels.STEADY * abs(new.mean) + error or new.square >= (levels.WIDER * unit) ** 2:
            return levels.NOTHING
        enough = (new.runs >= levels.ACCEPTED_RUNS and lasted >= levels.ACCEPTED_MS) or (
            new.runs >= levels.SELDOM_RUNS and lasted >= levels.SELDOM_MS
        )
        if enough and (new.mean >= levels.OUTAGE or lasted >= levels.OUTAGE_MS):
            return levels.ACCEPTED
        if not new.proposed and new.runs >= levels.PROPOSED_RUNS and lasted >= levels.PROPOSED_MS:
            new.proposed = True
            return levels.PROPOSED
        return levels.NOTHING

    # ---- learning

    def _learn(self, time_ms: int, y: float) -> None:
        if self.n < FIRST:
            self._learn_first(time_ms, y)
            return
        spread, new = self._spread(), self.new
        likely, least, greatest, _, _ = self._range(time_ms)
        lasting = new.mean if new.runs >= model.LASTING_RUNS else 0.0
        residual = y - self.level - self.slope
        ordinary = clip(residual - likely, 3 * spread)
        memory = min(max(model.MEMORY, model.MEMORY_S / max(self.interval_s, 1)), model.MEMORY_MAX)
        rate = max(1 / (self.n + 1), 1 / memory)
        waiting = 0.0 if self.shifted else model.WAITING if self._half_way() else 1.0
        self.level += self.slope + waiting * rate * ordinary
        if self.n >= model.SLOPE_FROM and memory == model.MEMORY:
            self.slope += waiting * rate * (0.75 * rate * ordinary - 0.25 * self.slope)
        lasted = lasting if time_ms - new.since_ms > model.ROUTINE_DAYS * DAY_MS else 0.0
        found = self._learn_routines(time_ms, residual - lasted, likely)
        noise = _unexplained(residual - lasting, likely, least, greatest)
        if self.days[WEEKDAY].count >= model.TODAY_RUNS:
            noise = min(noise, _unexplained(residual - self._today(), likely, least, greatest), key=abs)
        remembered = min(max(model.SPREAD_MEMORY, memory), model.SPREAD_MEMORY_MAX)
        slowed = wider.WAITING if 0.5 * self.unrest_bar < self.unrest < self.unrest_bar else 1.0
        slowed = min(slowed, model.SPREAD_WAITING if waiting == model.WAITING else 1.0)
        self._learn_tails(noise, slowed * max(model.HASTE / self.spread_runs, 1 / remembered))
        self.spread_runs += model.WORTH
        self.returned = self.returned * (1 - min(1.0, self.interval_s / shifts.RETURNED_S))
        self.n += 1
        if found is not None:
            self._begin_spread_anew(found)

    def _begin_spread_anew(self, kind: int) -> None:
        visited = [it for it in self.classes[kind] if it.visits > 0]
        explained = 0.0
        if kind < START:
            squares = [it.visits * it.offset**2 for it in visited]
            explained = sum(squares) / sum(it.visits for it in visited)
        left = max(self.variance[0] - explained, model.UNEXPLAINED_LEAST * self.variance[0])
        self._start_tails(left, left)
        self.spread_runs = min(self.spread_runs, model.SPREAD_ANEW)
        self.unrest, self.reach_n = 0.0, 0

    def _start_tails(self, variance: float, prior: float) -> None:
        self.prior_part = single(prior)
        self.variance = [variance * scale**2 for scale in tails.RELATIVE_SCALE]
        self.evidence, self.skew = list(tails.PRIORS), 0.0

    def _learn_first(self, time_ms: int, y: float) -> None:
        self.first.append(y)
        self.n += 1
        self.level = float(np.median(self.first))
        least = 9 * model.PRIOR_VARIANCE
        squares = model.PRIOR_RUNS * model.PRIOR_VARIANCE
        squares += sum(min((it - self.level) ** 2, least) for it in self.first)
        self.spread_runs = model.PRIOR_RUNS + self.n
        known = self.spread_runs - 1
        self._start_tails(squares / known, model.PRIOR_RUNS * model.PRIOR_VARIANCE / known)
        self._learn_routines(time_ms, y - self.level, self._range(time_ms)[0])


def places(time_ms: int) -> tuple[int, int, int | None, int | None]:
    """Hour, weekday, and the class of a first and of a last day of a month: a business day too, it alone, or a weekend."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    weekday, left = at.weekday(), calendar.monthrange(at.year, at.month)[1] - at.day
    first = (2 if weekday >= 5 else 0) if at.day == 1 else 1 if at.day <= 3 and weekday == 0 else None
    last = (2 if weekday >= 5 else 0) if left == 0 else 1 if left <= 2 and weekday == 4 else None
    return at.hour, weekday, first, last


def _expm1(y: float) -> float:
    return math.copysign(math.expm1(min(abs(y), 600)), y)


def _gain(rest: float, offset: float, spread: float) -> float:
    without, with_it = ((it / spread) ** 2 for it in (rest, rest - offset))
    return 0.5 * (min(without, routines.SQUARE_MAX) - min(with_it, routines.SQUARE_MAX))


def _unexplained(residual: float, likely: float, least: float, greatest: float) -> float:
    beyond = residual - clip_to(residual, least, greatest)
    return residual - likely if beyond == 0 or abs(residual - likely) < abs(beyond) else beyond


def clip_to(x: float, least: float, greatest: float) -> float:
    return min(max(x, least), greatest)


def _cusum_bar(step: float, runs: float) -> float:
    b = 2.0
    for _ in range(12):
        b = math.log(max(2 * step**2 * runs, 1e-9) + 1 + 2 * step * b) / (2 * step)
    return max(b - shifts.OVERSHOOT, 0.5)
