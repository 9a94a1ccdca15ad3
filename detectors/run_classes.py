"""The classes of one kind of routine (its hours, its days of the week) together."""

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.run_layout import STARTS


@inner
def centre(m: Record, kind: int) -> tuple[int, float]:
    """Have the classes of a kind that have been visited add nothing together; how many these are, and by how much less each adds."""
    total, known = 0.0, 0
    for place in range(STARTS[kind], STARTS[kind + 1]):
        if m.visits[place] > 0:
            total += m.offset[place]
            known += 1
    common = total / known
    for place in range(STARTS[kind], STARTS[kind + 1]):
        if m.visits[place] > 0:
            m.offset[place] -= common
    return known, common
