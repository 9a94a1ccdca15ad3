"""What is remembered of one series of runs: level, spread and tail, routines, and the heads for lasting changes."""

import numpy as np

from detectors.civil_days import WEEK_DAYS
from detectors.core.layout import HOURS, REPEATS
from detectors.month_classes import END_CLASSES
from detectors.numeric_layout import FIRST

TAILS = 3
"""Candidate shapes of the noise, see `run_tails`."""
BY_HOUR, BY_WEEKDAY, BY_START, BY_END = 0, 1, 2, 3
ROUTINES = 4
"""Kinds of routine, see `run_routines`."""
CLASSES = HOURS + WEEK_DAYS + 2 * END_CLASSES
STARTS = (0, HOURS, HOURS + WEEK_DAYS, HOURS + WEEK_DAYS + END_CLASSES)
"""Where the classes of each kind of routine begin."""

WEEKS = 6
"""Weeks that tell what a day of the week adds, see `run_week`."""
NO_DAY = -32_768

VISIT = np.dtype(
    [("key", "<i8"), ("place", "<i4"), ("count", "<i4"), ("total", "<f4"), ("gain", "<f4")],
)
"""The day at hand, not yet learned as a routine: its key, class (of the latest hour by hours), runs, and what they said."""

RUN_MODEL = np.dtype(
    [
        ("n", "<i8"),
        ("level", "<f8"),
        ("slope", "<f8"),
        ("variance", "<f8", (TAILS,)),
        ("evidence", "<f8", (TAILS,)),
        ("first", "<f8", (FIRST,)),
        ("prior_part", "<f4"),
        ("spread_runs", "<f4"),
        ("skew", "<f4"),
        ("fraction", "<f4"),
        ("zero_share", "<f4"),
        ("zero_spells", "<f4"),
        ("zero_run", "<i4"),
        ("bar", "<f4", (2,)),
        ("strange", "<i2"),
        ("shifted", "<i2"),
        ("reach", "<f8"),
        ("reach_points", "<f4"),
        ("reach_n", "<i4"),
        ("offset", "<f4", (CLASSES,)),
        ("visits", "<f4", (CLASSES,)),
        ("routine", "<f8", (ROUTINES,)),
        ("visit", VISIT, (ROUTINES,)),
        ("newest_day", "<i4"),
        ("day_total", "<f4"),
        ("added_centre", "<f4"),
        ("week_noise", "<f4"),
        ("week_freedom", "<i2"),
        ("day_shift", "i1"),
        ("weeks", "i1", (WEEK_DAYS,)),
        ("means", "<f4", (WEEK_DAYS,)),
        ("edge", "<f4", (HOURS,)),
        ("days", "<i2", (WEEK_DAYS,)),
        ("added", "<i2", (WEEK_DAYS, WEEKS)),
        ("hour_total", "<f4", (HOURS,)),
        ("hour_count", "<i2", (HOURS,)),
        ("rise", "<f4", (2,)),
        ("fall", "<f4", (2,)),
        ("recent", "<f4"),
        ("back", "<f4"),
        ("returned", "<f8"),
        *REPEATS,
        ("unrest", "<f4"),
        ("unrest_bar", "<f4"),
        ("usual_miss", "<f4"),
        ("rising_runs", "<i4"),
        ("falling_runs", "<i4"),
        ("proposed", "i1"),
        ("missed", "i1"),
        ("new_since_ms", "<i8"),
        ("new_runs", "<i4"),
        ("new_mean", "<f8"),
        ("new_late", "<f4"),
        ("new_square", "<f4"),
        ("pool", "<i2"),
        ("pooled", "<i4"),
    ]
)
"""State of one series of runs. The `first` ones are kept as they are: the level begins as their median, so one incident among them
does not count. `spread_runs` is what the spread rests on, in runs, the prior's with them, and `prior_part` how much of the first `variance`
is still the prior's. `skew` is how far its noise leans to one side. `unrest` is the CUSUM of the spread, `unrest_bar` its threshold, and
`usual_miss` how far off the latest runs are on average. All zero bytes before its first run."""
