"""Windows of payloads: how many records and bytes each series has in each window of event time, and how late they are.

Of the delays from event time to broker, and of how far records lie behind the greatest event time before them in their source partition, there is a
`quantile_sketch` for each window.

The window in which a series begins says nothing of its volume, since it may have begun in its midst, and is left out. A window
without payloads gives none: that they have ceased is for freshness to say.
"""

from typing import NamedTuple

import msgspec
import numpy as np

from detectors.core.layout import Records
from detectors.parts import delay_key, volume_keys
from detectors.quantile_sketch import counted, quantile
from detectors.samples import UNKNOWN_DELAY, Key
from detectors.series import Labels, Signal


class Ended(NamedTuple):
    """A window of the series at `place` that is over, and its last payload (source, offset)."""

    place: int
    end_ms: int
    records: int
    bytes: int
    delays: dict[int, int]
    behind: dict[int, int]
    source: int
    offset: int


def measures_of(ended: Ended, labels: Labels) -> list[tuple[Key, float]]:
    """What is followed of a window of the series with these labels: each amount with the key of its own series.

    Delays from event time to broker are there only where records say their event time; half of them, and one in a hundred, are longer. Of
    records that come behind others, one in a hundred lies further behind.
    """
    records, size = volume_keys(labels)
    measures = [(records, float(ended.records)), (size, float(ended.bytes))]
    if ended.delays:
        for measure, share in (("p50", 0.5), ("p99", 0.99)):
            measures.append((delay_key(Signal.LATENCY, labels, measure), quantile(ended.delays, share)))
    measures.append((delay_key(Signal.LATENESS, labels, "p99"), quantile(ended.behind, 0.99)))
    return measures


class Window(msgspec.Struct, array_like=True):
    """A window under way, and its last payload (source, offset); `first`: it is the one in which its series begins."""

    number: int
    records: int
    bytes: int
    source: int
    offset: int
    first: bool
    delays: dict[int, int] = {}
    behind: dict[int, int] = {}


class RecordWindows:
    """The window of each series that is under way, by the place of its follower."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._windows: dict[int, Window] = {}
        self._earliest = 0

    def take(self, rows: Records, before_ms: int) -> list[Ended]:
        """Count payloads up to `before_ms`; the windows that end on the way.

        `rows` are PAYLOAD_ROW records, one follower after the other, those of each in their order.
        """
        ended: list[Ended] = []
        if len(rows):
            self._count(rows, ended)
        number = before_ms // self._window_ms
        if self._windows and self._earliest < number:
            for place, window in sorted(self._windows.items()):
                if window.number < number and window.records:
                    self._end(place, window, ended)
            self._earliest = number
        return ended

    def _count(self, rows: Records, ended: list[Ended]) -> None:
        numbers = rows["order_ms"] // self._window_ms
        starts = np.flatnonzero((np.diff(rows["follower"]) != 0) | (np.diff(numbers) != 0)) + 1
        starts = np.append(0, starts)
        lasts = np.append(starts[1:], len(rows)) - 1
        sizes = np.add.reduceat(rows["size"].astype(np.int64), starts)
        for start, last, size in zip(starts.tolist(), lasts.tolist(), sizes.tolist(), strict=True):
            row = rows[last]
            number = int(numbers[last])
            window = self._window(int(row["follower"]), number, ended)
            window.records += last - start + 1
            window.bytes += int(size)
            delays, behind = rows["delay_ms"][start : last + 1], rows["behind_ms"][start : last + 1]
            window.delays = counted(window.delays, delays[delays != UNKNOWN_DELAY])
            window.behind = counted(window.behind, behind)
            window.source, window.offset = int(row["source"]), int(row["offset"])
            self._earliest = min(self._earliest, number)

    def _window(self, place: int, number: int, ended: list[Ended]) -> Window:
        window = self._windows.get(place)
        if window is None:
            window = self._windows[place] = Window(number, 0, 0, 0, 0, first=True, delays={}, behind={})
        elif window.number != number:
            self._end(place, window, ended)
            window.number = number
        return window

    def _end(self, place: int, window: Window, ended: list[Ended]) -> None:
        """End a window; it is empty afterwards, and waits for the series' next one."""
        if window.records and not window.first:
            end_ms = (window.number + 1) * self._window_ms
            sums = window.records, window.bytes, window.delays, window.behind
            ended.append(Ended(place, end_ms, *sums, window.source, window.offset))
        window.first = False
        window.delays, window.behind = {}, {}
        window.records = window.bytes = 0

    def forget(self, place: int) -> None:
        """The follower at `place` was given up."""
        self._windows.pop(place, None)

    def dump(self) -> dict[int, Window]:
        """The windows that are under way, the same however their payloads came in."""
        for window in self._windows.values():
            window.delays, window.behind = (
                dict(sorted(window.delays.items())),
                dict(sorted(window.behind.items())),
            )
        return dict(sorted(self._windows.items()))

    def load(self, windows: object) -> None:
        """Take over dumped windows."""
        self._windows = msgspec.convert(windows, dict[int, Window])
        self._earliest = 0
