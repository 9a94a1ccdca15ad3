"""What a plot of one series shows, however it is drawn."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.wording import amount_text

Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_STEPS_MS: Final = (
    MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
)


class Strip(NamedTuple):
    """An alert as the span of time that it was open, in ms; `before` of a configuration that is compared with."""

    first_ms: int
    last_ms: int
    before: bool = False


class Drawn(NamedTuple):
    """What one panel shows. `expected`, `lower` and `upper` are NaN where there is none.

    Incidents are spans of time, alerts are times, in ms. Without a `unit` amounts are plain numbers. `shown_ms` is the span of
    time that is shown, if it is not that of the values. A terminal leaves `strips` out.
    """

    title: str
    times_ms: Times
    values: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    incidents_ms: Sequence[tuple[int, int]]
    alerts_ms: Sequence[int]
    unit: str = ""
    shown_ms: tuple[int, int] | None = None
    strips: Sequence[Strip] = ()

    @property
    def span_ms(self) -> tuple[int, int]:
        """The first and the last time that it shows."""
        return self.shown_ms or (int(self.times_ms[0]), int(self.times_ms[-1]))

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest value that it shows, with a margin."""
        known = self.values[np.isfinite(self.values)]
        least, greatest = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        margin = 0.06 * (greatest - least) or max(1.0, 0.06 * abs(greatest))
        return least - margin, greatest + margin


def ticks(first_ms: int, last_ms: int, count_max: int) -> Iterator[tuple[int, str]]:
    """Round times of a span, at most so many and one more, each as people write it: hours of short spans, days of long ones."""
    span_ms = last_ms - first_ms
    days = -(-span_ms // (count_max * DAY_MS))
    step_ms = next((step for step in _STEPS_MS if span_ms <= step * count_max), days * DAY_MS)
    round_ms = min(step_ms, DAY_MS)
    for time_ms in range(-(-first_ms // round_ms) * round_ms, last_ms + 1, step_ms):
        text = str(np.datetime64(time_ms, "ms"))
        yield time_ms, text[5:10] if time_ms % DAY_MS == 0 else text[11:16]


def amount(value: float, unit: str) -> str:
    """A value for an axis: with its unit, or else three digits with G, M and k for thousands of thousands and so on."""
    if unit:
        return amount_text(value, unit)
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if sign == ' k' else size):.3g}{sign}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
