"""Pace: of a topic that may be very fast, which share of the records is looked at, so that they are so many in a second and not more.

Formula: a record at offset o, which the broker took in at t ms, is looked at with a chance of rate * (t - t0) / 1000 / (o - o0), at most 1, where o0 and t0
are of the first record at most `LOOKBACK` offsets before it. Where records come evenly these chances add up to the rate in each second. When
many come at once after few, up to `LOOKBACK` of them are looked at before the chances have followed.

They depend on nothing but the log up to `LOOKBACK` offsets before, so it does not matter where reading began and how batches were cut.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

LOOKBACK: Final = 1_000
_MS_MIN: Final = 1


class Past(NamedTuple):
    """Offsets and timestamps (ms) of the records before the next one, as far as they are looked back to."""

    offsets: Ints
    times_ms: Ints


NOTHING: Final = Past(np.zeros(0, np.int64), np.zeros(0, np.int64))

PastOf = Callable[[str, int, int], Past]
"""The past at an offset of a topic's partition; it may ask Kafka."""


def no_past(_topic: str, _partition: int, _offset: int) -> Past:
    """Reading begins with the first record."""
    return NOTHING


def shares(past: Past, offsets: Ints, times_ms: Ints, per_second: float) -> npt.NDArray[np.float64]:
    """The chance of each of some records, which follow on the past, that it is looked at; 1 where a timestamp is unknown (0 or less).

    >>> first = shares(NOTHING, np.arange(2_000), 1_000_000 + np.arange(2_000), 100.0)
    >>> float(first[0]), round(float(first[-1]), 6), round(float(first[1000:].sum()))
    (1.0, 0.1, 100)
    """
    both = joined(past, offsets, times_ms)
    first = np.searchsorted(both.offsets, offsets - LOOKBACK)
    records = offsets - both.offsets[first]
    span_ms = np.maximum(times_ms - both.times_ms[first], _MS_MIN)
    chances = per_second / 1000 * span_ms / np.maximum(records, 1)
    unknown = (records == 0) | (times_ms <= 0) | (both.times_ms[first] <= 0)
    return np.where(unknown, 1.0, np.minimum(chances, 1.0))


def joined(past: Past, offsets: Ints, times_ms: Ints) -> Past:
    """The past with the records that follow on it."""
    return Past(np.append(past.offsets, offsets), np.append(past.times_ms, times_ms))


def after(past: Past, offsets: Ints, times_ms: Ints) -> Past:
    """The past when these records have become part of it."""
    both = joined(past, offsets, times_ms)
    kept = both.offsets > offsets[-1] - LOOKBACK
    return Past(both.offsets[kept], both.times_ms[kept])
