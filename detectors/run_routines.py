"""Routines of runs: what hour of day, day of week, and the first and last days of a month add to the level.

Every class (hour 3, Saturday, last business day, ...) has an offset on the log scale, the mean of the visits to it, each
clipped; and so is each run within it, to what the day had been like. A visit is a day, however many runs it has, and is learned when it is over: a month's end cannot become its own
excuse. Hours are learned without what their whole day has in common; a day with one hour tells nothing of hours, else a drift would be that hour's when clocks change. Each kind of routine is believed as far as it pays: its log odds begin below even and gain, with every run, by
how much likelier the run was with the offset than without (prequential evidence, Dawid, JRSS A 147, 1984), at most 6 a visit.

While it is open whether a routine exists, both are ordinary: what the level alone expects, and what the routine does. So a
peak at a month's end alarms the first time, the same peak a month later does not; and once the routine is believed, it alarms
if the peak is missing. A class that has not been visited yet may lie elsewhere: the spread is wider there. An hour next to one that
has been visited is taken to lie where that one does: clocks change, and a daily run then comes an hour earlier or later.
"""

import math

from detectors.civil_days import day_of, weekday
from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import ANY, DAILY, DAY_MS, HOUR_MS, HOURS, Record
from detectors.month_classes import (
    BUSINESS_ONLY,
    NONE,
    WEEKEND_ONLY,
    month_end_class,
    month_start_class,
)
from detectors.run_classes import centre
from detectors.run_days import moved_days, neighbour_of, note_hour, on_days
from detectors.run_layout import BY_HOUR, BY_START, BY_WEEKDAY, ROUTINES, STARTS
from detectors.run_tails import SPREAD_MIN
from detectors.run_week import DAYS_MIN, begin_week_anew, note_day, start_week, week_level

ODDS_START = (-1.5, -1.5, -1.5, -1.5)
ODDS_LEAST, ODDS_GREATEST = -3.0, 8.0
BELIEVED, REJECTED = 3.5, -2.5
"""Log odds above which only the routine is ordinary, and below which only the level is."""
GAIN_MAX, LOSS_MAX = 6.0, (6.0, 2.0, 6.0, 6.0)
SQUARE_MAX = 12.0
WEEK_SCALE = 2.0
"""Deviations of what the weeks leave that evidence for days of the week of daily runs is measured in, where that is less than the spread."""
SHRINK = (0.5, 0.25, 0.25, 0.25)
SPANS_S = (3600.0, 86_400.0, 86_400.0, 86_400.0)
OFTEN_A_DAY_S = 8.5 * 3600.0
"""Runs that come more often tell at which hour days begin."""
DAILY_S = 0.75 * 86_400.0
OFTEN_S = 1200.0
"""Runs that come more often have several in an hour."""
VISITS_MAX = (17.0, 8.0, 6.0, 6.0)
FIRST_VISITS = 2.0
FIRST_CLIP = 3.5
LATER_CLIP = 3.0
TODAY_RUNS, TODAY_SHRINK = 4, 2.0
HOURS_MIN = 4
HOUR_NOISE = 0.1
"""Share of the variance that all runs of one hour have in common."""
SMOOTH = 2.0
"""Scales of noise; a greater step within half an hour is one from hour to hour."""
UNSEEN_VARIANCE = (0.04, 0.02, 0.0, 0.0)

Range = tuple[float, float, float, float, float]
"""What routines add: the likeliest, the least and the greatest that is ordinary, and variance: of offsets, and of new classes."""


@inner
def class_of(kind: int, local_ms: int) -> int:
    """The place of the class of a time; -1 on a plain day of the month, which has none."""
    if kind == BY_HOUR:
        return STARTS[BY_HOUR] + local_ms // HOUR_MS % HOURS
    if kind == BY_WEEKDAY:
        return STARTS[BY_WEEKDAY] + weekday(day_of(local_ms))
    of_month = month_start_class(local_ms) if kind == BY_START else month_end_class(local_ms)
    return STARTS[kind] + of_month if of_month != NONE else NONE


@inner
def _day_key(local_ms: int) -> int:
    """What stands for a day, never 0: 0 is no day yet."""
    return 2 * (local_ms // DAY_MS) + 1


@inner
def _clock(m: Record, kind: int, local_ms: int) -> int:
    """Days of the week begin when the series' days do, all else by its time zone."""
    return on_days(m, local_ms) if kind == BY_WEEKDAY else local_ms


@inner
def _class_at(m: Record, kind: int, local_ms: int) -> int:
    """`class_of`, which the day at hand knows already."""
    day, clock_ms = m.visit[kind], _clock(m, kind, local_ms)
    return day.place if kind != BY_HOUR and day.key == _day_key(clock_ms) else class_of(kind, clock_ms)


@inner
def _hour_after(place: int, hours: int) -> int:
    """The place of the hour so many hours after another one."""
    return STARTS[BY_HOUR] + (place - STARTS[BY_HOUR] + hours) % HOURS


@inner
def _known_class(m: Record, kind: int, place: int) -> int:
    """The class, or while it has not been visited the hour before or after it, or the other one of the same day of the month; else NONE.

    Whatever follows another clock than the series' own runs an hour earlier or later once that clock has changed.
    """
    if m.visits[place] > 0:
        return place
    if kind == BY_HOUR:
        before, after = _hour_after(place, -1), _hour_after(place, 1)
        return before if m.visits[before] > 0 else after if m.visits[after] > 0 else NONE
    of_month = place - STARTS[kind]
    if kind < BY_START or of_month == BUSINESS_ONLY:
        return NONE
    other = STARTS[kind] + WEEKEND_ONLY - of_month
    return other if m.visits[other] > 0 else NONE


@inner
def weight_of(m: Record, kind: int) -> float:
    """How far a kind of routine is believed, 0 to 1."""
    return 1.0 / (1.0 + math.exp(-m.routine[kind]))


@inner
def offset_at(m: Record, kind: int, place: int) -> float:
    """What a class adds, shrunk to nothing while it has had few visits."""
    visits = m.visits[place]
    if m.routine[kind] > BELIEVED:
        return float(m.offset[place])
    return float(m.offset[place] * visits / (visits + SHRINK[kind]))


@inner
def _added(m: Record, kind: int, place: int) -> float:
    """What a class was thought to add to a run."""
    known = _known_class(m, kind, place) if place >= 0 else NONE
    return (
        weight_of(m, kind) * offset_at(m, kind, known) if known >= 0 and m.routine[kind] >= REJECTED else 0.0
    )


@inner
def _between_hours(m: Record, local_ms: int, place: int) -> float:
    """The offset on the straight line between the middles of this hour and of the nearest one."""
    share = (local_ms % HOUR_MS) / HOUR_MS - 0.5
    neighbour = _hour_after(place, 1 if share > 0.0 else -1)
    here = offset_at(m, BY_HOUR, place)
    if m.visits[neighbour] == 0:
        return here
    return here + abs(share) * (offset_at(m, BY_HOUR, neighbour) - here)


@inner
def routine_range(m: Record, local_ms: int, spread: float, interval_s: float) -> Range:
    """See `Range`."""
    likely = least = greatest = variance = new = 0.0
    for kind in range(ROUTINES):
        if m.routine[kind] < REJECTED:
            continue
        place = _class_at(m, kind, local_ms)
        if place < 0:
            continue
        known = _known_class(m, kind, place)
        if known < 0:
            new += UNSEEN_VARIANCE[kind] / (1.0 + _runs_of_today(m, kind, place, local_ms))
            continue
        place = known
        visits = m.visits[place]
        variance += spread * spread / (visits * max(1.0, SPANS_S[kind] / interval_s))
        offset = offset_at(m, kind, place)
        here = other = float(m.offset[place])
        if kind == BY_HOUR and interval_s < OFTEN_S:
            other = _between_hours(m, local_ms, place)
            if abs(other - here) < SMOOTH * spread:
                offset = here = other
        likely += weight_of(m, kind) * offset
        least += min(here, other)
        greatest += max(here, other)
        if m.routine[kind] < BELIEVED or (kind >= BY_START and visits < FIRST_VISITS):
            least = min(least, least - min(here, other))
            greatest = max(greatest, greatest - max(here, other))
    return likely, least, greatest, variance, new


@inner
def _runs_of_today(m: Record, kind: int, place: int, local_ms: int) -> int:
    """Runs of the day at hand in a class: they are in the level already."""
    visit = m.visit[kind]
    if visit.key != _day_key(_clock(m, kind, local_ms)):
        return 0
    if kind == BY_HOUR:
        return int(m.hour_count[place])
    return int(visit.count) if visit.place == place else 0


@inner
def start_routines(m: Record) -> None:
    """Begin with what is believed of any series."""
    start_week(m)
    m.day_shift = 0
    for hour in range(HOURS):
        m.edge[hour] = 0
    for kind in range(ROUTINES):
        m.routine[kind] = ODDS_START[kind]


@inner
def disbelieve(m: Record, season: int) -> None:
    """Take no kind of routine for one that the series may not have."""
    for kind in range(ROUTINES):
        if season < min(kind + DAILY, ANY):
            m.routine[kind] = ODDS_LEAST


@inner
def learn_routines(
    m: Record, local_ms: int, level: float, residual: float, likely: float, spread: float, interval_s: float
) -> int:
    """Learn `residual`, a run without its level; `likely` is what routines were thought to add.

    Returns the kind of routine that is believed since now, NONE as a rule.
    """
    found = NONE
    for kind in range(ROUTINES):
        day = _day_key(_clock(m, kind, local_ms))
        visit = m.visit[kind]
        place = _class_at(m, kind, local_ms)
        rest = residual - likely + _added(m, kind, place)
        if visit.key != day:
            found = kind if _end_day(m, kind, spread) else found
            visit.key = day
        visit.place = place
        if place < 0:
            continue
        known = _known_class(m, kind, place)
        offset = offset_at(m, kind, known) if known >= 0 else 0.0
        if kind == BY_WEEKDAY and m.routine[kind] > BELIEVED and interval_s < OFTEN_A_DAY_S:
            _note_edge(m, local_ms, rest, offset, spread)
        if kind != BY_HOUR and visit.count >= TODAY_RUNS:
            mean = visit.total / visit.count
            rest = mean + clip(rest - mean, LATER_CLIP * spread)
        if kind == BY_WEEKDAY:
            bound = LATER_CLIP * spread if m.routine[kind] > BELIEVED else FIRST_CLIP
            m.day_total += level + offset + clip(rest - offset, bound)
        visit.count += 1
        visit.total += rest
        if kind == BY_HOUR:
            m.hour_total[place] += rest
            m.hour_count[place] += 1
        elif known >= 0:
            scale = spread
            if kind == BY_WEEKDAY and interval_s > DAILY_S and m.routine[kind] < BELIEVED:
                rest += _above_week(m, level)
                scale = _scale_of_week(m, spread)
            without = min((rest / scale) ** 2, SQUARE_MAX)
            visit.gain += 0.5 * (without - min(((rest - offset) / scale) ** 2, SQUARE_MAX))
    return found


@inner
def _above_week(m: Record, level: float) -> float:
    """How far the level lies above that of the last week, once weeks tell their noise: while a routine is open the level goes along with it."""
    known, of_week = week_level(m)
    return level - of_week - m.added_centre if m.week_freedom > 0 and known >= DAYS_MIN else 0.0


@inner
def _scale_of_week(m: Record, spread: float) -> float:
    """The scale that evidence for days of the week of daily runs is measured in."""
    return (
        min(spread, WEEK_SCALE * max(math.sqrt(m.week_noise), SPREAD_MIN)) if m.week_freedom > 0 else spread
    )


@inner
def _note_edge(m: Record, local_ms: int, rest: float, offset: float, spread: float) -> None:
    """Note whether a run looks like one of the day next to its hour."""
    clock_ms = on_days(m, local_ms)
    hour = clock_ms // HOUR_MS % HOURS
    other = class_of(BY_WEEKDAY, clock_ms + neighbour_of(hour) * DAY_MS)
    if m.visits[other] > 0:
        note_hour(m, hour, (rest - offset) / spread, (rest - float(m.offset[other])) / spread)


@inner
def explained_by(m: Record, kind: int) -> float:
    """The variance that a kind of routine explains, the mean square of what it adds; first and last days of a month are too few to say."""
    if kind >= BY_START:
        return 0.0
    squares = visits = 0.0
    for place in range(STARTS[kind], STARTS[kind + 1]):
        squares += m.visits[place] * float(m.offset[place]) ** 2
        visits += m.visits[place]
    return squares / visits


@inner
def today(m: Record) -> float:
    """What the runs of this day have in common beyond what was expected; 0 while they are few."""
    day = m.visit[BY_WEEKDAY]
    if day.count < TODAY_RUNS or day.place < 0:
        return 0.0
    expected = (
        weight_of(m, BY_WEEKDAY) * offset_at(m, BY_WEEKDAY, day.place) if m.visits[day.place] > 0 else 0.0
    )
    return (day.total / day.count - expected) * day.count / (day.count + TODAY_SHRINK)


@inner
def _end_day(m: Record, kind: int, spread: float) -> bool:
    """Learn the day that is over; whether the routine is believed since."""
    visit = m.visit[kind]
    if visit.count == 0:
        return False
    before = m.routine[kind]
    if kind == BY_HOUR:
        visit.gain = _learn_hours(m, spread)
    elif kind == BY_WEEKDAY:
        m.level += weight_of(m, kind) * note_day(m, visit.key // 2, m.day_total / visit.count)
        m.day_total = 0.0
        if moved_days(m):
            begin_week_anew(m)
            before = REJECTED
    else:
        _learn_class(m, kind, visit.place, visit.total / visit.count, spread)
    gain = min(max(visit.gain, -LOSS_MAX[kind]), GAIN_MAX)
    m.routine[kind] = min(max(before + gain, ODDS_LEAST), ODDS_GREATEST)
    if kind == BY_HOUR:
        _, common = centre(m, kind)
        m.level += weight_of(m, kind) * common
    visit.count, visit.total, visit.gain = 0, 0.0, 0.0
    return before < BELIEVED <= m.routine[kind]


@inner
def _learn_class(m: Record, kind: int, place: int, mean: float, spread: float) -> None:
    visits = m.visits[place]
    bound = FIRST_CLIP if visits < FIRST_VISITS else LATER_CLIP * spread
    m.offset[place] += clip(mean - m.offset[place], bound) / (visits + 1.0)
    m.visits[place] = int(min(visits + 1.0, VISITS_MAX[kind]))


@inner
def _beyond_noise(offset: float, deviation: float) -> float:
    """An offset shrunk by what noise of its own makes of it (James and Stein's estimator, its positive part): 23 idle hours do not outvote a peak."""
    return offset - deviation * deviation / offset if abs(offset) > deviation else 0.0


@inner
def _learn_hours(m: Record, spread: float) -> float:
    """Learn the hours of a day, without what the whole day had in common: that is no matter of hours. Returns the gain."""
    common, known, seen = 0.0, 0, 0
    for place in range(HOURS):
        if m.hour_count[place] > 0:
            seen += 1
            if m.visits[place] > 0:
                common += m.hour_total[place] / m.hour_count[place] - m.offset[place]
                known += 1
    common = common / known if known >= HOURS_MIN else 0.0
    gain = 0.0
    for place in range(HOURS):
        if m.hour_count[place] > 0:
            mean = m.hour_total[place] / m.hour_count[place] - common if seen > 1 else 0.0
            if m.visits[place] > 0:
                scale = spread * math.sqrt(1.0 / m.hour_count[place] + HOUR_NOISE)
                without = min((mean / scale) ** 2, SQUARE_MAX)
                likely = _beyond_noise(float(m.offset[place]), scale / math.sqrt(m.visits[place]))
                gain += 0.5 * (without - min(((mean - likely) / scale) ** 2, SQUARE_MAX))
            _learn_class(m, BY_HOUR, place, mean, spread)
        m.hour_total[place], m.hour_count[place] = 0.0, 0
    return gain
