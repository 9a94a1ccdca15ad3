"""Triage: the third stage. Turns verdicts into episodes, and each change of an episode's state into one alert."""

from collections import Counter
from typing import Any

import msgspec

from detectors.alerts import (
    SCHEMA_VERSION,
    Alert,
    AlertBaseline,
    AlertSeries,
    Effect,
    Kind,
    Mode,
    State,
    Window,
)
from detectors.episodes import Episode, Transition
from detectors.ledger import Ledger, load_ledger
from detectors.series import content_id, series_text
from detectors.settings import Settings
from detectors.stage import Count
from detectors.verdicts import AnomalyBatch, Reason, Verdict
from detectors.wording import recovery, summary, time_text

FORMAT = 2
LEDGER = "budget"
"""The chunk of the state that holds the ledger."""


class OpenEpisode(msgspec.Struct):
    """An episode that has not ended: who it is, and how far its story has been told."""

    alert_id: str
    starts_at_ms: int
    sequence: int
    episode: Episode
    worst: Verdict


class Triage:
    """Every episode of one anomalies partition; `wall_ms` is the wall clock of the record last folded in."""

    def __init__(self, settings: Settings, mode: Mode) -> None:
        self._settings, self._mode = settings, mode
        self.covered_offset = -1
        self.wall_ms = 0
        self._fences: dict[int, int] = {}
        self._open: dict[str, dict[str, OpenEpisode]] = {}
        self._counts: Counter[Count] = Counter()
        self.ledger = Ledger()

    def step(self, offset: int, payload: bytes) -> list[Alert]:
        """Fold in one record of the anomalies topic; the alerts are to be published.

        Raises:
            ValueError: the payload is no anomaly batch of this version.
        """
        batch = AnomalyBatch.from_bytes(payload)
        self.covered_offset, self.wall_ms = offset, batch.wall_ms
        if batch.offset <= self._fences.get(batch.shard, -1):
            self._counts["fenced", "anomalies"] += 1
            return []
        self._fences[batch.shard] = batch.offset
        self.ledger.note(batch)
        return [alert for verdict in batch.verdicts for alert in self._judge(verdict, batch.wall_ms)]

    def _judge(self, verdict: Verdict, wall_ms: int) -> list[Alert]:
        series = series_text(_kind(verdict), verdict.labels)
        if verdict.muted:
            return self._mute(verdict)
        if verdict.anomalous:
            return self._anomalous(series, verdict, wall_ms)
        return self._ordinary(series, verdict, wall_ms)

    def _anomalous(self, series: str, verdict: Verdict, wall_ms: int) -> list[Alert]:
        episodes = self._open.setdefault(series, {})
        change = verdict.schema_change
        part = f"{change.change} {change.path}" if change else ""
        known = episodes.get(part)
        if known is None:
            alert_id = content_id(series, part, verdict.detector, verdict.time_ms, *_places(verdict))
            known = episodes[part] = OpenEpisode(alert_id, verdict.time_ms, 0, Episode(), verdict)
        transition = known.episode.advance(verdict.time_ms, True, verdict.severity_score)
        if transition is None:
            if verdict.reason not in (Reason.BASELINE_SHIFT_PROPOSED, Reason.UNIT_CHANGED):
                return []
            return [self._tell(known, verdict, State.FIRING, Transition.CONTINUED, wall_ms)]
        if transition is Transition.OPENED:
            self.ledger.spend(verdict)
        known.worst = verdict
        return [self._tell(known, verdict, State.FIRING, transition, wall_ms)]

    def _mute(self, verdict: Verdict) -> list[Alert]:
        self._counts["muted", _kind(verdict)] += 1
        self.ledger.mute(verdict)
        return []

    def _ordinary(self, series: str, verdict: Verdict, wall_ms: int) -> list[Alert]:
        alerts = []
        episodes = self._open.get(series, {})
        for part, known in list(episodes.items()):
            transition = known.episode.advance(
                verdict.time_ms, False, verdict.severity_score, conclusive=verdict.reason.conclusive
            )
            if transition is Transition.RESOLVED:
                alerts.append(self._tell(known, verdict, State.RESOLVED, transition, wall_ms))
                del episodes[part]
        if not episodes:
            self._open.pop(series, None)
        return alerts

    def _tell(
        self, known: OpenEpisode, verdict: Verdict, state: State, transition: Transition, wall_ms: int
    ) -> Alert:
        known.sequence += 1
        resolved = state is State.RESOLVED
        labels = dict(verdict.labels)
        settings = self._settings.for_series(verdict.signal, labels)
        kind = _kind(verdict)
        return Alert(
            schema_version=SCHEMA_VERSION,
            event_id=content_id(known.alert_id, known.sequence, state),
            alert_id=known.alert_id,
            fingerprint=content_id(kind, series_text(verdict.signal, verdict.labels)),
            sequence=known.sequence,
            state=state,
            transition_reason=f"{transition}: {verdict.reason}",
            starts_at=time_text(known.starts_at_ms),
            updated_at=time_text(verdict.time_ms),
            ends_at=time_text(max(verdict.time_ms, known.starts_at_ms)) if resolved else None,
            detected_at=time_text(wall_ms),
            detection_delay_ms=max(0, wall_ms - verdict.time_ms),
            kind=kind,
            severity=settings.severity,
            summary=recovery(verdict, known.starts_at_ms) if resolved else summary(verdict),
            labels={**labels, "kind": kind},
            annotations=_annotations(known.worst),
            owner=settings.owner or verdict.owner or None,
            runbook_url=settings.runbook_url,
            series=AlertSeries(verdict.signal, labels, verdict.unit),
            window=Window(time_text(verdict.window_start_ms), time_text(verdict.window_end_ms)),
            observed=verdict.observed,
            expected=verdict.expected,
            lower=verdict.lower,
            upper=verdict.upper,
            p_value=verdict.p_value,
            effect=_effect(verdict),
            direction=verdict.direction,
            change=verdict.change,
            baseline=_baseline(verdict),
            source_positions=list(verdict.positions),
            schema_change=known.worst.schema_change,
            root_cause=None,
            children=[],
            config_hash=self._settings.config_hash,
            mode=self._mode,
        )

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        return {"episodes": sum(len(parts) for parts in self._open.values()), **self.ledger.gauges()}

    def dump(self) -> dict[str, bytes]:
        """The state as chunks."""
        head = [FORMAT, self.covered_offset, self._fences, self._open]
        return {"head": msgspec.msgpack.encode(head), LEDGER: self.ledger.dump()}

    def changed(self) -> dict[str, bytes]:
        """The state as chunks, all of them."""
        return self.dump()

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: the state was written by another version.
        """
        version, *state = msgspec.msgpack.decode(chunks["head"], type=list[Any])
        if version != FORMAT:
            raise ValueError(f"triage state of format {version}; this worker reads format {FORMAT}")
        self.covered_offset, self._fences, self._open = msgspec.convert(
            state, tuple[int, dict[int, int], dict[str, dict[str, OpenEpisode]]]
        )
        self.ledger = load_ledger(chunks[LEDGER])


def _kind(verdict: Verdict) -> Kind:
    return Kind.DETECTOR_HEALTH if verdict.reason.of_health else Kind(verdict.signal)


def _places(verdict: Verdict) -> list[str | int]:
    return [
        part
        for place in verdict.positions
        for part in (place.topic, place.partition, place.first_offset, place.last_offset)
    ]


def _annotations(verdict: Verdict) -> dict[str, str]:
    return {"error": verdict.error} if verdict.error else {}


def _effect(verdict: Verdict) -> Effect:
    if verdict.observed is None or verdict.expected is None:
        return Effect(None, None)
    absolute = verdict.observed - verdict.expected
    return Effect(absolute, absolute / abs(verdict.expected) if verdict.expected else None)


def _baseline(verdict: Verdict) -> AlertBaseline:
    baseline = verdict.baseline
    return AlertBaseline(
        baseline.method,
        baseline.n,
        time_text(baseline.from_ms),
        time_text(baseline.to_ms),
        baseline.warming,
        baseline.pooled,
    )
