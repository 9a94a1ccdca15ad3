"""When the days of a series of runs begin, where that is not midnight on its clock: weekends begin when those of its users do.

Of each hour is noted how much likelier its runs were as runs of the day next to it: of the day after for hours from noon on, else of the day before.
All hours from one on to midnight, or from midnight on to one, that tell so together are of the other day: the day begins so many hours earlier
or later. The log likelihood ratio has to be above a bar, as in a sequential test (Wald, Annals of Mathematical Statistics 16, 1945).
"""

from detectors.compiled import inner
from detectors.core.filters import clip
from detectors.core.layout import HOUR_MS, HOURS, Record

NOON = HOURS // 2
BAR = 5.0
EACH_MAX = 2.0
"""What one run says at most."""
KEPT = 0.98
"""Share of what hours say that is kept for another day."""
SHIFT_MAX = 14
ONE, GREATEST = 256.0, 32_000.0
"""Parts that log likelihood ratios are kept in, and the most of them."""


@inner
def on_days(m: Record, local_ms: int) -> int:
    """A time on a clock by which the days of the series begin at midnight."""
    return local_ms + m.day_shift * HOUR_MS


@inner
def neighbour_of(hour: int) -> int:
    """1 if the day next to an hour is the one after, -1 if it is the one before."""
    return 1 if hour >= NOON else -1


@inner
def note_hour(m: Record, hour: int, own: float, other: float) -> None:
    """Note a run that lies so many scales from what its own day lets expect, and from what the other day does."""
    said = m.edge[hour] + ONE * clip(0.5 * (own * own - other * other), EACH_MAX)
    m.edge[hour] = int(clip(said, GREATEST))


@inner
def moved_days(m: Record) -> bool:
    """Whether the days of the series have turned out to begin at another hour; from now on they do. To be asked once a day."""
    best, shift, total = BAR * ONE, 0, 0.0
    for hours in range(1, NOON + 1):
        total += m.edge[HOURS - hours]
        if total > best:
            best, shift = total, hours
    total = 0.0
    for hours in range(1, NOON + 1):
        total += m.edge[hours - 1]
        if total > best:
            best, shift = total, -hours
    moved = shift != 0 and abs(m.day_shift + shift) <= SHIFT_MAX
    for hour in range(HOURS):
        m.edge[hour] = 0 if moved else int(KEPT * m.edge[hour])
    if moved:
        m.day_shift += shift
    return moved
