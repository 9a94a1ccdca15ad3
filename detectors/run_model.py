"""Runs (durations, rows, bytes): what the next one will be, on the logarithm, from the second or sixth run on.

y = log1p x, so a spread is a ratio. The prediction is level + slope + routines (`run_routines`), its noise a mixture of
Student t (`run_tails`), with the uncertainty of a small sample; lasting changes are for `shift` and `new_level`.
Level and slope are those of a damped local linear trend (Holt; Gardner and McKenzie, Management Science 31, 1985) with a
memory of 50 runs or ten days, whichever is more, over a growing sample at first; residuals are clipped to 3 scales, and
learned four times as slowly while a CUSUM is half way to its alarm (by the spread half as fast), so a drift cannot take its own reference along.

Zeros that come again and again, each time after other values, are a kind of run of their own: ordinary as long as no more of
them follow one another than their share explains, and no part of the level. Whole numbers below some forty are judged as
counts (`counts`), as wide as their residuals are.
"""

import math

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import CLIP, DAY_MS, HOURS, Record
from detectors.counts import count_at_least, count_at_most, greatest_count, least_count
from detectors.month_classes import NONE
from detectors.new_level import forget_new_level
from detectors.numeric_layout import BOTH, DOWN, FIRST, UP
from detectors.run_layout import BY_WEEKDAY, CLASSES, ROUTINES, TAILS
from detectors.run_routines import (
    DAILY_S,
    Range,
    explained_by,
    learn_routines,
    routine_range,
    start_routines,
    today,
    weight_of,
)
from detectors.run_tails import REACH_MAX, learn_tails, reach_for, side_of, spread_of, start_tails
from detectors.run_week import DAYS_MIN, week_level
from detectors.shift import (
    excess_down,
    excess_up,
    forget_returned,
    forget_shift,
    note_returned,
    rising_or_falling,
    set_bars,
)
from detectors.wider import set_unrest_bar, spread_rate

MEMORY = 50.0
MEMORY_S = 10 * 86_400.0
MEMORY_MAX = 3000.0
SPREAD_MEMORY, SPREAD_MEMORY_MAX = 100.0, 600.0
HASTE = 1.5
WORTH = HASTE * (2.0 - HASTE)
"""How many times its share the spread learns of each run while runs are few, and how many runs it is worth then: so the prior, which is several
times too wide for most series, fades with the square of the runs, at the price of a quarter of them."""
SPREAD_ANEW = 6.0
"""Runs that the spread counts for once a routine is believed, which had been noise until then."""
UNEXPLAINED_LEAST = 0.25
"""Share of that spread's variance which the routine leaves at least."""
FREEDOM_MIN = 3
"""Degrees of freedom from which on days of the week tell the spread of daily runs."""
TODAY_RUNS = 12
WEEK_FREEDOM_MIN = 6
WEEK_ROOM, WEEK_DOUBT = 1.7, 6.0
"""Degrees of freedom from which on weeks bound the spread, and how many times their variance it is at most: so many, and so many over the degrees of freedom."""
SURELY = 0.9
"""Weight of a routine that is believed."""
PRIOR_RUNS, PRIOR_VARIANCE = 4.0, 0.04
SLOPE_FROM = 15
WAITING, SPREAD_WAITING = 0.25, 0.5
"""Shares of what level and spread learn as a rule that they learn while a CUSUM is half way to its alarm."""
POINT_SHARE = 0.25
"""Share of what it learns as a rule that the spread learns of a run that alarms."""
LASTING_RUNS = 4
"""Runs on a new level after which noise is what lies around it."""
ROUTINE_DAYS = 2
"""What has lasted longer is no matter of weekdays; a weekend is."""
LASTING_SIZE_MAX = 2.0
"""Deviations that one run of a lasting change counts for at most, as evidence of it."""
REACH_SHARE, REACH_RUNS_MAX = 8, 64
"""How far a run may lie out is worked out anew with an eighth more runs, or so many."""
SAME_POINTS = 0.05
"""A share of single runs that differs by so much of itself is the same."""
REACH_YOUNG, YOUNG_RUNS = 10.0, 150
"""Scales beyond which one of so many first runs alarms, however small the budget for each run: few runs cannot rule out a tail
that would allow them anything. Noise of Student's t with 3 degrees of freedom goes so far in one of ten series, once."""
POINTS, SHIFTS = 0.48, 0.62
"""Shares of the budget for single runs and for all CUSUMs of the two sides, of which a third is realised: u is clipped."""
REALISED, POINTS_MAX = 0.48, 0.06
"""The share of its ceiling that a settled series has at least, but so many single runs at most; a quarter to a half comes true."""
UNSETTLED_RUNS, SETTLED_RUNS = 16.0, 22.0
"""Up to so many runs a series is young; from so many on the tail that is learned is the noise's own, no longer wider."""
DAILY_POINTS = 0.45
"""Of daily and rarer runs single ones get this share, once settled: they are too few to learn how log-normal noise leans."""
ZERO_SPELLS = 1.5
"""Spells of zeros after which the next one is a routine."""
ZERO_SPELLS_MAX = 5.0
ZEROS_YOUNG = 60
"""A series with fewer runs begins anew when zeros turn out to be a routine."""
ZERO_MEMORY = 100.0
ZERO_RUN_MAX = 3
COUNTS_BELOW = math.log1p(40.0)
ALPHA_DAILY, ALPHA_MAX = 0.008, 0.02
FRACTION_KEPT = 0.995
BACK_BAR, BACK_STEP, BACK_S = 3.0, 2.5, 30 * 86_400.0
"""A change is over at this log likelihood ratio and the log of the runs in 30 days; the most that one run says."""
LASTING_EFFECT = 0.5
"""A lasting change counts from this part of the least effect on."""

Prediction = tuple[float, float, float, float, bool]
"""Likeliest, least and greatest ordinary centre, the scale of the noise around it, and whether the hour or day is new."""


@inner
def memory_of(interval_s: float) -> float:
    """Runs that the level remembers."""
    return min(max(MEMORY, MEMORY_S / max(interval_s, 1.0)), MEMORY_MAX)


@inner
def ceiling_of(false_alarms_per_day: float, interval_s: float) -> float:
    """Budgeted alarms over the expected runs of the same time."""
    return false_alarms_per_day * max(interval_s, 1.0) / 86_400.0


@inner
def alpha_of(false_alarms_per_day: float, interval_s: float) -> float:
    """The ceiling, but not above 0.008 for daily runs, of which a third to a half come true: few runs do not tell their noise well enough for more, and lasting changes need none."""
    days = max(interval_s, 1.0) / 86_400.0
    ceiling = ceiling_of(false_alarms_per_day, interval_s)
    return min(ceiling, ALPHA_DAILY * math.sqrt(max(days, 1.0)), ALPHA_MAX)


@inner
def points_of(m: Record, false_alarms_per_day: float, interval_s: float) -> float:
    """How likely an ordinary run may alarm by itself.

    While a series is young that is a part of `alpha_of`. Where this is far below the ceiling, a settled series spends `REALISED` of the
    ceiling instead, beside what its CUSUMs do: a daily series with one alarm in 30 days allowed has one in some seventy runs.
    """
    ceiling, alpha = ceiling_of(false_alarms_per_day, interval_s), alpha_of(false_alarms_per_day, interval_s)
    young, least = POINTS * alpha, (DAILY_POINTS if interval_s > DAILY_S else POINTS) * alpha
    settled = min(max(least, REALISED * (ceiling - SHIFTS * alpha)), POINTS_MAX)
    known = (min(float(m.n), m.spread_runs) - UNSETTLED_RUNS) / (SETTLED_RUNS - UNSETTLED_RUNS)
    return young + min(max(known, 0.0), 1.0) * (settled - young)


@inner
def alarms_of(m: Record, false_alarms_per_day: float, interval_s: float) -> float:
    """How likely an ordinary run opens an alarm at most, by itself or as part of a lasting change."""
    lasting = SHIFTS * alpha_of(false_alarms_per_day, interval_s)
    points = points_of(m, false_alarms_per_day, interval_s)
    return min(ceiling_of(false_alarms_per_day, interval_s), points + lasting)


@inner
def known_of(m: Record) -> float:
    """Degrees of freedom of the scale."""
    return min(m.spread_runs - 1.0, 200.0)


@inner
def predicted(m: Record, routines: Range) -> Prediction:
    """The next run, once one is known, with what routines add to it."""
    centre, unit = m.level + m.slope, spread_of(m, 0)
    likely, least, greatest, variance, new = routines
    scale = math.sqrt(unit * unit * (1.0 + 1.0 / min(m.n, MEMORY)) + variance + new)
    return centre + likely, centre + least, centre + greatest, scale, new > 0.0


@inner
def _reach_of(m: Record, points: float, direction: int) -> float:
    most = REACH_YOUNG if m.n < YOUNG_RUNS else REACH_MAX
    return reach_for(m, points / (2.0 if direction == BOTH else 1.0), known_of(m), most)


@inner
def _is_same(m: Record, points: float) -> bool:
    return bool(abs(points - m.reach_points) <= SAME_POINTS * points)


@inner
def reach_at(m: Record, false_alarms_per_day: float, interval_s: float, direction: int) -> float:
    """How far a run may lie out with this budget, which is the usual one as a rule."""
    points = points_of(m, false_alarms_per_day, interval_s)
    return m.reach if _is_same(m, points) else _reach_of(m, points, direction)


@inner
def refresh_reach(m: Record, false_alarms_per_day: float, interval_s: float, direction: int) -> None:
    """Work out anew how far a run may lie out, if the budget or what is known has changed; it costs well under 1 us."""
    points = points_of(m, false_alarms_per_day, interval_s)
    if m.n < m.reach_n and _is_same(m, points):
        return
    alpha, sides = alpha_of(false_alarms_per_day, interval_s), 2.0 if direction == BOTH else 1.0
    m.reach = _reach_of(m, points, direction)
    set_bars(m, 2.0 * sides / (SHIFTS * alpha))
    set_unrest_bar(m, alpha)
    m.reach_points, m.reach_n = points, m.n + max(1, min(int(m.spread_runs) // REACH_SHARE, REACH_RUNS_MAX))


@inner
def standardised(m: Record, y: float, least: float, greatest: float, scale: float) -> float:
    """How far beyond the ordinary centres, in scales of its side."""
    if y > greatest:
        return (y - greatest) / (scale * side_of(m, 1.0))
    return (y - least) / (scale * side_of(m, -1.0)) if y < least else 0.0


@inner
def restart(m: Record) -> None:
    """Forget level, noise and routines, and learn them from the next runs."""
    m.n, m.slope, m.reach_n = 0, 0.0, 0
    for place in range(CLASSES):
        m.visits[place], m.offset[place] = 0, 0.0
    for hour in range(HOURS):
        m.hour_total[hour], m.hour_count[hour] = 0.0, 0
    for kind in range(ROUTINES):
        m.visit[kind].key, m.visit[kind].count, m.visit[kind].total, m.visit[kind].gain = 0, 0, 0.0, 0.0
    forget_shift(m)
    forget_new_level(m)


@inner
def start(m: Record, y: float, prior_runs: float, prior_variance: float) -> None:
    """Learn one of the first runs, which are kept as they are."""
    if m.n == 0:
        start_routines(m)
    m.first[m.n] = y
    m.n += 1
    m.level = _median_of_first(m)
    squares = prior_runs * prior_variance
    for known in m.first[: m.n]:
        squares += min((known - m.level) ** 2, 9.0 * prior_variance)
    m.spread_runs = prior_runs + m.n
    start_tails(m, squares / known_of(m), prior_runs * prior_variance / known_of(m))


@inner
def _median_of_first(m: Record) -> float:
    """The median of the first runs, found by rank: so few need no sorting, and a kernel that allocates waits."""
    low = high = math.nan
    for i in range(m.n):
        rank = 0
        for j in range(m.n):
            rank += m.first[j] < m.first[i] or (m.first[j] == m.first[i] and j < i)
        low = m.first[i] if rank == (m.n - 1) // 2 else low
        high = m.first[i] if rank == m.n // 2 else high
    return float(0.5 * (low + high))


@inner
def learn(  # noqa: PLR0913  a kernel takes no objects
    m: Record,
    time_ms: int,
    local_ms: int,
    y: float,
    interval_s: float,
    prior_runs: float,
    prior_variance: float,
    routines: Range,
) -> None:
    """Learn a run, clipped; `routines` is what they were to add, as far as one of the first runs does not begin anew."""
    if m.n < FIRST:
        start(m, y, prior_runs, prior_variance)
        likely, _, _, _, _ = routine_range(m, local_ms, spread_of(m, 0), interval_s)
        learn_routines(m, local_ms, m.level, y - m.level, likely, spread_of(m, 0), interval_s)
        return
    spread = spread_of(m, 0)
    likely, least, greatest, _, _ = routines
    lasting = m.new_mean if m.new_runs >= LASTING_RUNS else 0.0
    residual = y - m.level - m.slope
    ordinary = clip(residual - likely, CLIP * spread)
    memory = memory_of(interval_s)
    rate = max(1.0 / (m.n + 1.0), 1.0 / memory)
    waiting = 0.0 if m.shifted != 0 else WAITING if rising_or_falling(m) else 1.0
    m.level += m.slope + waiting * rate * ordinary
    if m.n >= SLOPE_FROM and memory == MEMORY:
        m.slope += waiting * rate * (0.75 * rate * ordinary - 0.25 * m.slope)
    lasted = lasting if time_ms - m.new_since_ms > ROUTINE_DAYS * DAY_MS else 0.0
    found = learn_routines(m, local_ms, y - residual, residual - lasted, likely, spread, interval_s)
    noise = _noise(residual - lasting, likely, least, greatest)
    if m.visit[BY_WEEKDAY].count >= TODAY_RUNS:
        within = _noise(residual - today(m), likely, least, greatest)
        noise = within if abs(within) < abs(noise) else noise
    slowed = min(spread_rate(m), SPREAD_WAITING if waiting == WAITING else 1.0)
    slowest = 1.0 / min(max(SPREAD_MEMORY, memory), SPREAD_MEMORY_MAX)
    if abs(noise) >= m.reach * spread * side_of(m, noise):
        slowed *= POINT_SHARE
    learn_tails(m, noise, slowed * max(HASTE / m.spread_runs, slowest))
    m.spread_runs += WORTH
    if interval_s > DAILY_S:
        _bound_spread(m)
    forget_returned(m, interval_s)
    m.n += 1
    if found != NONE:
        _begin_spread_anew(m, found, interval_s)


@inner
def _bound_spread(m: Record) -> None:
    """Daily runs vary not much more than one week differs from the next: what widens the spread beyond are holidays, incidents and weekends that were not known."""
    if m.week_freedom < WEEK_FREEDOM_MIN:
        return
    if weight_of(m, BY_WEEKDAY) < SURELY and explained_by(m, BY_WEEKDAY) > m.week_noise:
        return
    bound = (WEEK_ROOM + WEEK_DOUBT / m.week_freedom) * m.week_noise
    if m.variance[0] > bound:
        share = bound / m.variance[0]
        for k in range(TAILS):
            m.variance[k] *= share


@inner
def _begin_spread_anew(m: Record, kind: int, interval_s: float) -> None:
    """Noise is what the routine that is now believed leaves. CUSUMs keep what they hold: in deviations of the wider spread before it is less than it would be now."""
    left, runs = max(m.variance[0] - explained_by(m, kind), UNEXPLAINED_LEAST * m.variance[0]), SPREAD_ANEW
    if kind == BY_WEEKDAY:
        known, level = week_level(m)
        if known >= DAYS_MIN:
            m.level, m.slope = level + m.added_centre, 0.0
        freedom = float(m.week_freedom)
        if interval_s > DAILY_S and freedom >= FREEDOM_MIN:
            left, runs = (left + freedom * m.week_noise) / (1.0 + freedom), 2.0 + 0.5 * freedom
    start_tails(m, left, left)
    m.spread_runs, m.unrest, m.reach_n = min(m.spread_runs, runs), 0.0, 0


@inner
def _noise(residual: float, likely: float, least: float, greatest: float) -> float:
    """What no routine explains."""
    beyond = residual - greatest if residual > greatest else residual - least if residual < least else 0.0
    return residual - likely if beyond == 0.0 or abs(residual - likely) < abs(beyond) else beyond


@inner
def note_fraction(m: Record, x: float) -> None:
    """Remember for some hundred runs that a value was no whole number."""
    m.fraction = 1.0 if x != math.floor(x) else m.fraction * FRACTION_KEPT


@inner
def note_zero(m: Record, zero: bool) -> None:
    """Count zeros, and the spells they come in."""
    counted = zero and m.zero_run < ZERO_RUN_MAX
    if counted or not zero:
        m.zero_share += ((1.0 if zero else 0.0) - m.zero_share) / min(m.n + 2.0, ZERO_MEMORY)
    if zero and m.zero_run == 0 and m.n > 0:
        m.zero_spells = min(m.zero_spells + 1.0, ZERO_SPELLS_MAX)
    elif not zero:
        m.zero_spells = max(0.0, m.zero_spells - 1.0 / ZERO_MEMORY)
    m.zero_run = m.zero_run + 1 if zero else 0


@inner
def zeros_are_usual(m: Record, alpha: float) -> bool:
    """Whether one zero more is ordinary."""
    return m.zero_spells >= ZERO_SPELLS and max(m.zero_share, 0.02) ** (m.zero_run + 1) > alpha


@inner
def shift_state(
    m: Record, u: float, direction: int, spread: float, min_effect: float, interval_s: float
) -> float:
    """Open or close the lasting change; how far it is beyond its threshold, negative when there is none."""
    up = excess_up(m) if direction != DOWN else -1.0
    down = excess_down(m) if direction != UP else -1.0
    if m.shifted != 0:
        size = min(max(abs(m.new_mean) / spread, 1.0), 6.0)
        m.back = max(0.0, m.back + clip(size * (0.5 * size - m.shifted * u), BACK_STEP))
        if m.back > BACK_BAR + math.log1p(BACK_S / interval_s):
            m.shifted = 0
            note_returned(m)
            forget_shift(m)
            forget_new_level(m)
            return -1.0
        return max(up, down, 0.0)
    least = math.log1p(LASTING_EFFECT * min_effect)
    if (up >= 0.0 and m.recent * spread >= least) or (down >= 0.0 and m.recent * spread <= -least):
        m.shifted, m.back = (1 if up >= down else -1), 0.0
        return max(up, down)
    return -1.0


@inner
def lasting_share(m: Record, alpha: float, spread: float) -> float:
    """How likely ordinary runs look so much like a lasting change: at most the CUSUMs' share of `alpha`, and less the longer it lasts.

    By the likelihood ratio of the new level over its n runs, exp(n d^2 / 2) with d deviations, over sqrt(1 + n) for d being
    estimated: it exceeds 1 / p with probability p at most (Robbins, Ann. Math. Stat. 41, 1970, "normal mixture").
    """
    size, runs = min(abs(m.new_mean) / spread, LASTING_SIZE_MAX), float(m.new_runs)
    return min(SHIFTS * alpha, math.sqrt(1.0 + runs) * math.exp(-0.5 * runs * size * size))


@inner
def is_count(m: Record, likely: float) -> bool:
    """Whether the next run is a small whole number."""
    return m.fraction < 0.5 and likely < COUNTS_BELOW


@inner
def count_shape(m: Record, likely: float) -> tuple[float, float]:
    """Mean and overdispersion of a count whose logarithm has this centre and the noise's spread."""
    variance = min(m.variance[0], 1.0)
    mean = math.expm1(likely + 0.5 * variance) + 0.1
    over = variance * (1.0 + mean) ** 2 / mean - 1.0
    return mean, max(over, 0.0) / mean


@inner
def count_share(m: Record, x: float, likely: float, below: bool) -> float:
    """P(as few or fewer), or as many or more."""
    mean, over = count_shape(m, likely)
    return count_at_most(x, mean, over) if below else count_at_least(x, mean, over)


@inner
def count_edges(m: Record, least: float, greatest: float, tail: float) -> tuple[float, float]:
    """The least and the greatest count that is not rarer than `tail`."""
    low_mean, low_over = count_shape(m, least)
    high_mean, high_over = count_shape(m, greatest)
    return least_count(tail, low_mean, low_over), greatest_count(tail, high_mean, high_over)
