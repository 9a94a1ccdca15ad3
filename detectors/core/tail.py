"""How rare a surprise is for this series: the tail of its two-hour peaks, for a ceiling on false alarms.

The score ranks well, but the rate at which ordinary noise reaches a given score differs a hundredfold between light and
heavy tails. So a series alarms only at surprises that its own peaks make rarer than its budget. One that has been seen for
two weeks and keeps within its budget may in turn alarm somewhat below the threshold of the score; before that, a surprise that
samples just before it uphold need not be rare (see `scorer`). With fewer than two days of peaks the tail is that of t(3) noise, and no
young series has a heavier one.

Formula: with N closed blocks, L(r) is the surprise which a block exceeds with rate r = -log(share of blocks below).
H = -log r has slope h and bend c beyond a depth C: dH/dL = h + c (H - C), that is

    L(r) = L(C) + log(1 + c x / h) / c,    x = k (exp((-log r - C) / k) - 1),    k = N / 10.

For noise whose tail is a power of x the surprise, a sum of logarithms, has an exponential tail: c = 0. Normal noise has
c = 1, Laplace noise c = 1/2. h and c come from L at the rates 1, 1/5 and max(1/50, 10/N), c shrunk towards 0.1 with
120 pseudo-blocks; x exceeds the distance by what a fit to k peaks may be wrong (the predictive distribution of an exponential
law with k observations, Pareto's).

Incidents must not raise it: the deepest level is not taken to lie beyond where the slope between the rates 1 and 1/5 leads,
and no tail is believed to be heavier than that of t(3), slope 1.5. Peaks are counted in 64 bins of log1p, halved once
they are 8192, about two years.

Measured on stationary noise: see `docs/reference/score.md`.
"""

import math

from detectors.compiled import inner
from detectors.core.layout import (
    BLOCK_MS,
    DAY_MS,
    HOUR_MS,
    TAIL_BINS,
    TAIL_BLOCKS_MAX,
    TAIL_BLOCKS_MIN,
    TAIL_BLOCKS_READ,
    Record,
)

_FIRST_EDGE, _BIN = 0.5, 0.04
_COMMON, _SELDOM, _RARE = 1.0, 0.2, 0.02
"""Rates, for each block, between which slope and bend are read."""
_RARE_BLOCKS = 10.0
_BEND, _BEND_BLOCKS, _BEND_MIN, _BEND_MAX = 0.1, 120.0, 0.01, 1.2
_SLOPE_MIN = 1.5
_SLOPE_MARGIN, _SLOPE_ERROR = 0.05, 0.7
_WIDTH_MIN = 0.02
_SHARE, _SHARE_BLOCKS = 0.35, 600.0
"""Of the budget that is aimed at, a ceiling: once so many blocks are known, half of it."""
_USUAL_PER_DAY, _SHARE_POWER = 1 / 30, 0.5
_FAR, _FAR_INTERVAL_S = 6.5, 300.0
"""The surprise that noise of t(3) seldom exceeds within the usual budget, with a sample so often."""
_NOVELTY_SHARE, _NOVELTY_ALARMS, _NOVELTY_POWER = 0.5, 3.0, 0.4
_DOUBT_BLOCKS = 0.1


@inner
def block_days(interval_s: float) -> float:
    """Days from one block to the next."""
    return max(BLOCK_MS / DAY_MS, interval_s * 1000.0 / DAY_MS)


@inner
def tail_known(s: Record) -> bool:
    """Whether two weeks of blocks have been seen."""
    return bool(s.tail_blocks >= TAIL_BLOCKS_MIN)


@inner
def tail_read(s: Record) -> bool:
    """Whether enough blocks have been seen to fit a tail to."""
    return bool(s.tail_blocks >= TAIL_BLOCKS_READ)


@inner
def learn_tail(s: Record, peak: float) -> None:
    """Count the peak of a block that has closed, and fit the tail anew."""
    place = min(max(int((math.log1p(peak) - _FIRST_EDGE) / _BIN), 0), TAIL_BINS - 1)
    s.tail_counts[place] += 1
    s.tail_blocks += 1
    if s.tail_blocks >= TAIL_BLOCKS_MAX:
        _halve(s)
    if tail_read(s):
        _fit(s)


@inner
def _halve(s: Record) -> None:
    s.tail_blocks = 0
    for place in range(TAIL_BINS):
        s.tail_counts[place] //= 2
        s.tail_blocks += s.tail_counts[place]


@inner
def _level(s: Record, rate: float) -> float:
    """The surprise which a block exceeds with a rate, from the counts."""
    wanted = s.tail_blocks * -math.expm1(-rate)
    above = 0.0
    for back in range(TAIL_BINS):
        place = TAIL_BINS - 1 - back
        count = float(s.tail_counts[place])
        if count > 0.0 and above + count >= wanted:
            return math.expm1(_FIRST_EDGE + _BIN * (place + 1 - (wanted - above) / count))
        above += count
    return math.expm1(_FIRST_EDGE)


@inner
def _rare_rate(s: Record) -> float:
    return min(max(_RARE, _RARE_BLOCKS / s.tail_blocks), _SELDOM / 3)


@inner
def _fit(s: Record) -> None:
    blocks, rare = float(s.tail_blocks), _rare_rate(s)
    common, seldom = _level(s, _COMMON), _level(s, _SELDOM)
    near, far = math.log(_COMMON / _SELDOM), math.log(_SELDOM / rare)
    slope = near / max(seldom - common, _WIDTH_MIN)
    least = max(slope * (1.0 - _SLOPE_MARGIN - _SLOPE_ERROR / math.sqrt(0.3 * blocks)), _SLOPE_MIN)
    level = min(_level(s, rare), seldom + far / least)
    beyond = far / max(level - seldom, _WIDTH_MIN)
    bend = (beyond - slope) / (0.5 * (near + far))
    bend = (blocks * bend + _BEND_BLOCKS * _BEND) / (blocks + _BEND_BLOCKS)
    s.tail_bend = min(max(bend, _BEND_MIN), _BEND_MAX)
    s.tail_level = level
    s.tail_slope = max(beyond + 0.5 * s.tail_bend * far, least)


@inner
def tail_level(s: Record, rate: float) -> float:
    """The surprise which a block exceeds with a rate, by the fitted tail."""
    doubt = _DOUBT_BLOCKS * s.tail_blocks
    depth = math.log(_rare_rate(s) / rate)
    if depth > 0.0:
        depth = doubt * math.expm1(min(depth / doubt, 20.0))
    return float(s.tail_level + math.log1p(max(s.tail_bend * depth / s.tail_slope, -0.9)) / s.tail_bend)


@inner
def tail_rate(s: Record, surprise: float) -> float:
    """The rate at which a block exceeds a surprise, by the fitted tail: inverse of `tail_level`."""
    doubt = _DOUBT_BLOCKS * s.tail_blocks
    depth = s.tail_slope / s.tail_bend * math.expm1(min(s.tail_bend * (surprise - s.tail_level), 100.0))
    if depth > 0.0:
        depth = doubt * math.log1p(depth / doubt)
    return float(_rare_rate(s) * math.exp(-depth))


@inner
def _aimed_share(s: Record, false_alarms_per_day: float) -> float:
    """Share of a budget that is aimed at; less for rarer alarms and after fewer blocks, when more of the tail has to be guessed."""
    known = s.tail_blocks / (s.tail_blocks + _SHARE_BLOCKS)
    return float(_SHARE * known * _rarity(false_alarms_per_day) ** _SHARE_POWER)


@inner
def _rarity(false_alarms_per_day: float) -> float:
    return min(1.0, false_alarms_per_day / _USUAL_PER_DAY)


@inner
def _far_surprise(false_alarms_per_day: float, interval_s: float) -> float:
    """The surprise that t(3) noise makes rare enough for a budget: its tail in surprise has slope 1.5."""
    rarer = math.log(_FAR_INTERVAL_S / interval_s) - math.log(false_alarms_per_day / _USUAL_PER_DAY)
    return float(_FAR + rarer / _SLOPE_MIN)


@inner
def rare_surprise(s: Record, false_alarms_per_day: float, interval_s: float, novel: float) -> float:
    """The surprise that is rare enough for a budget, of a value whose novelty adds `novel` to the surprise.

    Novelty counts half, less while the budget is rarer than anything seen could be, and less for rarer alarms: the extremes
    of noise are new values too.
    """
    allowed = false_alarms_per_day * block_days(interval_s)
    counted = _NOVELTY_SHARE * min(1.0, _NOVELTY_ALARMS * s.tail_blocks * allowed)
    counted *= _rarity(false_alarms_per_day) ** _NOVELTY_POWER
    if not tail_read(s):
        return _far_surprise(false_alarms_per_day, interval_s)
    rare = tail_level(s, allowed * _aimed_share(s, false_alarms_per_day)) - counted * novel
    return float(rare if tail_known(s) else min(rare, _far_surprise(false_alarms_per_day, interval_s)))


@inner
def within_budget(s: Record, false_alarms_per_day: float, age_ms: int) -> bool:
    """Whether the series would, alarming at `LOOSE_SCORE`, have kept within its budget so far."""
    return bool(s.loose_alarms <= 1.0 + false_alarms_per_day * age_ms / DAY_MS)


@inner
def count_loose(s: Record, time_ms: int, rare: bool) -> None:
    """Count a `rare` sample, which alarms at `LOOSE_SCORE`; those less than an hour apart are one alarm."""
    if rare:
        s.loose_alarms += time_ms - s.loose_ms > HOUR_MS or s.loose_alarms == 0
        s.loose_ms = time_ms
