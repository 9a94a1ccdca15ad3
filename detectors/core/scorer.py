"""The parts put together: judge a sample, then learn it.

Until two weeks of peaks are known, nothing can say how heavy a tail is as far out as a budget reaches. But noise comes
alone: independent samples are high together as seldom as the product of their chances, whatever their tail, while what
happens to a pipeline lasts. So a young series alarms at a score that reaches the threshold if two of the four samples before it
(by the hour, the one before it) came near the threshold too, or else only at what the peaks so far or t(3) noise make rare.
"""

import math

from detectors.compiled import inner
from detectors.core.band import band, tightened
from detectors.core.fall import fall_edge, follow_fall, known_centres
from detectors.core.filters import (
    Centres,
    filter_scale,
    learn_filter,
    learn_visit,
    profile,
    surprise,
)
from detectors.core.layout import (
    FAST,
    HOUR_MS,
    HOURS,
    LOOSE_SCORE,
    MAGNITUDE_GROWTH_MAX,
    MAGNITUDE_RATE,
    NOVELTY_BONUS,
    NOVELTY_BONUS_HEAVY,
    NOVELTY_FULL,
    ROUTINE_SCORE,
    SLOW,
    WARM_UP,
    WEEK_HOURS,
    Record,
)
from detectors.core.novelty import learn_novelty, novelty, start_novelty
from detectors.core.routine import (
    heaviness,
    hour_routines,
    learn_routine,
    roll_routine,
    routine_of_side,
    start_routine,
)
from detectors.core.tail import count_loose, rare_surprise, tail_known, within_budget

_NEAR_THRESHOLD = 2.2
_UPHOLDING, _UPHOLDING_MIN, _UPHOLDING_S = 4, 2, 3600.0
"""Of so many samples before, within so many seconds, as many uphold a score that are within `_NEAR_THRESHOLD`."""
_EPOCH_WEEK_HOUR = 96
"""1970-01-01 was a Thursday: hour 96 of a week that starts on Sunday."""


@inner
def hours_of(time_ms: int) -> tuple[int, int]:
    """Hour of day and hour of week on the series' clock."""
    hour = time_ms // HOUR_MS
    return hour % HOURS, (hour + _EPOCH_WEEK_HOUR) % WEEK_HOURS


@inner
def centres_at(s: Record, time_ms: int, interval_s: float) -> Centres:
    """Centre and scale of the fast and of the slow filter at `time_ms`, before its sample is learned."""
    hour, week_hour = hours_of(time_ms)
    _, _, fast = profile(s, FAST, hour, week_hour, interval_s)
    _, _, slow = profile(s, SLOW, hour, week_hour, interval_s)
    return (
        s.level[FAST] + fast,
        filter_scale(s, FAST),
        s.level[SLOW] + slow,
        filter_scale(s, SLOW),
    )


@inner
def slow_centre(s: Record, time_ms: int, interval_s: float) -> tuple[float, float]:
    """Centre and scale of the slow filter at `time_ms`."""
    centres = centres_at(s, time_ms, interval_s)
    return centres[2], centres[3]


@inner
def surprise_bound(s: Record, hourly: float, threshold: float, bonus: float) -> float:
    """The surprise at which the score reaches `threshold`, given a novelty bonus and the routine of the hour."""
    return float(max(s.routine, hourly)) + (threshold - bonus - ROUTINE_SCORE) * heaviness(s)


@inner
def novelty_bonus_max(s: Record) -> float:
    """What full novelty adds to the score: 1.2, on heavy-tailed series up to 2.1."""
    return float(NOVELTY_BONUS + NOVELTY_BONUS_HEAVY * min(heaviness(s) - 1.0, 1.0))


@inner
def novelty_bonus(s: Record, x: float) -> float:
    """What the novelty of `x` adds to the score."""
    return novelty_bonus_max(s) * min(novelty(s, x) / NOVELTY_FULL, 1.0)


@inner
def is_upheld(s: Record, interval_s: float) -> bool:
    """Whether enough of the samples before this one came near the threshold."""
    samples = min(max(int(_UPHOLDING_S / interval_s + 0.5), 1), _UPHOLDING)
    raised = 0
    for back in range(samples):
        raised += (int(s.raised) >> back) & 1
    return bool(raised >= min(samples, _UPHOLDING_MIN))


@inner
def _note_raised(s: Record, score: float, threshold: float) -> None:
    s.raised = (int(s.raised) << 1 | int(score >= threshold - _NEAR_THRESHOLD)) & (1 << _UPHOLDING) - 1


@inner
def alarm_bound(
    s: Record, hourly: float, threshold: float, allowed: float, interval_s: float, bonus: float
) -> float:
    """The surprise from which on a value alarms that novelty gives a bonus: its score and its rarity both have to do.

    `allowed` are false alarms a day; 0 leaves rarity out, as does a young series whose last samples uphold the score.
    """
    bound = surprise_bound(s, hourly, threshold, bonus)
    if allowed > 0.0 and (tail_known(s) or not is_upheld(s, interval_s)):
        bound = max(bound, rare_surprise(s, allowed, interval_s, bonus * heaviness(s)))
    return bound


@inner
def _threshold_of(s: Record, threshold: float, allowed: float, age_ms: int) -> float:
    """A series whose tail is known may alarm at a lower score while that keeps within its budget."""
    if allowed > 0.0 and tail_known(s) and within_budget(s, allowed, age_ms):
        return min(threshold, LOOSE_SCORE)
    return threshold


@inner
def _take_into_fall(
    s: Record, x: float, time_ms: int, centres: Centres, allowed: float, interval_s: float
) -> float:
    """The value below which `x` alarms as one too many of a fall, in which it then counts."""
    if allowed <= 0.0:
        return -math.inf
    known = known_centres(s, centres, time_ms, interval_s)
    hourly = routine_of_side(s.hour_routine, s.week_routine, True)
    edge = fall_edge(s, known, hourly, allowed, interval_s)
    follow_fall(s, x, known, hourly, allowed, interval_s)
    return edge


@inner
def judge_core(  # noqa: PLR0913  a kernel takes no objects
    s: Record,
    time_ms: int,
    x: float,
    interval_s: float,
    threshold: float,
    allowed: float,
    age_ms: int,
    asked: bool,
    season: int,
) -> tuple[float, bool, float, float, float, float]:
    """Score of `x`, whether it alarms, expected, lower, upper and surprise.

    The clock of the routine, the count of alarms and the fall (`fall`) move on. It alarms with a score at or above `threshold` that is rare
    enough for the `allowed` false alarms a day (see `alarm_bound`), or as one too many of a fall, which makes its score at least `threshold`, and lies
    outside [lower, upper] then; needs WARM_UP samples. The limits of one that does not are worked out only if they are `asked` for, else they are NaN.
    """
    roll_routine(s, time_ms, season)
    centres = centres_at(s, time_ms, interval_s)
    surprised = surprise(x, centres)
    bonus = novelty_bonus(s, x)
    hourly = routine_of_side(s.hour_routine, s.week_routine, x < centres[2])
    score = ROUTINE_SCORE + (surprised - max(s.routine, hourly)) / heaviness(s) + bonus
    low = min(threshold, LOOSE_SCORE) if allowed > 0.0 else threshold
    edge = _take_into_fall(s, x, time_ms, centres, allowed, interval_s)
    if score < low and not asked and x >= edge:
        _note_raised(s, score, threshold)
        return max(score, 0.0), False, math.nan, math.nan, math.nan, surprised
    least = _threshold_of(s, threshold, allowed, age_ms)
    bound = alarm_bound(s, hourly, least, allowed, interval_s, bonus)
    alarms = surprised >= bound and score >= least
    if allowed > 0.0 and score >= low and tail_known(s):
        count_loose(s, time_ms, surprised >= rare_surprise(s, allowed, interval_s, bonus * heaviness(s)))
    _note_raised(s, score, threshold)
    expected, lower, upper = band(centres, bound)
    if alarms:
        expected, lower, upper = tightened(x, (expected, lower, upper), centres, bound)
    elif x < edge:
        score, alarms = max(score, threshold), True
        expected = known_centres(s, centres, time_ms, interval_s)[2]
        upper = max(upper, expected)
    return max(score, 0.0), alarms, expected, max(lower, min(edge, expected)), upper, surprised


@inner
def core_limits(
    s: Record,
    time_ms: int,
    interval_s: float,
    threshold: float,
    allowed: float,
    age_ms: int,
    season: int,
) -> tuple[float, float, float]:
    """Expected, lower and upper at `time_ms`, for values within and beyond the range seen so far. Changes nothing.

    A value that has been seen is judged without a novelty bonus, one well beyond the range with the full one.
    """
    centres = centres_at(s, time_ms, interval_s)
    same_hour = time_ms // HOUR_MS == s.slot_hour
    hourly, weekly = (s.hour_routine, s.week_routine) if same_hour else hour_routines(s, time_ms, season)
    threshold = _threshold_of(s, threshold, allowed, age_ms)
    beyond = NOVELTY_FULL * (s.greatest - s.least)
    expected, lower, upper = centres[2], 0.0, 0.0
    for down in (True, False):
        side = routine_of_side(hourly, weekly, down)
        bound = alarm_bound(s, side, threshold, allowed, interval_s, 0.0)
        bound_beyond = alarm_bound(s, side, threshold, allowed, interval_s, novelty_bonus_max(s))
        near, far = band(centres, bound), band(centres, bound_beyond)
        if down:
            lower = max(near[1], min(far[1], s.least - beyond))
        else:
            expected, upper = near[0], min(near[2], max(far[2], s.greatest + beyond))
    if allowed > 0.0:
        known, side = known_centres(s, centres, time_ms, interval_s), routine_of_side(hourly, weekly, True)
        lower = max(lower, min(fall_edge(s, known, side, allowed, interval_s), expected))
    return expected, lower, upper


@inner
def learn_core(s: Record, time_ms: int, x: float, interval_s: float, surprised: float, season: int) -> None:
    """Learn a sample that has been judged (with `surprised` 0 while warming up)."""
    if s.n == 0:
        s.level[FAST] = s.level[SLOW] = x
        s.magnitude = abs(x)
        start_routine(s, time_ms)
        start_novelty(s, x)
    if s.n < WARM_UP:
        roll_routine(s, time_ms, season)
    hour, week_hour = hours_of(time_ms)
    usual = s.magnitude + filter_scale(s, SLOW)
    residual = 0.0
    for k in (FAST, SLOW):
        residual = learn_filter(s, k, x, hour, week_hour, interval_s, filter_scale(s, k))
    learn_visit(s, hour, week_hour, interval_s, season)
    learn_novelty(s, x)
    learn_routine(s, surprised, residual < 0.0)
    magnitude = abs(x) if s.n < WARM_UP else min(abs(x), MAGNITUDE_GROWTH_MAX * usual)
    s.magnitude += max(MAGNITUDE_RATE, 1.0 / (s.n + 1)) * (magnitude - s.magnitude)
    s.n += 1
