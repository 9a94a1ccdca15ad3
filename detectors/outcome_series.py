"""One series of yes/no outcomes (failures, duplicates), and the verdicts that its judgements become."""

from typing import Any

import msgspec

from detectors.budget import coarse_alpha_for
from detectors.interest import Interest
from detectors.rates import Rate, RateJudgement
from detectors.series import Labels, Signal
from detectors.shard import Followed, Position, Shard, source_positions
from detectors.verdicts import Baseline, Change, Direction, Reason, Verdict

DETECTOR = "beta_binomial_rate"
_REASONS = {Signal.FAILURES: Reason.TOO_MANY_FAILURES, Signal.DUPLICATES: Reason.TOO_MANY_DUPLICATES}


class _State(msgspec.Struct, array_like=True):
    rate: Rate = msgspec.field(default_factory=Rate)
    interest: Interest = msgspec.field(default_factory=Interest)
    first_ms: int = -1
    last_ms: int = -1


class OutcomeSeries:
    """Judges the outcomes of one series; `signal` is FAILURES or DUPLICATES."""

    def __init__(self, shard: Shard, signal: Signal, labels: Labels, owner: str) -> None:
        self._shard, self._signal, self._labels, self._owner = shard, signal, labels, owner
        self._settings = shard.settings.for_series(signal, dict(labels))
        self._state = _State()

    def judge(
        self, time_ms: int, outcome: bool, interval_ms: float, position: Position, error: str = ""
    ) -> None:
        """Judge one outcome and learn it; `interval_ms` is how often outcomes come, for the budget."""
        state = self._state
        if outcome or state.rate.recent_yes or state.interest.alive:
            alpha = coarse_alpha_for(self._settings.false_alarms_per_day, interval_ms)
            judgement = state.rate.judge(outcome, alpha)
            if state.interest.wants(time_ms, judgement.anomalous):
                self._shard.verdicts.append(self._verdict(time_ms, judgement, position, error))
        else:
            state.rate.learn_no()
        if state.first_ms < 0:
            state.first_ms = time_ms
        state.last_ms = time_ms

    def _verdict(self, time_ms: int, judgement: RateJudgement, position: Position, error: str) -> Verdict:
        state = self._state
        return Verdict(
            signal=self._signal,
            labels=self._labels,
            detector=DETECTOR,
            time_ms=time_ms,
            window_start_ms=time_ms,
            window_end_ms=time_ms,
            anomalous=judgement.anomalous,
            reason=_REASONS[self._signal] if judgement.anomalous else Reason.ORDINARY,
            change=Change.POINT,
            baseline=Baseline(
                DETECTOR, judgement.n, state.first_ms, state.last_ms, warming=judgement.n < 100
            ),
            positions=source_positions(position),
            severity_score=judgement.observed / max(judgement.upper, judgement.expected),
            unit="share",
            observed=judgement.observed,
            expected=judgement.expected,
            lower=0.0,
            upper=judgement.upper,
            p_value=judgement.p_value,
            direction=Direction.UP if judgement.anomalous else None,
            owner=self._owner,
            error=error,
        )

    def followed(self) -> Followed:
        """What is known of the series; the latest outcome is 1 for yes."""
        rate = self._state.rate
        latest = float(rate.recent[-1] > 0) if rate.recent else None
        return Followed(self._signal, self._labels, "share", rate.n, latest)

    def dump(self) -> Any:
        """The state as plain values."""
        return msgspec.to_builtins(self._state)

    def load(self, state: Any) -> None:
        """Take over a dumped state."""
        self._state = msgspec.convert(state, _State)
