"""Freshness: says when a run that was due has not come, and when it comes after all."""

from typing import Any

import msgspec

from detectors.interest import Interest
from detectors.series import Labels, Signal
from detectors.shard import Followed, Position, Shard, source_positions
from detectors.silence import Cadence
from detectors.verdicts import Baseline, Change, Direction, Reason, Verdict

DETECTOR = "cadence"
PURPOSE = "silence"


class _State(msgspec.Struct, array_like=True):
    cadence: Cadence = msgspec.field(default_factory=Cadence)
    interest: Interest = msgspec.field(default_factory=Interest)
    first_ms: int = -1
    due_ms: int = -1
    arrivals: int = 0
    last: list[Any] | None = None


class FreshnessSeries:
    """Follows the arrivals of one label set's runs.

    At most one timer is set at a time: an arrival moves `due_ms` on, and a timer that runs out before it is set anew.
    """

    def __init__(self, shard: Shard, labels: Labels, owner: str) -> None:
        self._shard, self._labels, self._owner = shard, labels, owner
        self._settings = shard.settings.for_series(Signal.FRESHNESS, dict(labels))
        self._state = _State()

    @property
    def typical_gap_ms(self) -> int:
        """The median gap between arrivals."""
        return self._state.cadence.typical_ms

    def arrive(self, time_ms: int, position: Position) -> None:
        """Learn an arrival, and end a silence if there was one."""
        state = self._state
        gap_ms = time_ms - state.cadence.last_ms
        if state.arrivals and time_ms > state.cadence.last_ms and state.interest.wants(time_ms, False, True):
            self._report(time_ms, gap_ms, Reason.RUN_ARRIVED, position)
        due_ms = state.cadence.arrive(time_ms, self._settings.false_alarms_per_day)
        state.first_ms = time_ms if state.first_ms < 0 else state.first_ms
        state.arrivals += 1
        state.last = list(position)
        if due_ms is not None:
            was_set, state.due_ms = state.due_ms >= 0, due_ms
            if not was_set:
                self.set_timer()

    def set_timer(self) -> None:
        """Ask to be called when the next run is due."""
        if self._state.due_ms >= 0:
            self._shard.timers.set(self._state.due_ms, self._labels, PURPOSE, 0, self)

    def expire(self, purpose: str, token: int, due_ms: int) -> None:
        """The run was due at `due_ms`, unless one has come since."""
        state = self._state
        if state.due_ms > due_ms:
            self.set_timer()
            return
        state.due_ms = -1
        state.interest.wants(due_ms, True)
        self._report(due_ms, due_ms - state.cadence.last_ms, Reason.RUN_OVERDUE, None)

    def _report(self, time_ms: int, gap_ms: int, reason: Reason, position: Position | None) -> None:
        state = self._state
        overdue = reason is Reason.RUN_OVERDUE
        last = None if state.last is None else Position(*state.last)
        self._shard.verdicts.append(
            Verdict(
                signal=Signal.FRESHNESS,
                labels=self._labels,
                detector=DETECTOR,
                time_ms=time_ms,
                window_start_ms=state.cadence.last_ms,
                window_end_ms=time_ms,
                anomalous=overdue,
                reason=reason,
                change=Change.SILENCE,
                baseline=Baseline(
                    DETECTOR,
                    state.arrivals,
                    state.first_ms,
                    state.cadence.last_ms,
                    warming=state.arrivals < 32,
                ),
                positions=source_positions(position or last),
                severity_score=1.0 if overdue else 0.0,
                unit="ms",
                observed=float(gap_ms),
                expected=float(state.cadence.typical_ms),
                lower=0.0,
                upper=float(state.cadence.allowed_ms),
                direction=Direction.UP if overdue else None,
                owner=self._owner,
            )
        )

    def followed(self) -> Followed:
        """What is known of the series; the latest is the gap before the last arrival, ms."""
        gaps = self._state.cadence.gaps
        return Followed(
            Signal.FRESHNESS, self._labels, "ms", self._state.arrivals, float(gaps[-1]) if gaps else None
        )

    def dump(self) -> Any:
        """The state as plain values."""
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state, timer included."""
        self._state = msgspec.convert(state, _State)
        self.set_timer()
