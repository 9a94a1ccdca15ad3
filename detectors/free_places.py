"""Places in an array of records that grows: one that is given back is taken again before the array is used any further.

The first eight bytes of a free record hold the next free place. Place 0 is never given out: it says that there is none.
"""

import numpy as np
import numpy.typing as npt

from detectors.compiled import pasted
from detectors.core.layout import Records


@pasted
def take_place(records: Records, counters: npt.NDArray[np.int64], top: int, free: int) -> int:
    """A place whose record is all zero bytes; `counters` say at `top` how many were ever used, at `free` which is free first."""
    place = counters[free]
    if place > 0:
        following = records[place : place + 1].view(np.int64)
        counters[free] = following[0]
        following[0] = 0
    else:
        place = counters[top]
        counters[top] += 1
    return place


@pasted
def give_place(records: Records, counters: npt.NDArray[np.int64], free: int, place: int) -> None:
    """Forget a record; its place is free."""
    words = records[place : place + 1].view(np.int64)
    words[:] = 0
    words[0] = counters[free]
    counters[free] = place
