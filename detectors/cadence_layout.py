"""What is remembered of one series' arrivals, and the room that its kernels work in.

Clock times are what the series' own clock shows: UTC, plus the offset of its time zone, plus a jump of an hour that its
arrivals made by themselves (see `silence`). They are in ms like all others.
"""

import numpy as np
import numpy.typing as npt

HOUR_MS = 3_600_000
GAPS_MAX = 64
RECENT = 32
"""The gaps that the gap model rests on."""
WEEKS = 4

CADENCE = np.dtype(
    [
        ("anchor_ms", "<i8"),
        ("last_ms", "<i8"),
        ("allowed_ms", "<i8"),
        ("typical_ms", "<i8"),
        ("learned", "<i8"),
        ("clock_ms", "<i8"),
        ("due_ms", "<i8"),
        ("center_ms", "<i8"),
        ("phase_ms", "<i4"),
        ("period_ms", "<i4"),
        ("early_ms", "<i4"),
        ("late_ms", "<i4"),
        ("rule", "<i4"),
        ("rule_days", "<i4"),
        ("jumped_ms", "<i4"),
        ("first_hour", "<i4"),
        ("week", "<i4"),
        ("overdue", "<i4"),
        ("hours", "<u8", (WEEKS, 3)),
        ("gaps", "<f4", (GAPS_MAX,)),
    ]
)
"""State of one cadence; `anchor_ms` and `last_ms` are -1 before the first arrival.

`gaps` is a ring in single precision, by the series' clock; a negative one spans hours in which nothing was expected. The next
arrival is expected at `center_ms` by the clock, `early_ms` before to `late_ms` after it, by `rule` and `rule_days` (`schedule`) or
every `period_ms` at `phase_ms` (`rhythm`); without either by `allowed_ms` after the last one. `hours` are the active hours of the last weeks,
see `active_hours`. `overdue` counts the latest arrivals that were overdue."""

SCRATCH = (10, GAPS_MAX + 1)
"""Shape of the room to work in: whoever allocates in a kernel waits longer than it computes."""

Scratch = npt.NDArray[np.float64]


def new_scratch() -> Scratch:
    """Room to work in; what it holds means nothing between calls."""
    return np.zeros(SCRATCH)
