"""Events per window: the volume of run events themselves, for pipelines that send many."""

from typing import Any

import msgspec

from detectors.numeric import Kind
from detectors.numeric_series import NumericSeries
from detectors.series import Labels, Signal
from detectors.shard import Followed, Position, Shard

EVENTS_PER_WINDOW_MIN = 10.0
MEAN_WEIGHT = 0.1
MEASURE = "events"
PURPOSE = "window"


class _State(msgspec.Struct, array_like=True):
    window: int = -1
    count: int = 0
    mean: float = 0.0
    first: list[Any] | None = None
    last: list[Any] | None = None
    series: Any = None


class EventCounts:
    """Counts the events of one label set in fixed windows of event time, and judges each window's count.

    A window is judged when it ends, and only while windows hold ten events or more on average: below that, and for
    windows without any event, freshness says more than a count can.
    """

    def __init__(self, shard: Shard, labels: Labels, owner: str) -> None:
        self._shard, self._labels, self._owner = shard, labels, owner
        self._window_ms = shard.settings.window_ms
        self._state = _State()
        self._series: NumericSeries | None = None

    def count(self, time_ms: int, position: Position) -> None:
        """Count one event."""
        state = self._state
        window = time_ms // self._window_ms
        if window > state.window:
            if state.window >= 0:
                self._close(window)
            state.window, state.count, state.first = window, 0, list(position)
            if state.mean >= EVENTS_PER_WINDOW_MIN:
                self._set_timer()
        state.count += 1
        state.last = list(position)

    def expire(self, purpose: str, token: int, due_ms: int) -> None:
        """The window `token` has ended."""
        if self._state.window == token and self._state.count:
            self._close(token + 1)

    def _close(self, next_window: int) -> None:
        """Judge the open window's count; `next_window` is the next one that may hold events."""
        state = self._state
        if state.count:
            if state.mean >= EVENTS_PER_WINDOW_MIN:
                self._judge()
            state.mean += (MEAN_WEIGHT if state.mean else 1.0) * (state.count - state.mean)
            state.count = 0
        empty = next_window - state.window - 1
        state.mean *= (1 - MEAN_WEIGHT) ** empty
        state.window = next_window - 1

    def _judge(self) -> None:
        state = self._state
        if self._series is None:
            self._series = self._new_series()
        start_ms = state.window * self._window_ms
        places = (Position(*place) for place in (state.first, state.last) if place is not None)
        self._series.judge(start_ms + self._window_ms, float(state.count), start_ms, *places)

    def _new_series(self) -> NumericSeries:
        labels = tuple(sorted((*self._labels, ("measure", MEASURE))))
        return NumericSeries(self._shard, Signal.VOLUME, labels, MEASURE, Kind.RUNS, self._owner)

    def _set_timer(self) -> None:
        window = self._state.window
        self._shard.timers.set((window + 1) * self._window_ms, self._labels, PURPOSE, window, self)

    def followed(self) -> list[Followed]:
        """What is known of the series, once windows are judged."""
        return [] if self._series is None else [self._series.followed()]

    def dump(self) -> Any:
        """The state as plain values."""
        self._state.series = None if self._series is None else self._series.dump()
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state, timer included."""
        self._state = msgspec.convert(state, _State)
        if self._state.series is not None:
            self._series = self._new_series()
            self._series.load(self._state.series)
        if self._state.window >= 0 and self._state.count and self._state.mean >= EVENTS_PER_WINDOW_MIN:
            self._set_timer()
