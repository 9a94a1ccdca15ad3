"""Rows of payloads: those that wait to be counted, with what is kept of each beside the tokens of its values."""

from typing import Final

import numpy as np
from xxhash import xxh3_64_intdigest

from detectors.ragged import Ints
from detectors.samples import NEVER

PAYLOAD_ROW: Final = np.dtype(
    [
        ("order_ms", "<i8"),
        ("time_ms", "<i8"),
        ("offset", "<i8"),
        ("shape", "<i8"),
        ("address", "<i8"),
        ("source", "<i4"),
        ("follower", "<i4"),
        ("size", "<i4"),
        ("delay_ms", "<i4"),
        ("behind_ms", "<i4"),
        ("ident", "<u4"),
    ]
)
"""A payload that waits to be counted at `order_ms`: the ident of its `shape`, where its tokens lie, its `size` in bytes.

`delay_ms` is from its event time to its Kafka timestamp, -1 when they are one; `behind_ms` how far its event time lies behind the greatest that was seen
before it in its source partition; `ident` is of the hash of its id, 0 when it has none."""

UNSEEN: Final = xxh3_64_intdigest(b"") >> 1
"""The ident of the shape without elements: that of payloads that are counted and not looked at, because their topic is sampled."""
MS_MAX: Final = (1 << 31) - 1


def behind_ms(time_ms: Ints, high_ms: Ints) -> Ints:
    """How far event times lie behind the greatest before them; 0 where they do not, or nothing came before.

    >>> behind_ms(np.array([5, 7, 3]), np.array([NEVER, 5, 7])).tolist()
    [0, 0, 4]
    """
    known = np.where(high_ms > NEVER, high_ms - time_ms, 0)
    return np.clip(known, 0, MS_MAX)
