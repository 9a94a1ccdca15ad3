"""What a bank remembers of one series beside the core's state, what it says of a sample, and the codes in both.

A series is a slot of two arrays: LIGHT, its settings and few-samples state, and `core.layout.DEEP`, the scorer's state,
which stays untouched (and so costs no memory) until the series has earned it.
"""

import numpy as np

FREE, VALUES, RUNS = 0, 1, 2
BOTH, UP, DOWN = 0, 1, 2
REFUSED, SMALL_SAMPLE_T, HUBER_ROUTINE = 0, 1, 2

FIRST = 5
"""Runs before the first judgement."""
RUNS_BEFORE_CORE = 50
"""Runs of a series before it gets the scorer's state. The scorer takes over once it has seen WARM_UP itself."""

LIGHT = np.dtype(
    [
        ("n", "<i8"),
        ("runs", "<i8"),
        ("first_ms", "<i8"),
        ("last_ms", "<i8"),
        ("kind", "<i4"),
        ("direction", "<i4"),
        ("threshold", "<f8"),
        ("false_alarms_per_day", "<f8"),
        ("min_effect", "<f8"),
        ("interval_s", "<f8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("first", "<f8", (FIRST,)),
    ]
)
"""Settings and few-samples state of one series. `n` counts all samples, `runs` those that the t head has learned."""

JUDGEMENT = np.dtype(
    [
        ("score", "<f8"),
        ("expected", "<f8"),
        ("lower", "<f8"),
        ("upper", "<f8"),
        ("p_value", "<f8"),
        ("n", "<i8"),
        ("since_ms", "<i8"),
        ("interval_s", "<f8"),
        ("method", "<i4"),
        ("anomalous", "?"),
        ("warming", "?"),
    ]
)
"""Judgements of `judge_many`: the fields of `numeric.Judgement`."""

Row = tuple[float, float, float, float, float, int, int, float, int, bool, bool]
"""Score, expected, lower, upper, p_value, n, since_ms, interval_s, method, anomalous, warming."""
