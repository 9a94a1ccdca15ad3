"""Pools: what like series know of one another, so that a new one is judged from its third sample on.

Series of runs of one kind (durations, rows, bytes, events) and one pace (several a day, daily, seldom) are alike in how widely they
vary, and so are values of one name. A pool holds the count of its members, and the sum and the sum of squares of the logarithms of their variances: their mean
is the prior variance of a new series, and how little they differ says how many samples the prior is worth (the method of
moments for a scaled inverse chi-square prior, Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004). A member brings its own part up to
date now and then by taking the old one out, in whole numbers, so a pool depends on what its members say and not on their order.
"""

import math

import numpy as np

from detectors.compiled import inner
from detectors.core.layout import Record

POOL = np.dtype([("members", "<i8"), ("total", "<i8"), ("squares", "<i8")])
"""Sums of 1024ths; see `whole_log`."""
KINDS, PACES = 8, 3
NAMES = 256
"""Pools of values, by the hash of what they measure: values of one name are alike, others need not be."""
POOLS = KINDS * PACES + NAMES
MEMBERS_MIN = 3
ONE = 1024
LOG_MIN, LOG_MAX = -12.0, 6.0
SAMPLES_WORTH_MIN, SAMPLES_WORTH_MAX = 4.0, 25.0
PACE_S = (7 * 3600.0, 30 * 3600.0)


@inner
def pool_of(kind: int, interval_s: float) -> int:
    """The place of the pool for series of a kind that come every `interval_s`."""
    pace = 0 if interval_s < PACE_S[0] else 1 if interval_s < PACE_S[1] else 2
    return min(max(kind, 0), KINDS - 1) * PACES + pace


@inner
def pool_of_values(name: int) -> int:
    """The place of the pool for values whose name has this number, from 1 on."""
    return KINDS * PACES + (name - 1) % NAMES


@inner
def whole_log(variance: float) -> int:
    """The logarithm in 1024ths, never 0, which stands for no part in a pool."""
    whole = round(ONE * min(max(math.log(max(variance, 1e-12)), LOG_MIN), LOG_MAX))
    return whole if whole != 0 else 1


@inner
def join(pool: Record, part: int) -> None:
    """Put in what a member says."""
    pool.members += 1
    pool.total += part
    pool.squares += part * part


@inner
def leave(pool: Record, part: int) -> None:
    """Take out what a member had said."""
    pool.members -= 1
    pool.total -= part
    pool.squares -= part * part


@inner
def is_known(pool: Record) -> bool:
    """Whether enough members have something to say."""
    return pool.members >= MEMBERS_MIN


@inner
def prior_of(pool: Record, noise: float) -> tuple[float, float]:
    """Samples that the prior is worth, and its variance; `noise` is the variance of one member's log for want of samples."""
    mean = pool.total / pool.members / ONE
    between = pool.squares / pool.members / (ONE * ONE) - mean * mean - noise
    worth = 2.0 / max(between, 0.01)
    return min(max(worth, SAMPLES_WORTH_MIN), SAMPLES_WORTH_MAX), math.exp(mean)
