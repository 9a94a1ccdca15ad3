"""What a shard remembers of its followers, the rows they take in and the findings they give, as records for kernels.

A follower is everything that is followed under one label set: the runs of a pipeline or task, one metric, or one
declared schema. Where a field holds a place, 0 says that there is none.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.cadence_layout import CADENCE
from detectors.core.layout import Records
from detectors.interest import INTEREST
from detectors.numeric_layout import TUNED, Bank
from detectors.rates import RATE
from detectors.samples import FollowerKind

FREE = 0
RUN_EVENTS, VALUE = int(FollowerKind.RUN_EVENTS), int(FollowerKind.VALUE)
AMOUNT, SCHEMA = int(FollowerKind.AMOUNT), int(FollowerKind.SCHEMA)
DELAY = int(FollowerKind.DELAY)
KINDS = 6
"""Kinds of followers, and of free records."""

LATENCY, ROWS, BYTES, EVENTS, FAILURES, DUPLICATES, FRESHNESS, LATENESS = range(8)
PARTS = 8
"""The series of a follower of runs. A follower of one value has it as its part 0, and the last two."""
HOURLY = 1
"""The part of a follower of a metric that is the mean of its hours."""
MEASURES = 4
"""The parts that are numeric series."""

ENDED_MAX = 64
ENDED_CHUNK = 16

OUTCOMES = np.dtype(
    [("rate", RATE), *INTEREST, ("first_ms", "<i8"), ("last_ms", "<i8"), ("seen", "<i8")],
)
"""One series of yes/no outcomes, and how many there have been."""

ARRIVALS = np.dtype(
    [
        ("cadence", CADENCE),
        *INTEREST,
        ("first_ms", "<i8"),
        ("due_ms", "<i8"),
        ("arrivals", "<i8"),
        ("offset", "<i8"),
        ("source", "<i4"),
    ]
)
"""The arrivals of one label set's runs or samples; `due_ms` is -1 while no timer is set, source and offset are the last one's."""

CROWD = np.dtype(
    [
        *INTEREST,
        ("last_ms", "<i8"),
        ("since_ms", "<i8"),
        ("beyond", "<f4"),
        ("peak", "<f4"),
        ("usual", "<f4"),
        ("count", "<i4"),
        ("unlearned", "<i4"),
    ]
)
"""Runs beyond the usual number, see `crowds`: the `count` runs from `since_ms` to `last_ms` are a crowd of `beyond`, at its `peak` so many;
`usual` is what crowds of the series come to, `unlearned` the runs that taught its cadence nothing."""

WINDOW = np.dtype(
    [
        ("window", "<i8"),
        ("count", "<i8"),
        ("mean", "<f8"),
        ("total", "<f8"),
        ("first_offset", "<i8"),
        ("last_offset", "<i8"),
        ("first_source", "<i4"),
        ("last_source", "<i4"),
    ]
)
"""The open window of event counts, or the open hour of a metric with its `total`; `window` is -1 before the first, `mean` is the usual count."""

FOLLOWER = np.dtype(
    [
        ("id_low", "<i8"),
        ("id_high", "<i8"),
        ("seen_ms", "<i8"),
        ("kind", "<i4"),
        ("pool", "<i4"),
        ("slots", "<i4", (MEASURES,)),
        ("tuned", "<i4", (PARTS,)),
        ("open_first", "<i4"),
        ("open_last", "<i4"),
        ("open_count", "<i4"),
        ("unmeasured_first", "<i4"),
        ("unmeasured_last", "<i4"),
        ("ended_count", "<i8"),
        ("ended", "<i4", (ENDED_MAX // ENDED_CHUNK,)),
        ("failures", OUTCOMES),
        ("duplicates", OUTCOMES),
        ("lateness", OUTCOMES),
        ("arrivals", ARRIVALS),
        ("crowd", CROWD),
        ("window", WINDOW),
    ]
)
"""`pool` says which values are like it (`pools`), `slots` are 1 + the slots in the bank, `tuned` the settings of each part, `ended`
places of ENDED chunks. In a free one `seen_ms` is 1 + the next free one."""

RUN = np.dtype(
    [
        ("run", "<i8"),
        ("time_ms", "<i8"),
        ("due_ms", "<i8"),
        ("offset", "<i8"),
        ("source", "<i4"),
        ("next", "<i4"),
        ("reported", "<i4"),
    ]
)
"""A run and the record it is known from, in a list of its follower: open since `time_ms`, or ended then without a duration.

It takes too long from `due_ms` on (-1: not known). In a free one `next` is the next free one."""

ENDED = np.dtype([("runs", "<i8", (ENDED_CHUNK,)), ("next", "<i4")])
"""Hashes of runs that have ended; `next` links free ones."""

ROW = np.dtype(
    [
        ("order_ms", "<i8"),
        ("time_ms", "<i8"),
        ("offset", "<i8"),
        ("run", "<i8"),
        ("value", "<f8"),
        ("rows", "<f8"),
        ("bytes", "<f8"),
        ("source", "<i4"),
        ("follower", "<i4"),
        ("error", "<i4"),
        ("state", "<i4"),
    ]
)
"""A row that waits to be applied at `order_ms`. `value` is a run's duration in ms or the sample; `error` the serial number of
the error text that came along, 0 if there is none."""

NUMERIC, TOO_LONG, OVERDUE, ARRIVED, OUTCOME, SCORED, MOVED, CROWDED, UNLIKE = 1, 2, 3, 4, 5, 6, 7, 8, 9
"""What was found; SCORED and MOVED by a model of the user's, UNLIKE by `peers`."""

GRID = 256
FLEET = np.dtype(
    [
        ("since_ms", "<i8"),
        ("due_ms", "<i8"),
        ("series", "<i8"),
        ("budget_per_day", "<f8"),
        ("allowed_per_day", "<f8"),
        ("expected_per_day", "<f8"),
        ("counted", "<i4", (GRID,)),
    ]
)
"""What the series of a shard may alarm by chance together, see `fleet`; `since_ms` is -1 before the first row."""

FINDING = np.dtype(
    [
        ("what", "<i4"),
        ("part", "<i4"),
        ("follower", "<i4"),
        ("error", "<i4"),
        ("order_ms", "<i8"),
        ("time_ms", "<i8"),
        ("start_ms", "<i8"),
        ("observed", "<f8"),
        ("expected", "<f8"),
        ("lower", "<f8"),
        ("upper", "<f8"),
        ("p_value", "<f8"),
        ("score", "<f8"),
        ("chance_per_day", "<f8"),
        ("allowed_per_day", "<f8"),
        ("n", "<i8"),
        ("since_ms", "<i8"),
        ("last_ms", "<i8"),
        ("interval_s", "<f8"),
        ("method", "<i4"),
        ("days", "<i4"),
        ("anomalous", "<i4"),
        ("pooled", "<i4"),
        ("change", "<i4"),
        ("asked", "<i4"),
        ("muted", "<i4"),
        ("anew", "<i4"),
        ("source", "<i4", (2,)),
        ("offset", "<i8", (2,)),
    ]
)
"""What triage has to know of one sample or silence, before it has words; found at `order_ms`.

A model is still to be `asked` about a sample. A source of -1 says that there is no position. `method` and `days` of a silence
are the rule behind it, see `freshness`."""

COUNTERS = 13
FOLLOWERS_TOP, FOLLOWERS_FREE, RUNS_TOP, RUNS_FREE, ENDED_TOP, ENDED_FREE = 0, 1, 2, 3, 4, 5
"""Records ever used of a pool, and 1 + the first free one of those (of runs and ended: its place)."""
TIMERS, FINDINGS, OPEN_RUNS, FORGOTTEN, SERIES, LIVE = 6, 7, 8, 9, 10, 11
"""Timers set, findings not yet taken, runs open, open runs that gave way, series followed, followers."""
NOW_MS = 12
"""The time of the row or timer at hand."""

FOLLOWER_BLOCK_BITS = 8
RUN_BLOCK_BITS = 10
ENDED_BLOCK_BITS = 10


class Arrays(NamedTuple):
    """Everything that the kernels of one shard read and write; `*_dirty` marks the blocks that changed.

    `tuned` holds TUNED records by settings' number, `scratch` is room to work in for `silence`, `silence_ms` see `freshness`,
    `fleet` is one FLEET record.
    """

    bank: Bank
    followers: Records
    followers_dirty: npt.NDArray[np.uint8]
    runs: Records
    runs_dirty: npt.NDArray[np.uint8]
    ended: Records
    ended_dirty: npt.NDArray[np.uint8]
    timers: Records
    findings: Records
    counters: npt.NDArray[np.int64]
    tuned: Records
    scratch: npt.NDArray[np.float64]
    silence_ms: npt.NDArray[np.int64]
    fleet: Records


__all__ = [
    "ARRIVALS",
    "CROWD",
    "ENDED",
    "FINDING",
    "FLEET",
    "FOLLOWER",
    "OUTCOMES",
    "ROW",
    "RUN",
    "TUNED",
    "WINDOW",
    "Arrays",
]
