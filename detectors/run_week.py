"""What each day of the week adds to a series of runs, by classical decomposition.

A day's mean less the median of the seven days around it holds neither level nor trend, whatever the level did meanwhile: it is what the
day of the week adds, and noise (the centred moving average of Macaulay, The Smoothing of Time Series, 1931). Of the last six weeks the least and
the greatest do not count once there are three, so that one odd day changes nothing. Where a day is missing, the others count without what their own
day of the week adds.

A day is learned three days later, when its week is complete: before its day of the week comes again.
"""

import math

from detectors.civil_days import WEEK_DAYS, weekday
from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.run_classes import centre
from detectors.run_layout import BY_WEEKDAY, NO_DAY, STARTS, WEEKS

HALF = WEEK_DAYS // 2
DAYS_MIN = 4
"""Days of a week that have to be known for its mean."""
ONE = 1024.0
"""Parts that values are kept in: a 1024th on the log scale is a tenth of a per cent."""
GREATEST = 32_000.0
TRIMMED_FROM = 3
TWO_KINDS, TWO_KINDS_EARLY = 0.25, 0.1
"""Two kinds of days leave no more than this share of the sum of squares, and to be believed from the first week on no more than that."""
CHANGES_MIN = 5
VISITS_MAX = 8
OF_MEDIAN, CHANGE_MAX, LEAST = 1.4826, 3.0, 0.01
"""The scale of normal noise over its median; how far changes count, in scales, and the least scale."""
OF_OWN_MEAN = WEEK_DAYS / (WEEK_DAYS - 1.0)
"""A day less a mean that it is a seventh of varies so much less than the day."""


@inner
def _rounded(parts: float) -> int:
    return math.floor(parts + 0.5)


@inner
def _kept(y: float) -> int:
    return _rounded(min(max(y * ONE, -GREATEST), GREATEST))


@inner
def _place(day: int) -> int:
    return STARTS[BY_WEEKDAY] + weekday(day)


@inner
def start_week(m: Record) -> None:
    """Forget all days."""
    m.newest_day, m.added_centre, m.week_freedom, m.week_noise = 0, 0.0, 0, 0.0
    for place in range(WEEK_DAYS):
        m.days[place], m.weeks[place], m.means[place] = NO_DAY, 0, 0.0
        for week in range(WEEKS):
            m.added[place, week] = NO_DAY


@inner
def note_day(m: Record, day: int, mean: float) -> float:
    """Learn a day that is over; `mean` is that of its runs, on the log scale, without other routines.

    Returns by how much less each day of the week adds now, because together they add nothing. The first one added nothing before.
    """
    less = 0.0
    first = max(m.newest_day + 1, day - WEEK_DAYS + 1)
    for each in range(first, day + 1):
        m.days[each % WEEK_DAYS] = _kept(mean) if each == day else NO_DAY
        less += _learn_middle(m, each - HALF)
    m.newest_day = day
    return less


@inner
def _without_week(m: Record, place: int) -> float:
    """A known day of the last seven without what its day of the week adds."""
    return m.days[place] / ONE - m.offset[_place(place)] - m.added_centre


@inner
def week_level(m: Record) -> tuple[int, float]:
    """How many of the last seven days are known, and the median of them without what days of the week add."""
    known = 0
    for place in range(WEEK_DAYS):
        known += m.days[place] != NO_DAY
    low = high = math.nan
    for place in range(WEEK_DAYS):
        if m.days[place] != NO_DAY:
            y, rank = _without_week(m, place), 0
            for other in range(WEEK_DAYS):
                if m.days[other] != NO_DAY:
                    beside = _without_week(m, other)
                    rank += beside < y or (beside == y and other < place)
            low = y if rank == (known - 1) // 2 else low
            high = y if rank == known // 2 else high
    return known, 0.5 * (low + high)


@inner
def _learn_middle(m: Record, day: int) -> float:
    y = m.days[day % WEEK_DAYS]
    if y == NO_DAY:
        return 0.0
    known, level = week_level(m)
    if known < DAYS_MIN:
        return 0.0
    of_week = weekday(day)
    m.added[of_week, day // WEEK_DAYS % WEEKS] = _kept(y / ONE - level)
    m.weeks[of_week], m.means[of_week] = _trimmed_mean(m, of_week)
    m.week_freedom, m.week_noise = _noise(m)
    _share(m)
    known, common = centre(m, BY_WEEKDAY)
    m.added_centre += common
    return common if known > 1 else 0.0


@inner
def _split(m: Record) -> tuple[int, float, int, float]:
    """Two kinds of days of the week, the lighter and the heavier ones.

    Returns how many days are known, the sum of squares of what they add, the most that a lighter one adds, and the sum of squares within both kinds.
    """
    known, total, squares = 0, 0.0, 0.0
    for of_week in range(WEEK_DAYS):
        if m.weeks[of_week] > 0:
            mean = m.means[of_week] / ONE
            known, total, squares = known + 1, total + mean, squares + mean * mean
    whole = squares - total * total / max(known, 1)
    edge, least = int(GREATEST), whole
    for of_week in range(WEEK_DAYS):
        lighter, light = 0, 0.0
        for other in range(WEEK_DAYS):
            if m.weeks[other] > 0 and m.means[other] <= m.means[of_week]:
                lighter, light = lighter + 1, light + m.means[other] / ONE
        if m.weeks[of_week] > 0 and lighter < known:
            heavy = total - light
            within = squares - light * light / lighter - heavy * heavy / (known - lighter)
            if within < least:
                edge, least = int(m.means[of_week]), within
    return known, whole, edge, max(least, 0.0)


@inner
def _share(m: Record) -> None:
    """Have days of the week that are alike, of one kind or of two such as working days and weekends, share what they have learned.

    What a day adds is shrunk towards the mean of its kind as far as noise makes it differ (James and Stein's estimator, its positive part).
    """
    known, whole, edge, within = _split(m)
    two = within < TWO_KINDS * whole
    if not two:
        edge, within = int(GREATEST), whole
    spread = max(within / max(known - (2 if two else 1), 1), 1e-9)
    for of_week in range(WEEK_DAYS):
        count = m.weeks[of_week]
        if count > 0:
            days, mean = _kind_of(m, edge, m.means[of_week] > edge)
            own = 0.0 if two else 1.0
            if m.week_freedom > 0:
                own = max(0.0, 1.0 - m.week_noise / count / spread)
            place = STARTS[BY_WEEKDAY] + of_week
            m.offset[place] = mean + own * (m.means[of_week] / ONE - mean) - m.added_centre
            m.visits[place] = min(count + int((1.0 - own) * (days - count)), VISITS_MAX)


@inner
def _kind_of(m: Record, edge: int, heavy: bool) -> tuple[int, float]:
    """Days that are known of one kind of day of the week, and the mean of what these add."""
    days, known, total = 0, 0, 0.0
    for of_week in range(WEEK_DAYS):
        if m.weeks[of_week] > 0 and (m.means[of_week] > edge) == heavy:
            days, known, total = days + m.weeks[of_week], known + 1, total + m.means[of_week] / ONE
    return days, total / max(known, 1)


@inner
def _trimmed_mean(m: Record, of_week: int) -> tuple[int, int]:
    count, total, least, greatest = 0, 0.0, GREATEST, -GREATEST
    for week in range(WEEKS):
        added = float(m.added[of_week, week])
        if added != NO_DAY:
            count += 1
            total += added
            least, greatest = min(least, added), max(greatest, added)
    if count >= TRIMMED_FROM:
        return count, _rounded((total - least - greatest) / (count - 2))
    return count, _rounded(total / max(count, 1))


@inner
def _change(m: Record, of_week: int, week: int) -> int:
    """How much more or less a day of the week added than in the week before; NO_DAY where one of both is unknown."""
    after, before = m.added[of_week, week], m.added[of_week, (week + WEEKS - 1) % WEEKS]
    oldest = (m.newest_day // WEEK_DAYS + 1) % WEEKS
    if week == oldest or after == NO_DAY or before == NO_DAY:  # noqa: PLR1714  a kernel
        return NO_DAY
    return abs(after - before)


@inner
def _changes_up_to(m: Record, bound: int) -> int:
    count = 0
    for of_week in range(WEEK_DAYS):
        for week in range(WEEKS):
            count += NO_DAY < _change(m, of_week, week) <= bound
    return count


@inner
def _median_change(m: Record, known: int) -> int:
    """The median, by halving an interval: a kernel that allocates waits."""
    low, high = 0, 2 * int(GREATEST)
    while low < high:
        middle = (low + high) // 2
        if _changes_up_to(m, middle) > known // 2:
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _noise(m: Record) -> tuple[int, float]:
    """What days of the week do not explain, by how much one week differs from the next: degrees of freedom, and variance.

    Differences count up to 3 times their scale, that of their median: holidays and incidents are none of the noise. In the
    first weeks, where two kinds of days explain nearly everything, it is what they leave.
    """
    known = _changes_up_to(m, 2 * int(GREATEST))
    if known < CHANGES_MIN:
        days, whole, _, within = _split(m)
        if days == WEEK_DAYS and within < TWO_KINDS_EARLY * whole:
            return days - 2, OF_OWN_MEAN * within / (days - 2)
        return 0, 0.0
    squares, most = 0.0, CHANGE_MAX * max(OF_MEDIAN * _median_change(m, known) / ONE, LEAST)
    for of_week in range(WEEK_DAYS):
        for week in range(WEEKS):
            change = _change(m, of_week, week)
            squares += 0.0 if change == NO_DAY else min(change / ONE, most) ** 2
    return known, OF_OWN_MEAN * 0.5 * squares / known


@inner
def begin_week_anew(m: Record) -> None:
    """Days begin at another hour: what each adds is to be learned anew, and holds until then."""
    kept_centre = m.added_centre
    start_week(m)
    m.added_centre = kept_centre
    for of_week in range(WEEK_DAYS):
        m.visits[STARTS[BY_WEEKDAY] + of_week] = min(m.visits[STARTS[BY_WEEKDAY] + of_week], 1)


@inner
def move_week(m: Record, by: float) -> None:
    """Have the last days lie so much higher: the level has moved."""
    for each in range(WEEK_DAYS):
        if m.days[each] != NO_DAY:
            m.days[each] = _kept(m.days[each] / ONE + by)
