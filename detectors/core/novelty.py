"""Novelty: the distance to the nearest value ever seen, as a share of the range so far.

Seen values are marked in a map of 512 cells. A value outside the map doubles the width of its cells until it fits, so
memory stays at 64 bytes and only resolution is lost.
"""

import numpy as np

from detectors.compiled import inner
from detectors.core.layout import CELLS, RANGE_GROWTH_MAX, Record


@inner
def _seen(s: Record, cell: int) -> bool:
    return bool((s.cells[cell >> 6] >> np.uint64(cell & 63)) & np.uint64(1))


@inner
def _mark(s: Record, cell: int) -> None:
    s.cells[cell >> 6] |= np.uint64(1) << np.uint64(cell & 63)


@inner
def _cell_of(s: Record, value: float) -> int:
    return max(0, min(int((value - s.cell_origin) / s.cell_width), CELLS - 1))


@inner
def novelty(s: Record, value: float) -> float:
    """Distance of `value` to the nearest value seen, over the range seen so far: 0 to 1. The map is unchanged."""
    span = s.greatest - s.least
    if value > s.greatest:
        return min((value - s.greatest) / span, 1.0) if span > 0 else 1.0
    if value < s.least:
        return min((s.least - value) / span, 1.0) if span > 0 else 1.0
    if span == 0.0 or s.cell_width == 0.0:
        return 0.0
    cell = _cell_of(s, value)
    if _seen(s, cell):
        return 0.0
    for away in range(1, CELLS):
        below, above = cell - away, cell + away
        if (below >= 0 and _seen(s, below)) or (above < CELLS and _seen(s, above)):
            return float(min((away - 0.5) * s.cell_width / span, 1.0))
    return 1.0


@inner
def start_novelty(s: Record, value: float) -> None:
    """Range of a series that has had one value; its map starts with the second."""
    s.least = s.greatest = value


@inner
def learn_novelty(s: Record, value: float) -> None:
    """Mark `value` as seen."""
    span = s.greatest - s.least
    if span > 0.0:
        value = min(max(value, s.least - RANGE_GROWTH_MAX * span), s.greatest + RANGE_GROWTH_MAX * span)
    elif value != s.least:
        _start_map(s, value)
    s.least = min(s.least, value)
    s.greatest = max(s.greatest, value)
    if s.cell_width > 0.0:
        while value < s.cell_origin or value >= s.cell_origin + CELLS * s.cell_width:
            _double_width(s, value < s.cell_origin)
        _mark(s, _cell_of(s, value))


@inner
def _start_map(s: Record, value: float) -> None:
    s.cell_width = abs(value - s.least) / (CELLS // 2 - 1)
    s.cell_origin = min(value, s.least) - s.cell_width * (CELLS // 4)
    if s.cell_width > 0.0:
        _mark(s, _cell_of(s, s.least))


@inner
def _double_width(s: Record, downwards: bool) -> None:
    words = CELLS // 64
    half = words // 2
    for i in range(half):
        word = half - 1 - i if downwards else i
        paired = _paired(s.cells[2 * word]) | (_paired(s.cells[2 * word + 1]) << np.uint64(32))
        s.cells[word + half if downwards else word] = paired
    for word in range(half):
        s.cells[word if downwards else word + half] = 0
    if downwards:
        s.cell_origin -= CELLS * s.cell_width
    s.cell_width *= 2.0


@inner
def _paired(word: np.uint64) -> np.uint64:
    """One bit for each two of a word, in its lower half: whether one of the two is set."""
    word = (word | (word >> np.uint64(1))) & np.uint64(0x5555555555555555)
    word = (word | (word >> np.uint64(1))) & np.uint64(0x3333333333333333)
    word = (word | (word >> np.uint64(2))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    word = (word | (word >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    word = (word | (word >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return (word | (word >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF)
