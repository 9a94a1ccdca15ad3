"""Telling: an incident's episode and a verdict put into the alert that subscribers read."""

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
from detectors.episodes import Transition
from detectors.incidents import Incident, OpenEpisode
from detectors.series import Signal, content_id, series_text
from detectors.settings import Settings
from detectors.verdicts import Reason, Verdict
from detectors.wording import recovery, summary, time_text

_TOLD = (State.FIRING, State.NO_DATA)
_KINDS = {signal: Kind(signal) for signal in Signal}
_NEWS = (
    Transition.OPENED,
    Transition.REOPENED,
    Transition.WORSENED,
    Transition.RELEASED,
    Transition.REMINDED,
)


def is_notice(state: State, transition: Transition, *, paged: bool, apart: bool = False) -> bool:
    """Whether people are to be told of a transition: news of what fires, and the end of what they were told of."""
    if state.is_final:
        return paged
    return state in _TOLD and (transition in _NEWS or (transition is Transition.JOINED and apart))


def alert_of(  # noqa: PLR0913  what an alert is made of
    incident: Incident,
    known: OpenEpisode,
    verdict: Verdict,
    state: State,
    transition: Transition,
    *,
    notify: bool,
    wall_ms: int,
    settings: Settings,
    mode: Mode,
) -> Alert:
    """The alert of one transition of an episode, at the time and with the numbers of a verdict."""
    ended = state.is_final
    labels = dict(verdict.labels)
    kind, leads = kind_of(verdict), incident.leads(known)
    own = settings.for_series(verdict.signal, labels)
    owner = incident.who.owner if leads else own.owner or verdict.owner or None
    routed_by = incident.who.labels if leads else own.labels
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
        ends_at=time_text(max(verdict.time_ms, known.starts_at_ms)) if ended else None,
        detected_at=time_text(wall_ms),
        detection_delay_ms=max(0, wall_ms - verdict.time_ms),
        kind=kind,
        severity=incident.who.severity if leads else own.severity,
        summary=recovery(verdict, known.starts_at_ms)
        if state in (State.RESOLVED, State.CORRECTED)
        else summary(verdict),
        labels={**dict(routed_by), **labels, "kind": kind},
        annotations=_annotations(known.worst, incident if leads else None),
        owner=owner,
        runbook_url=settings.runbook_url(kind, own),
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
        root_cause=_cause(incident, leads=leads),
        children=list(incident.children) if leads else [],
        config_hash=settings.config_hash,
        mode=mode,
        notify=notify,
    )


def kind_of(verdict: Verdict) -> Kind:
    """What an alert of a verdict is about."""
    if verdict.reason is Reason.STORM:
        return Kind.STORM
    return Kind.DETECTOR_HEALTH if verdict.reason.of_health else _KINDS[verdict.signal]


def _cause(incident: Incident, *, leads: bool) -> RootCause | None:
    if not leads:
        return RootCause(incident.alert_id, [incident.lead[0]])
    if incident.cause is None and incident.storm:
        return RootCause(incident.storm, [Kind.STORM])
    return incident.cause


def _annotations(verdict: Verdict, incident: Incident | None) -> dict[str, str]:
    said = {"error": verdict.error}
    if incident is not None:
        said |= {
            "acknowledged_by": incident.acknowledged_by,
            "dismissed_by": incident.dismissed_by,
            "silenced_by": incident.silenced_by,
        }
        if incident.snoozed_until_ms is not None:
            said["snoozed_until"] = time_text(incident.snoozed_until_ms)
    return {name: text for name, text in said.items() if text}


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


class Teller:
    """Makes alerts of transitions and keeps them until they are taken; `now_ms` is the time of triage, `wall_ms` the wall clock."""

    def __init__(self, settings: Settings, mode: Mode) -> None:
        self.settings, self._mode = settings, mode
        self._told: list[Alert] = []
        self.now_ms = 0
        self.wall_ms = 0

    def tell(
        self,
        incident: Incident,
        known: OpenEpisode,
        verdict: Verdict,
        state: State,
        transition: Transition,
        *,
        apart: bool = False,
    ) -> bool:
        """Tell a transition of an episode, unless somebody has dismissed its incident; whether it was told."""
        if incident.dismissed_by and transition is not Transition.DISMISSED:
            return False
        known.sequence += 1
        leads = incident.leads(known)
        notify = leads and is_notice(state, transition, paged=incident.paged, apart=apart)
        if leads:
            incident.state = state
        if notify and not state.is_final:
            incident.paged, incident.notified_ms = True, self.now_ms
        self._told.append(
            alert_of(
                incident,
                known,
                verdict,
                state,
                transition,
                notify=notify,
                wall_ms=self.wall_ms,
                settings=self.settings,
                mode=Mode.SHADOW if incident.who.in_shadow else self._mode,
            )
        )
        return True

    def tell_lead(self, incident: Incident, transition: Transition, at_ms: int) -> None:
        """Tell where an incident's lead stands, at a time at which nothing new was seen of its series."""
        lead = incident.leading
        if self.tell(incident, lead, lead.worst, incident.standing, transition):
            self.amend(updated_at=time_text(at_ms), detection_delay_ms=max(0, self.wall_ms - at_ms))

    def amend(self, **changes: object) -> None:
        """Change fields of the last alert that was told."""
        self._told[-1] = msgspec.structs.replace(self._told[-1], **changes)

    def take(self) -> list[Alert]:
        """What was told since the last call."""
        told, self._told = self._told, []
        return told
