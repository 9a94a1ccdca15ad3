"""Changes of unit: two samples in a row that are both, within noise, 60, 100, 1000 ... times what was expected, or that part of it.

The factors are those between units that people mix up: minutes and seconds, cents and units, the steps of SI prefixes, hours and
seconds, and what milliseconds are to minutes and hours. Ten is left out: an ordinary incident is as large.
It counts on both sides, also for durations, of which otherwise only long ones are told: nothing runs a thousand times
faster for a good reason.
"""

import math

from detectors.compiled import inner

FACTORS = (60.0, 100.0, 1000.0, 3600.0, 60_000.0, 1e6, 3.6e6, 1e9)
_LOGS = tuple(math.log(factor) for factor in FACTORS)
RATIO_MIN = 30.0
NOISE, TOLERANCE_MAX = 2.5, 0.25
"""Deviations of noise that a factor may be missed by, and how much at most on the log scale."""


@inner
def factor_of(observed: float, expected: float, deviation: float) -> int:
    """The number of the factor between two amounts, from 1 on and negative if `observed` is the smaller; 0: none.

    `deviation` is that of the noise, on the log scale.
    """
    if not (observed * expected > 0.0) or deviation > TOLERANCE_MAX:
        return 0
    ratio = observed / expected
    if 1.0 / RATIO_MIN < ratio < RATIO_MIN:
        return 0
    distance, tolerance = abs(math.log(ratio)), min(NOISE * deviation, TOLERANCE_MAX)
    for number in range(len(_LOGS)):
        if abs(distance - _LOGS[number]) <= tolerance:
            return number + 1 if ratio > 1.0 else -number - 1
    return 0


@inner
def has_new_unit(observed: float, before: float, expected: float, deviation: float) -> bool:
    """Whether a sample and the one before it both look as if given in the same other unit."""
    factor = factor_of(observed, expected, deviation)
    return factor != 0 and factor == factor_of(before, expected, deviation)
