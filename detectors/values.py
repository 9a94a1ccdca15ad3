"""Values: samples of metrics, which need no memory beyond their own series."""

from typing import Any

from detectors.numeric import Kind
from detectors.numeric_series import NumericSeries
from detectors.samples import Key
from detectors.series import Signal
from detectors.shard import Followed, Position, Shard


class ValueFollower:
    """Follows one series of numeric samples that arrives as such."""

    def __init__(self, shard: Shard, key: Key) -> None:
        self.key = key
        kind = Kind.RUNS if key.kind == Signal.VOLUME else Kind.VALUES
        self._series = NumericSeries(shard, Signal(key.kind), key.labels, key.unit, kind, key.owner)

    def apply(self, time_ms: int, position: Position, value: float, *, late: bool) -> None:
        """Judge and learn one sample, a late one as any other."""
        self._series.judge(time_ms, value, time_ms, position)

    def followed(self) -> list[Followed]:
        """What is known of the series."""
        return [self._series.followed()]

    def dump(self) -> Any:
        """The state as plain values."""
        return self._series.dump()

    def load(self, state: Any) -> None:
        """Take over a dumped state."""
        self._series.load(state)
