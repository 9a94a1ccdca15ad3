"""The head for runs: judges one run by its model (`run_model`), opens and ends lasting changes, then learns it."""

import math

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.new_level import ACCEPTED as LEVEL_ACCEPTED
from detectors.new_level import NOTHING, follow_new_level, forget_new_level
from detectors.new_level import PROPOSED as LEVEL_PROPOSED
from detectors.new_unit import has_new_unit
from detectors.numeric_layout import (
    ACCEPTED,
    BOTH,
    DOWN,
    DRIFT,
    FIRST,
    NEW_UNIT,
    ORDINARY,
    POINT,
    PROPOSED,
    SHIFT,
    STUCK,
    UP,
    WIDER,
)
from detectors.pools import is_known, join, leave, prior_of, whole_log
from detectors.run_model import (
    PRIOR_RUNS,
    PRIOR_VARIANCE,
    ZERO_SPELLS,
    ZEROS_YOUNG,
    alpha_of,
    count_edges,
    count_share,
    is_count,
    known_of,
    lasting_share,
    learn,
    note_fraction,
    note_zero,
    points_of,
    predicted,
    reach_at,
    refresh_reach,
    restart,
    shift_state,
    standardised,
    zeros_are_usual,
)
from detectors.run_routines import Range, routine_range
from detectors.run_tails import side_of, spread_of, tail_share, wider_side_of
from detectors.run_week import move_week
from detectors.shift import follow_shift, forget_shift, rising_or_falling
from detectors.stuck import RUNS_EQUAL, RUNS_KNOWN, is_stuck, note_repeat, stuck_share
from detectors.wider import SHARE as WIDER_SHARE
from detectors.wider import follow_unrest, has_widened

_FAR_OUT = 2.0
"""On the log scale: no other unit is nearer."""
FIRST_POOLED = 2
"""Runs before the first judgement when like series are known; else FIRST."""
TELLS_POOL_EVERY = 12
DRIFT_RUNS = 12
DRIFT_SIZE = 2.0
"""A change that took so many runs to find and is smaller than so many deviations is a drift."""
LASTING_SCORE = 0.1
SPREAD_RUNS_AFTER = 12.0
"""Runs that the spread counts for at most around a level that has just been accepted, which few runs tell."""

RunVerdict = tuple[float, float, float, float, float, bool, int]
"""Score, expected, lower, upper, p_value, anomalous, change."""


@inner
def to_log_scale(x: float) -> float:
    """sign(x) log1p(|x|)."""
    return math.copysign(math.log1p(abs(x)), x)


@inner
def from_log_scale(y: float) -> float:
    """Inverse of `to_log_scale`."""
    return math.copysign(math.expm1(min(abs(y), 600.0)), y)


@inner
def _unknown(m: Record) -> RunVerdict:
    expected = from_log_scale(m.level) if m.n > 0 else math.nan
    return 0.0, expected, math.nan, math.nan, math.nan, False, ORDINARY


@inner
def is_judged(m: Record, pool: Record) -> bool:
    """Whether enough is known to judge a run."""
    return m.n >= FIRST or (m.n >= FIRST_POOLED and is_known(pool))


@inner
def _points_a_side(s: Record, m: Record) -> float:
    return points_of(m, s.false_alarms_per_day, s.interval_s) / (2.0 if s.direction == BOTH else 1.0)


@inner
def run_limits(s: Record, m: Record, local: int) -> tuple[float, float, float]:
    """Expected, lower and upper of the next run; the reach is as of the last run, unless the budget is another."""
    routines = routine_range(m, local, spread_of(m, 0), s.interval_s)
    likely, least, greatest, scale, _ = predicted(m, routines)
    expected = from_log_scale(likely)
    if is_count(m, likely):
        lower, upper = count_edges(m, least, greatest, _points_a_side(s, m))
        return expected, lower, upper
    reach = reach_at(m, s.false_alarms_per_day, s.interval_s, s.direction)
    lower, upper = least - reach * scale * side_of(m, -1.0), greatest + reach * scale * side_of(m, 1.0)
    return expected, from_log_scale(lower), from_log_scale(upper)


@inner
def _counts(direction: int, t: float) -> bool:
    return not ((direction == UP and t < 0.0) or (direction == DOWN and t > 0.0))


@inner
def _p_value(s: Record, m: Record, x: float, t: float, least: float, greatest: float) -> float:
    sides = 2.0 if s.direction == BOTH else 1.0
    if is_count(m, 0.5 * (least + greatest)):
        share = count_share(m, x, least if t < 0.0 else greatest, t < 0.0)
    else:
        unit = spread_of(m, 0)
        share = tail_share(m, abs(t) * unit, 0.0, known_of(m))
    if s.direction != BOTH and not _counts(s.direction, t):
        share = 1.0 - share
    return min(1.0, sides * share)


@inner
def judge_run(  # noqa: PLR0913  a kernel takes no objects
    s: Record, m: Record, time_ms: int, local: int, x: float, y: float, routines: Range, asked: bool
) -> RunVerdict:
    """Judge a run that is not learned yet, `y` on the log scale; lasting changes take it in.

    `routines` is what routines add to it. Numbers of an ordinary run are only worked out if they are `asked` for.
    """
    alpha = alpha_of(s.false_alarms_per_day, s.interval_s)
    if x == 0.0 and zeros_are_usual(m, alpha):
        _, expected, _, _, _, _, _ = _unknown(m)
        return 0.0, expected, math.nan, math.nan, math.nan, False, ORDINARY
    refresh_reach(m, s.false_alarms_per_day, s.interval_s, s.direction)
    likely, least, greatest, scale, new = predicted(m, routines)
    spread = spread_of(m, 0)
    t = standardised(m, y, least, greatest, scale)
    excess = -1.0
    if m.n >= FIRST and not new:
        u = t * side_of(m, t) / wider_side_of(m)
        follow_shift(m, u, known_of(m))
        follow_unrest(m, t, y - likely, known_of(m))
        excess = shift_state(m, u, s.direction, spread, s.min_effect, s.interval_s)
    point = abs(t) >= m.reach and _counts(s.direction, t) and _is_point(s, m, x, t, likely, least, greatest)
    far = m.n >= FIRST and abs(y - likely) > _FAR_OUT
    new_unit = far and has_new_unit(x, s.latest, from_log_scale(likely), spread)
    point = point or new_unit
    stage = NOTHING
    if m.n >= FIRST:
        stage = follow_new_level(m, time_ms, y - likely, spread, s.interval_s, point or m.shifted != 0)
    quiet = _quiet_change(s, m, x, t, alpha, new_unit)
    if not (asked or point or m.shifted != 0 or stage != NOTHING or quiet != ORDINARY):
        return 0.0, math.nan, math.nan, math.nan, math.nan, False, ORDINARY
    return _said(s, m, local, x, t, least, greatest, point, excess, stage, quiet)


@inner
def _is_point(s: Record, m: Record, x: float, t: float, likely: float, least: float, greatest: float) -> bool:
    """Whether a run so far out is far enough from what was expected, and rare as a count if it is one."""
    expected = from_log_scale(likely)
    if abs(x - expected) <= s.min_effect * abs(expected):
        return False
    if not is_count(m, likely):
        return True
    return count_share(m, x, least if t < 0.0 else greatest, t < 0.0) < _points_a_side(s, m)


@inner
def _quiet_change(s: Record, m: Record, x: float, t: float, alpha: float, new_unit: bool) -> int:
    """What is to be said of a run that may lie where it should; a new unit only once."""
    if new_unit:
        told = (s.crossed & 3) == 3 if _counts(s.direction, t) else (s.crossed & 1) == 1
        return POINT if told else NEW_UNIT
    if m.n >= RUNS_KNOWN and is_stuck(m, m.n, x == s.latest, RUNS_EQUAL, alpha):
        return STUCK
    return WIDER if has_widened(m, s.min_effect) and not rising_or_falling(m) else ORDINARY


@inner
def _said(  # noqa: PLR0913  a kernel takes no objects
    s: Record,
    m: Record,
    local: int,
    x: float,
    t: float,
    least: float,
    greatest: float,
    point: bool,
    excess: float,
    stage: int,
    quiet: int,
) -> RunVerdict:
    change = _change(m, t, point, stage, quiet)
    anomalous = change != ORDINARY and abs(change) != ACCEPTED
    score = max(0.0, s.threshold + math.log2(max(abs(t), 1e-9) / m.reach)) if _counts(s.direction, t) else 0.0
    if anomalous:
        score = max(
            score if point else 0.0, s.threshold + (LASTING_SCORE * max(excess, 0.0) if m.shifted else 0.0)
        )
    else:
        score = min(score, math.nextafter(s.threshold, 0.0)) if stage == NOTHING else 0.0
    expected, lower, upper = run_limits(s, m, local)
    p_value = _p_value(s, m, x, t, least, greatest)
    if point:
        p_value = min(p_value, points_of(m, s.false_alarms_per_day, s.interval_s))
    if anomalous and m.shifted != 0:
        p_value = min(
            p_value, lasting_share(m, alpha_of(s.false_alarms_per_day, s.interval_s), spread_of(m, 0))
        )
    if quiet == STUCK:
        p_value = min(p_value, stuck_share(m, m.n))
    elif quiet == WIDER:
        p_value = min(p_value, WIDER_SHARE * alpha_of(s.false_alarms_per_day, s.interval_s))
    if stage == LEVEL_ACCEPTED:
        accept(m)
    return score, expected, lower, upper, p_value, anomalous, change


@inner
def _change(m: Record, t: float, point: bool, stage: int, quiet: int) -> int:
    if stage == LEVEL_ACCEPTED:
        return ACCEPTED if m.new_mean > 0.0 else -ACCEPTED
    if not point and m.shifted == 0:
        return quiet
    if stage == LEVEL_PROPOSED:
        return PROPOSED if m.new_mean > 0.0 else -PROPOSED
    if point:
        form = NEW_UNIT if quiet == NEW_UNIT else POINT
        return form if t > 0.0 else -form
    runs = m.rising_runs if m.shifted > 0 else m.falling_runs
    form = DRIFT if runs >= DRIFT_RUNS and abs(m.recent) < DRIFT_SIZE else SHIFT
    return form * m.shifted


@inner
def accept(m: Record) -> None:
    """Make the new level the level."""
    m.level += m.new_mean
    move_week(m, m.new_mean)
    m.spread_runs, m.reach_n = min(m.spread_runs, SPREAD_RUNS_AFTER), 0
    m.shifted, m.unrest = 0, 0.0
    forget_shift(m)
    forget_new_level(m)


@inner
def learn_run(  # noqa: PLR0913  a kernel takes no objects
    s: Record, m: Record, pool: Record, time_ms: int, local: int, x: float, y: float, routines: Range
) -> None:
    """Learn a run, `y` on the log scale, to which routines were to add `routines`; and what pools are told of it."""
    zero, spells = x == 0.0, m.zero_spells
    note_repeat(m, s.n, s.n > 0 and x == s.latest)
    note_fraction(m, x)
    note_zero(m, zero)
    usual = m.zero_spells >= ZERO_SPELLS
    if zero and usual and spells < ZERO_SPELLS and m.n < ZEROS_YOUNG:
        restart(m)
    if zero and usual:
        return
    runs, variance = PRIOR_RUNS, PRIOR_VARIANCE
    if m.n < FIRST and is_known(pool):
        runs, variance = prior_of(pool, 2.0 / TELLS_POOL_EVERY)
    learn(m, time_ms, local, y, s.interval_s, runs, variance, routines)


@inner
def is_to_tell(m: Record) -> bool:
    """Whether the pool is to hear what this series knows."""
    return m.n >= TELLS_POOL_EVERY and m.n % TELLS_POOL_EVERY == 0


@inner
def tell_pool(m: Record, pool: Record) -> None:
    """Put in what is known of the variance, in place of what was."""
    m.pooled = whole_log(m.variance[0])
    join(pool, m.pooled)


@inner
def leave_pool(m: Record, pool: Record) -> None:
    """Take out what this series said."""
    if m.pooled != 0:
        leave(pool, m.pooled)
        m.pooled = 0


__all__ = [
    "from_log_scale",
    "is_judged",
    "is_to_tell",
    "judge_run",
    "learn_run",
    "leave_pool",
    "run_limits",
    "tell_pool",
    "to_log_scale",
]
