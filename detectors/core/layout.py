"""What the scorer remembers of one series, as one packed little-endian record, and the constants of the scorer."""

from typing import Any

import numpy as np
import numpy.typing as npt

HOURS = 24
WEEK_HOURS = 168
DAILY, WEEKLY, ANY = 1, 2, 3
"""Routines that a series may have besides none (0): of the hour, of the day of the week as well, and all."""
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

VALUE_MAX = 1e290
"""Values beyond are taken as this: leaves room for sums and quotients, so that state stays finite."""

WARM_UP = 100
"""Samples before the scorer judges."""

FAST, SLOW = 0, 1
LEVEL_RATES = (0.1, 1 / 250)
SCALE_RATES = (1 / 500, 1 / 1500)
CLIP = 3.0
"""A residual moves the state by at most this many scales."""
SCALE_FLOOR = 0.01
"""Least scale, as a share of the usual magnitude: differences below it are noise."""
MAGNITUDE_GROWTH_MAX = 1e6
"""One value counts towards the magnitude as at most this many times what is usual."""
HALF_NORMAL = 1.2533
"""sqrt(pi/2): mean absolute deviation to standard deviation."""
PROFILE_SHRINK = 3.0
PROFILE_DAYS = 17.0
VISITS_KEPT = 65_535
"""Samples of an hour are counted up to here: by 17 days of values that come less than a second apart."""
WEEK_VISITS = 2.0
PROFILE_ERROR_RATE = 1 / 2000
MAGNITUDE_RATE = 1 / 500

BLOCK_MS = 2 * HOUR_MS
RING = 84
"""Overlapping four-hour maxima of surprise kept: one week."""
ROUTINE_SHARE, TAIL_LOW, TAIL_HIGH = 0.66, 0.20, 0.70
POPULATION_ROUTINE, POPULATION_TAIL, POPULATION_BLOCKS = 3.0, 0.75, 4.0
ROUTINE_SCORE = 3.0
TAIL_BINS = 64
TAIL_BLOCKS_READ, TAIL_BLOCKS_MIN, TAIL_BLOCKS_MAX = 24, 168, 8192
LOOSE_SCORE = 3.4
"""Of the score at which a series that keeps within its budget may alarm, if its own peaks make that rare enough."""
HOUR_DAYS_KEPT = 8
HOUR_DAYS_MIN = 4
HOUR_SHARE = 0.35
WEEK_BLOCKS = 84
"""Blocks of two hours of a week."""
DAYS_OF_MONTH = 4
"""Its first and last day and business day."""

CELLS = 512
NOVELTY_FULL = 0.06
NOVELTY_BONUS, NOVELTY_BONUS_HEAVY = 1.2, 0.9
RANGE_GROWTH_MAX = 1e6
"""One value stretches the range of known values by at most this factor."""

NEVER = -(2**31)
DAYS = 2**16
"""Days are told apart within 179 years."""
PROFILE_MAX = 1e30
"""Profiles are kept in single precision, which reaches little further."""

REPEATS = (("equal", "<u2"), ("equal_usual", "<u2"), ("repeats", "<f4"))
"""Fields: repeats in a row now, the most that are usual, and the share of repeats; see `stuck`."""

DEEP = np.dtype(
    [
        ("n", "<i4"),
        ("block", "<i4"),
        ("loose_ms", "<i8"),
        ("raised", "<u4"),
        ("slot_hour", "<i4"),
        ("ring_filled", "u1"),
        ("ring_next", "u1"),
        ("tail_blocks", "<u2"),
        ("loose_alarms", "<i4"),
        ("magnitude", "<f8"),
        ("level", "<f8", (2,)),
        ("scale", "<f8", (2,)),
        ("day_error", "<f8", (2,)),
        ("week_error", "<f8", (2,)),
        ("routine", "<f4"),
        ("tail", "<f4"),
        ("hour_routine", "<f4"),
        ("week_routine", "<f4"),
        ("block_peak", "<f4"),
        ("block_peak_before", "<f4"),
        ("least", "<f8"),
        ("greatest", "<f8"),
        ("cell_width", "<f8"),
        ("cell_origin", "<f8"),
        ("fall", "<f8"),
        ("tail_level", "<f4"),
        ("tail_slope", "<f4"),
        ("tail_bend", "<f4"),
        *REPEATS,
        ("tail_counts", "<u2", (TAIL_BINS,)),
        ("cells", "<u8", (CELLS // 64,)),
        ("ring", "<f4", (RING,)),
        ("ring_order", "u1", (RING,)),
        ("day_visits", "<u2", (HOURS,)),
        ("week_visits", "<u2", (WEEK_HOURS,)),
        ("day_profile", "<f4", (2, HOURS)),
        ("week_profile", "<f4", (2, WEEK_HOURS)),
        ("hour_peak", "<f4", (HOURS, HOUR_DAYS_KEPT)),
        ("hour_day", "<u2", (HOURS,)),
        ("hour_down", "u1", (HOURS,)),
        ("week_peak", "u1", (WEEK_BLOCKS,)),
        ("month_peak", "u1", (DAYS_OF_MONTH, 3)),
    ]
)
"""State of one series. All zero bytes before its first sample, so untouched memory costs nothing.

Filters, whose rounding would add up, are doubles. `ring_order` holds the places of the ring from its least
peak to its greatest. `hour_peak` is that of the eight days up to `hour_day`, the last one with the hour (modulo DAYS); `hour_down` has a bit for each of them that was downwards.
`week_routine` is negative when it is downwards; `week_peak` and `month_peak` (of the present day, the last and the ones before) see `calendar_routine`.
`raised` has a bit for each of the last samples, the newest lowest, see `scorer.is_upheld`; `fall` is the CUSUM of the module `fall`.
"""

Record = Any
"""One element of a structured array, as kernels see it."""
Records = npt.NDArray[np.void]
