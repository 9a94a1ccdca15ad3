"""Order statistics of a few numbers, in place: whoever allocates in a kernel waits longer than it computes."""

import numpy as np
import numpy.typing as npt

from detectors.compiled import inner

Few = npt.NDArray[np.float64]


@inner
def sort_few(few: Few) -> None:
    """By insertion."""
    for i in range(1, len(few)):
        value, at = few[i], i
        while at > 0 and few[at - 1] > value:
            few[at] = few[at - 1]
            at -= 1
        few[at] = value


@inner
def sort_pairs(keys: Few, values: Few) -> None:
    """Both by the first, which are compared."""
    for i in range(1, len(keys)):
        key, value, at = keys[i], values[i], i
        while at > 0 and keys[at - 1] > key:
            keys[at], values[at] = keys[at - 1], values[at - 1]
            at -= 1
        keys[at], values[at] = key, value


@inner
def middle(ordered: Few) -> float:
    """The median of sorted numbers."""
    n = len(ordered)
    return 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
