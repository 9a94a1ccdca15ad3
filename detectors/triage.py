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
    RootCause,
    State,
    Window,
)
from detectors.episodes import Episode, Transition
from detectors.incidents import APART, JOIN_MS, Incident, OpenEpisode, Who, group_name, stands_out
from detectors.ledger import Ledger, load_ledger
from detectors.series import content_id, series_text
from detectors.settings import Settings
from detectors.stage import Count
from detectors.verdicts import AnomalyBatch, Change, Reason, Verdict
from detectors.wording import joined, recovery, summary, time_text

FORMAT = 4
FORGET_MS = 30 * 86_400_000
LEDGER = "budget"
"""The chunk of the state that holds the ledger."""


class Triage:
    """Every episode of one anomalies partition; `wall_ms` is the wall clock of the record last folded in."""

    def __init__(self, settings: Settings, mode: Mode) -> None:
        self._settings, self._mode = settings, mode
        self.covered_offset = -1
        self.wall_ms = 0
        self._fences: dict[int, int] = {}
        self._incidents: dict[str, list[Incident]] = {}
        self._swept_ms = 0
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
        self._forget_incidents()
        return [alert for verdict in batch.verdicts for alert in self._judge(verdict, batch.wall_ms)]

    def _forget_incidents(self) -> None:
        """Once a day, those that are over in groups of which nothing is heard any more; far later than it could matter."""
        before_ms = self.ledger.now_ms - FORGET_MS
        if before_ms - self._swept_ms < JOIN_MS:
            return
        self._swept_ms = before_ms
        for group, incidents in list(self._incidents.items()):
            self._keep(group, [it for it in incidents if not it.is_forgotten(before_ms)])

    def _keep(self, group: str, incidents: list[Incident]) -> None:
        if incidents:
            self._incidents[group] = incidents
        else:
            self._incidents.pop(group, None)

    def _judge(self, verdict: Verdict, wall_ms: int) -> list[Alert]:
        if verdict.muted:
            return self._mute(verdict)
        if verdict.anomalous:
            return self._anomalous(verdict, wall_ms)
        return self._ordinary(verdict, wall_ms)

    def _anomalous(self, verdict: Verdict, wall_ms: int) -> list[Alert]:
        series, part = series_text(_kind(verdict), verdict.labels), _part(verdict)
        incidents = self._remembered(verdict)
        found = _find(incidents, series, (APART, part) if verdict.change is Change.POINT else (part,))
        if found is None:
            return self._opens(incidents, series, part, verdict, wall_ms)
        if stands_out(found[1].worst, verdict):
            return self._opens(incidents, series, APART, verdict, wall_ms)
        return self._goes_on(*found, verdict, wall_ms)

    def _remembered(self, verdict: Verdict) -> list[Incident]:
        """The incidents of a verdict's group, less those that are long over."""
        group = group_name(verdict)
        incidents = [it for it in self._incidents.get(group, []) if not it.is_forgotten(verdict.time_ms)]
        self._incidents[group] = incidents
        return incidents

    def _opens(
        self, incidents: list[Incident], series: str, part: str, verdict: Verdict, wall_ms: int
    ) -> list[Alert]:
        who = self._who(verdict)
        incident = next((it for it in reversed(incidents) if it.may_join(verdict, who)), None)
        if incident is not None and incident.is_over and incident.lead[0] == series:
            return [self._reopens(incident, verdict, wall_ms)]
        self.ledger.spend(verdict)
        opened = _opened(series, part, verdict)
        if incident is not None:
            incident.add(series, part, opened)
            return self._joins(incident, opened, part, verdict, wall_ms)
        time_ms = verdict.time_ms
        incident = Incident(who, (series, part), time_ms, time_ms, [_kind(verdict)], [], {})
        incident.add(series, part, opened)
        incidents.append(incident)
        return [self._tell(incident, opened, verdict, State.FIRING, Transition.OPENED, wall_ms)]

    def _reopens(self, incident: Incident, verdict: Verdict, wall_ms: int) -> Alert:
        """The alert of an incident that was over, whose lead has left its range again."""
        lead = incident.leading
        lead.recovered, lead.worst, lead.episode = None, verdict, _begun(verdict)
        incident.over_ms, incident.heard_ms, incident.told_ms = None, verdict.time_ms, verdict.time_ms
        return self._tell(incident, lead, verdict, State.FIRING, Transition.REOPENED, wall_ms)

    def _who(self, verdict: Verdict) -> Who:
        settings = self._settings.for_series(verdict.signal, dict(verdict.labels))
        return Who(settings.owner or verdict.owner or None, settings.severity)

    def _joins(
        self, incident: Incident, opened: OpenEpisode, part: str, verdict: Verdict, wall_ms: int
    ) -> list[Alert]:
        was_over, incident.over_ms = incident.is_over, None
        incident.heard_ms = max(incident.heard_ms, verdict.time_ms)
        news = incident.join(_kind(verdict), verdict, opened.alert_id, part)
        if was_over:
            again = self._tell_joined(incident, verdict, Transition.REOPENED, wall_ms)
            return [
                again,
                self._tell(incident, opened, verdict, State.SUPPRESSED, Transition.OPENED, wall_ms),
            ]
        alerts = [self._tell(incident, opened, verdict, State.SUPPRESSED, Transition.OPENED, wall_ms)]
        if news:
            alerts.append(self._tell_joined(incident, verdict, Transition.JOINED, wall_ms))
        return alerts

    def _tell_joined(
        self, incident: Incident, verdict: Verdict, transition: Transition, wall_ms: int
    ) -> Alert:
        """The lead's alert once more, at the time and with the words of what has joined it."""
        lead = incident.leading
        alert = self._tell(incident, lead, lead.worst, State.FIRING, transition, wall_ms)
        return msgspec.structs.replace(
            alert,
            transition_reason=f"{transition}: {verdict.reason}",
            updated_at=time_text(verdict.time_ms),
            detection_delay_ms=max(0, wall_ms - verdict.time_ms),
            summary=joined(lead.worst, verdict),
        )

    def _goes_on(self, incident: Incident, known: OpenEpisode, verdict: Verdict, wall_ms: int) -> list[Alert]:
        incident.heard_ms = max(incident.heard_ms, verdict.time_ms)
        back, known.recovered = known.recovered, None
        transition = known.episode.advance(verdict.time_ms, True, verdict.severity_score)
        if back is not None and verdict.time_ms - back.time_ms > JOIN_MS:
            transition = Transition.CONTINUED
        if transition is None:
            if verdict.reason not in (Reason.BASELINE_SHIFT_PROPOSED, Reason.UNIT_CHANGED):
                return []
            transition = Transition.CONTINUED
        if transition is not Transition.CONTINUED or back is not None:
            known.worst = verdict
        leads = incident.leads(known)
        if leads:
            incident.told_ms = max(incident.told_ms, verdict.time_ms)
        state = State.FIRING if leads else State.SUPPRESSED
        return [self._tell(incident, known, verdict, state, transition, wall_ms)]

    def _mute(self, verdict: Verdict) -> list[Alert]:
        self._counts["muted", _kind(verdict)] += 1
        self.ledger.mute(verdict)
        return []

    def _ordinary(self, verdict: Verdict, wall_ms: int) -> list[Alert]:
        series = series_text(_kind(verdict), verdict.labels)
        alerts = [
            alert
            for incident in self._remembered(verdict)
            if not incident.is_over
            for part in list(incident.open.get(series, {}))
            for alert in self._recovers(incident, series, part, verdict, wall_ms)
        ]
        self._keep(group_name(verdict), self._incidents[group_name(verdict)])
        return alerts

    def _recovers(
        self, incident: Incident, series: str, part: str, verdict: Verdict, wall_ms: int
    ) -> list[Alert]:
        """End an episode; of the lead only when no other one of its incident is open, and of the last other one the waiting lead, too."""
        known, lead = incident.open[series][part], incident.leading
        if known.recovered is not None or not known.episode.is_over(
            verdict.time_ms, conclusive=verdict.reason.conclusive
        ):
            return []
        if known is lead and incident.size > 1:
            known.recovered = verdict
            return []
        alerts = [self._tell(incident, known, verdict, State.RESOLVED, Transition.RESOLVED, wall_ms)]
        if known is lead:
            known.recovered, incident.over_ms = verdict, verdict.time_ms
            return alerts
        incident.drop(series, part)
        if incident.size == 1 and lead.recovered is not None:
            alerts.append(self._tell_over(incident, verdict, wall_ms))
            incident.over_ms = verdict.time_ms
        return alerts

    def _tell_over(self, incident: Incident, last: Verdict, wall_ms: int) -> Alert:
        """The end of a lead that waited for the last of those that had joined it."""
        lead = incident.leading
        recovered = lead.recovered or last
        alert = self._tell(incident, lead, recovered, State.RESOLVED, Transition.RESOLVED, wall_ms)
        time_ms = max(last.time_ms, recovered.time_ms)
        return msgspec.structs.replace(
            alert,
            updated_at=time_text(time_ms),
            ends_at=time_text(max(time_ms, lead.starts_at_ms)),
            detection_delay_ms=max(0, wall_ms - time_ms),
        )

    def _tell(
        self,
        incident: Incident,
        known: OpenEpisode,
        verdict: Verdict,
        state: State,
        transition: Transition,
        wall_ms: int,
    ) -> Alert:
        known.sequence += 1
        resolved = state is State.RESOLVED
        labels = dict(verdict.labels)
        settings = self._settings.for_series(verdict.signal, labels)
        kind, leads = _kind(verdict), incident.leads(known)
        cause = RootCause(incident.leading.alert_id, [incident.lead[0]])
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
            runbook_url=self._settings.runbook_url(kind, settings),
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
            root_cause=None if leads else cause,
            children=list(incident.children) if leads else [],
            config_hash=self._settings.config_hash,
            mode=self._mode,
        )

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        return counts

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        incidents = [it for group in self._incidents.values() for it in group if not it.is_over]
        return {
            "episodes": sum(it.size for it in incidents),
            "incidents": len(incidents),
            **self.ledger.gauges(),
        }

    def dump(self) -> dict[str, bytes]:
        """The state as chunks."""
        head = [FORMAT, self.covered_offset, self._fences, self._incidents]
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
        self.covered_offset, self._fences, self._incidents = msgspec.convert(
            state, tuple[int, dict[int, int], dict[str, list[Incident]]]
        )
        self.ledger = load_ledger(chunks[LEDGER])


def _find(
    incidents: list[Incident], series: str, parts: tuple[str, ...]
) -> tuple[Incident, OpenEpisode] | None:
    """The open episode of the first of some parts of a series that has one, and its incident."""
    for part in parts:
        for incident in incidents:
            known = incident.find(series, part)
            if known is not None:
                return incident, known
    return None


def _opened(series: str, part: str, verdict: Verdict) -> OpenEpisode:
    alert_id = content_id(series, part, verdict.detector, verdict.time_ms, *_places(verdict))
    return OpenEpisode(alert_id, verdict.time_ms, 0, _begun(verdict), verdict)


def _begun(verdict: Verdict) -> Episode:
    episode = Episode()
    episode.advance(verdict.time_ms, True, verdict.severity_score)
    return episode


def _kind(verdict: Verdict) -> Kind:
    return Kind.DETECTOR_HEALTH if verdict.reason.of_health else Kind(verdict.signal)


def _part(verdict: Verdict) -> str:
    change = verdict.schema_change
    return f"{change.change} {change.path}" if change else ""


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
