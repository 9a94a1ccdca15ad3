"""Ragged rows: rows of different lengths that lie end to end in one array."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def places_of(starts: Ints, sizes: Ints) -> Ints:
    """Where the items of rows lie that start here and have so many.

    >>> places_of(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)


def starts_of(sizes: Ints) -> Ints:
    """Where rows of these sizes start that lie end to end.

    >>> starts_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2]
    """
    return np.cumsum(sizes) - sizes
