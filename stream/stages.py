"""The deciding stages as the worker and the backtest run them: built from the configuration, their alerts as records."""

from collections import Counter

from detectors.alerts import FIRST_SEQUENCE, Alert, Mode
from detectors.detect import Detect
from detectors.orders import AcceptLevel, Order, Relearn, encode
from detectors.outputs import Destination, Output
from detectors.series import shard_of
from detectors.settings import Settings
from detectors.stage import Count, Stage
from detectors.triage import Triage
from detectors.warm_start import History
from stream.alert_records import alert_outputs, shadow_output
from stream.alert_states import AlertStates
from stream.answers import answer_output


def detect_stage(settings: Settings, shard: int, history: History | None = None) -> Stage:
    """The detect stage of one samples partition, of which `history` reads what is retained."""
    return Detect(settings, shard, history=history)


def triage_stage(settings: Settings, mode: Mode = Mode.LIVE) -> Stage:
    """The triage stage of one anomalies partition."""
    return TriageStage(Triage(settings, mode), settings.shards, mode)


class TriageStage:
    """Triage whose alerts leave as records of the alert topics."""

    is_to_be_stored = False

    def __init__(self, triage: Triage, shards: int, mode: Mode = Mode.LIVE) -> None:
        self._triage, self._states, self._shards, self._mode = triage, AlertStates(), shards, mode

    @property
    def covered_offset(self) -> int:
        """Offset of the last record folded in; -1 before the first."""
        return self._triage.covered_offset

    def step(self, offset: int, payload: bytes) -> list[Output]:
        """Fold in one record of the anomalies topic; the outputs go to the alert topics.

        Raises:
            ValueError: the payload is no anomaly batch of this version.
        """
        outputs = [output for alert in self._triage.step(offset, payload) for output in self._records(alert)]
        answers = [answer_output(answer) for answer in self._triage.take_answers()]
        orders = [output for order in self._triage.take_orders() for output in self._order_outputs(order)]
        return outputs + answers + orders + self._states.due(self._triage.wall_ms)

    def _order_outputs(self, order: Order) -> list[Output]:
        shards = range(self._shards)
        if isinstance(order, Relearn | AcceptLevel):
            shards = range(shard := shard_of(order.labels, self._shards), shard + 1)
        return [Output(Destination.SAMPLES, None, encode(order), shard) for shard in shards]

    def _records(self, alert: Alert) -> list[Output]:
        if alert.mode is not self._mode:
            return [shadow_output(alert)]
        entry, state = alert_outputs(alert)
        if alert.sequence > FIRST_SEQUENCE:
            self._states.wrote(state, self._triage.wall_ms)
        return [entry, state]

    def dump(self) -> dict[str, bytes]:
        """The state as chunks."""
        return {**self._triage.dump(), **self._states.dump()}

    def changed(self) -> dict[str, bytes]:
        """The chunks of `dump` that may have changed since this was last called."""
        return {**self._triage.changed(), **self._states.dump()}

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state."""
        self._triage.load(chunks)
        self._states.load(chunks)

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        return self._triage.take_counts()

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        return {**self._triage.gauges(), "states_to_repeat": len(self._states)}
