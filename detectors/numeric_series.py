"""One numeric series: its slot in the bank, its settings, and the verdicts that its judgements become."""

from math import isnan
from typing import Any

import msgspec

from detectors.core.layout import WARM_UP
from detectors.interest import Interest
from detectors.numeric import Direction as Side
from detectors.numeric import Judgement, Kind, Method
from detectors.series import Labels, Signal
from detectors.shard import Followed, Position, Shard, source_positions
from detectors.verdicts import Baseline, Change, Direction, Reason, SourcePosition, Verdict

TOO_LONG_FACTOR_MIN = 1.5
_SIDES = {"both": Side.BOTH, "up": Side.UP, "down": Side.DOWN}


class _State(msgspec.Struct, array_like=True):
    slot: int
    n: int = 0
    since_ms: int = -1
    last_ms: int = -1
    latest: float = 0.0
    interest: Interest = msgspec.field(default_factory=Interest)


class NumericSeries:
    """Judges the samples of one numeric series and tells the shard what triage has to know."""

    def __init__(
        self, shard: Shard, signal: Signal, labels: Labels, unit: str, kind: Kind, owner: str
    ) -> None:
        self._shard, self._signal, self._labels, self._unit, self._owner = shard, signal, labels, unit, owner
        self._kind = kind
        self._state: _State | None = None

    def judge(self, time_ms: int, value: float, start_ms: int, *positions: Position | None) -> None:
        """Judge one sample and learn it; `start_ms` is where the span it measures began."""
        state = self._slot()
        judgement = self._shard.bank.judge(state.slot, time_ms, value)
        if state.interest.wants(time_ms, judgement.anomalous):
            places = source_positions(*positions)
            self._shard.verdicts.append(self._verdict(time_ms, value, start_ms, places, judgement))
        state.n, state.since_ms, state.last_ms = judgement.n + 1, judgement.since_ms, time_ms
        state.latest = value

    def upper_limit(self, time_ms: int) -> float | None:
        """The greatest value that is ordinary at `time_ms`, and at least half above the expected; None: not known."""
        if self._state is None:
            return None
        limits = self._shard.bank.limits(self._state.slot, time_ms)
        if isnan(limits.upper):
            return None
        return max(limits.upper, TOO_LONG_FACTOR_MIN * limits.expected)

    def report_too_long(self, time_ms: int, start_ms: int, position: Position) -> None:
        """Say that a run which began at `start_ms` is still open; it teaches nothing."""
        state = self._slot()
        limits = self._shard.bank.limits(state.slot, time_ms)
        state.interest.wants(time_ms, True)
        observed = float(time_ms - start_ms)
        self._shard.verdicts.append(
            Verdict(
                signal=self._signal,
                labels=self._labels,
                detector="running_too_long",
                time_ms=time_ms,
                window_start_ms=start_ms,
                window_end_ms=time_ms,
                anomalous=True,
                reason=Reason.RUNNING_TOO_LONG,
                change=Change.POINT,
                baseline=Baseline("upper_limit", state.n, state.since_ms, state.last_ms, state.n < WARM_UP),
                positions=source_positions(position),
                severity_score=1.0,
                unit=self._unit,
                observed=observed,
                expected=limits.expected,
                lower=0.0,
                upper=observed,
                direction=Direction.UP,
                owner=self._owner,
            )
        )

    def _verdict(
        self,
        time_ms: int,
        value: float,
        start_ms: int,
        positions: tuple[SourcePosition, ...],
        judgement: Judgement,
    ) -> Verdict:
        above = value > judgement.expected
        side = (
            (Reason.ABOVE_RANGE if above else Reason.BELOW_RANGE) if judgement.anomalous else Reason.ORDINARY
        )
        return Verdict(
            signal=self._signal,
            labels=self._labels,
            detector=Method(judgement.method).name.lower(),
            time_ms=time_ms,
            window_start_ms=start_ms,
            window_end_ms=time_ms,
            anomalous=judgement.anomalous,
            reason=side,
            change=Change.POINT,
            baseline=Baseline(
                Method(judgement.method).name.lower(),
                judgement.n,
                judgement.since_ms,
                self._slot().last_ms,
                judgement.warming,
            ),
            positions=positions,
            severity_score=judgement.score,
            unit=self._unit,
            observed=value,
            expected=_known(judgement.expected),
            lower=_known(judgement.lower),
            upper=_known(judgement.upper),
            p_value=_known(judgement.p_value),
            direction=(Direction.UP if above else Direction.DOWN) if judgement.anomalous else None,
            owner=self._owner,
        )

    def _slot(self) -> _State:
        """The series' state; its slot in the bank is taken with the first sample."""
        if self._state is None:
            settings = self._shard.settings.for_series(self._signal, dict(self._labels))
            slot = self._shard.bank.add(
                self._kind,
                direction=_SIDES[settings.direction],
                false_alarms_per_day=settings.false_alarms_per_day,
                min_effect=settings.min_effect,
            )
            self._state = _State(slot)
        return self._state

    def followed(self) -> Followed:
        """What is known of the series."""
        state = self._slot()
        return Followed(self._signal, self._labels, self._unit, state.n, state.latest)

    def dump(self) -> Any:
        """The state as plain values; the numbers themselves lie in the bank."""
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state; the bank has been loaded already, and gets today's settings."""
        self._state = msgspec.convert(state, _State | None)
        if self._state is not None and self._shard.retuned:
            settings = self._shard.settings.for_series(self._signal, dict(self._labels))
            self._shard.bank.configure(
                self._state.slot,
                direction=_SIDES[settings.direction],
                false_alarms_per_day=settings.false_alarms_per_day,
                min_effect=settings.min_effect,
            )


def _known(number: float) -> float | None:
    return None if isnan(number) else number
