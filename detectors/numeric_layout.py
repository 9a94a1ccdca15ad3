"""What a bank remembers of one series beside the core's state, what it says of a sample, and the codes in both.

A series is a slot of LIGHT records, its settings and few-samples state. Once it has earned the scorer's state it also has
a `core.layout.DEEP` record, in an array of their own that grows with the series that need one.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.interest import SINGLES

FREE, VALUES, RUNS = 0, 1, 2
BOTH, UP, DOWN = 0, 1, 2
REFUSED, RUN_ROUTINE, HUBER_ROUTINE, SMALL_COUNT, SMALL_SAMPLE_T = 0, 1, 2, 3, 4
ORDINARY, POINT, SHIFT, DRIFT, PROPOSED, ACCEPTED, STUCK, WIDER, NEW_UNIT = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""What a sample says; negative when it is downwards."""

AS_IT_IS, ROOT, COUNTED = 0, 1, 2
"""Scales on which the first values of a series are judged, see `few_values`."""

FIRST = 5
"""Samples before the first judgement."""
YOUNG_SAMPLES = 48
"""Values of a series that are kept as they are before it gets the scorer's state, which then learns them as if it had been there."""

LIGHT = np.dtype(
    [
        ("n", "<i4"),
        ("runs", "<i4"),
        ("first_ms", "<i8"),
        ("last_ms", "<i8"),
        ("latest", "<f8"),
        *SINGLES,
        ("kind", "i1"),
        ("direction", "i1"),
        ("asked", "i1"),
        ("scale", "i1"),
        ("deep", "<i4"),
        ("zone", "<i2"),
        ("season", "<i2"),
        ("needed", "u1"),
        ("among", "u1"),
        ("crossed", "<u2"),
        ("min_volume", "<f8"),
        ("threshold", "<f8"),
        ("false_alarms_per_day", "<f8"),
        ("min_effect", "<f8"),
        ("interval_s", "<f8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
        ("heavy", "<f4"),
        ("prior_weight", "<f4"),
        ("prior_spread", "<f4"),
        ("first", "<f8", (FIRST,)),
        ("pool", "<i2"),
        ("pooled", "<i2"),
    ]
)
"""Settings and few-samples state of one series.

`n` counts all samples, `runs` those that the head for few values has learned, SINGLES see `interest`. `zone` is the number of its
time zone in the bank's table (`local_time`), `season` which routines it may have. `crossed` has a bit for each of the last 16 samples, the newest lowest: whether
it crossed its limits; `needed` of the last `among` must have. `heavy` is how the first values speak for heavy tails (logarithm
of odds, see `few_values`). `prior_weight` values of a relative spread `prior_spread` count
as known before the first one (weight 0: as of any series). `pool` says which series are like it and `pooled` what it has told them,
see `pools`. `deep` is the place of its state, of a RUN_MODEL for runs and of the scorer's for values: 0, where nothing is
ever learned, until the series has one, or minus the place of its YOUNG record. In a free slot `first_ms` is 1 + the next free
slot (0: none); of free DEEP, YOUNG and RUN_MODEL records see `free_places`.
"""

TUNED = np.dtype(
    [
        ("direction", "i1"),
        ("asked", "i1"),
        ("zone", "<i2"),
        ("season", "<i2"),
        ("needed", "u1"),
        ("among", "u1"),
        ("min_volume", "<f8"),
        ("threshold", "<f8"),
        ("false_alarms_per_day", "<f8"),
        ("min_effect", "<f8"),
    ]
)
"""What a user tunes of one series: the settings in LIGHT. `asked`: a model of the user's is asked about each sample."""

YOUNG = np.dtype([("time_ms", "<i8", (YOUNG_SAMPLES,)), ("value", "<f8", (YOUNG_SAMPLES,))])
"""The first values of a series."""

COUNTERS = 8
LIGHT_TOP, LIGHT_FREE, DEEP_TOP, DEEP_FREE, YOUNG_TOP, YOUNG_FREE, MODEL_TOP, MODEL_FREE = range(COUNTERS)
"""A bank's counters: slots ever used, 1 + the first free one of those, DEEP records ever used, the first free one of those,
and the same for YOUNG and RUN_MODEL records."""

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
        ("pooled", "?"),
        ("change", "<i4"),
    ]
)
"""Judgements of `judge_many`: the fields of `numeric.Judgement`."""

Row = tuple[float, float, float, float, float, int, int, float, int, bool, bool, bool, int]
"""Score, expected, lower, upper, p_value, n, since_ms, interval_s, method, anomalous, warming, pooled, change."""

LIGHT_BLOCK_BITS = 8
DEEP_BLOCK_BITS = 5
YOUNG_BLOCK_BITS = 7
MODEL_BLOCK_BITS = 6
"""Records of a block, as a power of two: what changed in it is stored together."""


class Bank(NamedTuple):
    """The arrays of many numeric series, as kernels take them; `*_dirty` marks the blocks that changed."""

    light: Records
    deep: Records
    counters: npt.NDArray[np.int64]
    light_dirty: npt.NDArray[np.uint8]
    deep_dirty: npt.NDArray[np.uint8]
    young: Records
    young_dirty: npt.NDArray[np.uint8]
    zones: Records
    models: Records
    models_dirty: npt.NDArray[np.uint8]
    pools: Records
