"""Desk: which incidents people are told of, and which not, because something explains, silences or postpones them.

- **Upstream.** What is downstream of an incident that is open is suppressed, and named by it. While nothing upstream is known to be wrong, an incident
  with anything upstream waits as `pending`; if nothing has turned up by the end of the hold, it fires. When its cause has ended and it has not, it is judged anew after
  another hold. Of several causes the farthest upstream counts, of equally far ones the first that opened; whoever explains others and is explained
  in turn hands them on.
- **Flapping.** What opens again within an hour of when people were last told of it waits as `pending`, and fires if it is still open then.
- **Storms.** See `detectors.storms`; they count what would be told.
- **Silences, snoozes, acknowledgement** are what people asked for; an incident that outlasts a silence or a snooze fires then.

All of it is a function of the order in which verdicts, commands and times come.
"""

from collections.abc import Sequence

import msgspec

from detectors.alerts import RootCause, State
from detectors.episodes import Episode, Transition
from detectors.incidents import CHILDREN_MAX, FLAPPING_MS, Incident, OpenEpisode
from detectors.lineage import Lineage, Node, node_of
from detectors.paging import Paging
from detectors.register import Register
from detectors.series import Signal, canonical_labels, content_id, series_text
from detectors.silences import NEVER_MS, Quiet, Silences, matches
from detectors.storms import Storms
from detectors.telling import Teller, kind_of
from detectors.verdicts import Baseline, Change, Direction, Reason, Verdict
from detectors.wording import time_text

CHILDREN_TOLD_MS = 60_000
"""For how long those that an alert explains are gathered before it names them."""


class Desk:
    """Decides for the incidents of a register, and has a teller tell it."""

    def __init__(self, register: Register, teller: Teller) -> None:
        self._register, self._teller = register, teller
        self.lineage = Lineage(teller.settings.lineage)
        self.silences = Silences()
        self.silences_due_ms = NEVER_MS
        self.storms = Storms()

    @property
    def _paging(self) -> Paging:
        return self._teller.settings.paging

    def place(self, incident: Incident) -> None:
        """Decide where an incident stands that opens, or opens again."""
        now_ms = self._teller.now_ms
        self._register.note(incident)
        incident.acknowledged_by, incident.cause, incident.storm = "", None, ""
        incident.silenced_by = self.silences.matching(about(incident), now_ms)
        if incident.is_of_health():
            return
        explained = self._explained(incident, settled=True)
        if not explained and self._has_upstream(incident) and not incident.paged:
            incident.held_until_ms = now_ms + self._paging.upstream_hold_ms
        if now_ms - incident.notified_ms < FLAPPING_MS:
            incident.paged, incident.held_until_ms = False, incident.notified_ms + FLAPPING_MS
        if incident.standing is State.FIRING:
            self._count(incident)

    def arm(self, incident: Incident) -> None:
        """Have an incident come up when something is next due about it."""
        due = [incident.heard_ms + self._paging.expire_ms] if incident.is_silent else []
        due += [
            at_ms
            for at_ms in (incident.held_until_ms, incident.snoozed_until_ms, incident.children_due_ms)
            if at_ms is not None
        ]
        if self._paging.remind_ms is not None and incident.paged:
            due.append(incident.notified_ms + self._paging.remind_ms)
        if due:
            self._register.arm(incident, min(due))

    def pass_time(self, now_ms: int) -> None:
        """Do what is due up to a time, in order; then it is that time, which lies before others that were for what comes late."""
        while True:
            due_ms = self._register.next_due_ms()
            if self.silences_due_ms <= now_ms and (due_ms is None or self.silences_due_ms <= due_ms):
                due_ms = self._teller.now_ms = self.silences_due_ms
                self.silences_changed(self.silences.changing_at(due_ms))
            elif due_ms is not None and due_ms <= now_ms:
                self._come_up(due_ms)
            else:
                break
        self._teller.now_ms = max(now_ms, 0)

    def _come_up(self, due_ms: int) -> None:
        for at_ms, incident in self._register.due(due_ms):
            self._teller.now_ms = at_ms
            self._do_what_is_due(incident, at_ms)

    def _do_what_is_due(self, incident: Incident, at_ms: int) -> None:
        if incident.is_silent and incident.heard_ms + self._paging.expire_ms <= at_ms:
            self.expire(incident)
            return
        if incident.held_until_ms is not None and incident.held_until_ms <= at_ms:
            self._judge_anew(incident, incident.held_until_ms)
        if incident.snoozed_until_ms is not None and incident.snoozed_until_ms <= at_ms:
            incident.snoozed_until_ms = None
            self._restate(incident, Transition.RELEASED)
        if incident.children_due_ms is not None and incident.children_due_ms <= at_ms:
            incident.children_due_ms = None
            self._teller.tell_lead(incident, Transition.JOINED, at_ms)
        remind_ms = self._paging.remind_ms
        if remind_ms is not None and incident.paged and incident.notified_ms + remind_ms <= at_ms:
            self._remind(incident, at_ms)
        self.arm(incident)

    def _remind(self, incident: Incident, at_ms: int) -> None:
        if incident.standing in (State.FIRING, State.NO_DATA):
            self._teller.tell_lead(incident, Transition.REMINDED, at_ms)
        incident.notified_ms = at_ms

    def _judge_anew(self, incident: Incident, at_ms: int) -> None:
        """The hold is over, or the cause has been for a hold's time."""
        before, incident.cause, incident.held_until_ms = incident.cause, None, None
        explained = self._explained(incident, settled=False)
        if explained and incident.cause == before:
            return
        self._restate(incident, Transition.EXPLAINED if explained else Transition.RELEASED, at_ms)

    def _restate(self, incident: Incident, transition: Transition, at_ms: int | None = None) -> None:
        """Tell where an incident stands that something kept from being told, if that has changed or says more."""
        if incident.standing is State.FIRING:
            self._count(incident)
            transition = Transition.EXPLAINED if incident.storm else transition
        if incident.standing is not incident.state or transition is Transition.EXPLAINED:
            self._teller.tell_lead(incident, transition, self._teller.now_ms if at_ms is None else at_ms)

    def ended(self, incident: Incident) -> None:
        """Let go of what an incident explained, and take it from its storm: it is over."""
        self._register.drop(incident)
        incident.held_until_ms = incident.snoozed_until_ms = incident.children_due_ms = None
        for other in self._explained_by(incident):
            other.held_until_ms = self._teller.now_ms + self._paging.upstream_hold_ms
            self.arm(other)
        storm, incident.storm = incident.storm, ""
        if storm and self.storms.leave(storm):
            self._end_storm(storm)

    def expire(self, incident: Incident, transition: Transition = Transition.EXPIRED) -> None:
        """End an incident for good whose series have not come for very long, or are no longer judged."""
        self.close(incident, State.EXPIRED, transition)
        self._register.remove(incident)

    def close(self, incident: Incident, state: State, transition: Transition) -> None:
        """Tell that every episode of an incident has ended, the lead's last."""
        lead = incident.leading
        for known in [it for it in incident.episodes() if it is not lead] + [lead]:
            self.tell_closed(incident, known, state, transition)
        self.ended(incident)

    def tell_closed(
        self, incident: Incident, known: OpenEpisode, state: State, transition: Transition
    ) -> None:
        """Tell that an episode has ended without a verdict that says so."""
        if self._teller.tell(incident, known, known.worst, state, transition):
            now = time_text(self._teller.now_ms)
            self._teller.amend(updated_at=now, ends_at=now)

    def silences_changed(self, changed: Sequence[Quiet]) -> tuple[str, ...]:
        """See anew which incidents are silenced, of those that silences match which come, go, begin or end; the alerts of those for which it is not as it was."""
        now_ms = self._teller.now_ms
        self.silences.forget(now_ms)
        self.silences_due_ms = self.silences.next_change_ms(now_ms)
        return tuple(it.alert_id for it in self._register.all_open() if self._see_anew(it, changed, now_ms))

    def _see_anew(self, incident: Incident, changed: Sequence[Quiet], now_ms: int) -> bool:
        described = about(incident)
        if not any(matches(it.match, described) for it in changed):
            return False
        was, is_now = incident.silenced_by, self.silences.matching(described, now_ms)
        if was == is_now:
            return False
        incident.silenced_by = is_now
        self._restate(incident, Transition.SILENCED if is_now else Transition.RELEASED)
        return True

    def _has_upstream(self, incident: Incident) -> bool:
        node = _node(incident)
        return node is not None and self.lineage.has_upstream(node, self._teller.now_ms)

    def _explained(self, incident: Incident, *, settled: bool) -> bool:
        """Find the cause of an incident, if there is one, and have it adopt the incident; `settled` passes over those that may have a cause themselves."""
        found = [
            (path, other) for path, other in self._causes_of(incident) if not (settled and _is_pending(other))
        ]
        if not found:
            return False
        path, cause = min(found, key=lambda it: (-len(it[0]), it[1].opened_ms, it[1].alert_id))
        self._explain(incident, cause, path)
        return True

    def _causes_of(self, incident: Incident) -> list[tuple[list[Node], Incident]]:
        node = _node(incident)
        if node is None:
            return []
        return [
            (path, other)
            for before, path in self.lineage.ancestors(node, self._teller.now_ms)
            for other in self._register.at(before)
            if other.may_explain(incident)
        ]

    def _explain(self, incident: Incident, cause: Incident, path: list[Node]) -> None:
        names = [node.partition(":")[2] for node in path[1:]]
        found = incident.cause = RootCause(cause.alert_id, [cause.lead[0], *names])
        incident.held_until_ms = None
        self._adopt(cause, incident)
        for other in self._explained_by(incident):
            other.cause = RootCause(
                cause.alert_id, [*found.path, *(other.cause.path[1:] if other.cause else [])]
            )
            self._adopt(cause, other)
            self._teller.tell_lead(other, Transition.EXPLAINED, self._teller.now_ms)

    def _explained_by(self, incident: Incident) -> list[Incident]:
        """The open incidents that have one as their cause."""
        children = [self._register.led_by(it) for it in incident.children]
        if len(children) >= CHILDREN_MAX:
            children = [*self._register.all_open()]
        return [it for it in children if it and it.cause and it.cause.alert_id == incident.alert_id]

    def _adopt(self, cause: Incident, incident: Incident) -> None:
        cause.adopt(incident.alert_id)
        if incident.is_graver(cause):
            cause.who = msgspec.structs.replace(cause.who, severity=incident.who.severity)
            self._teller.tell_lead(cause, Transition.WORSENED, self._teller.now_ms)
        elif cause.children_due_ms is None:
            cause.children_due_ms = self._teller.now_ms + CHILDREN_TOLD_MS
        self.arm(cause)

    def _count(self, incident: Incident) -> None:
        """Count what is to be told; when it is too much for those who are, it becomes part of a storm."""
        who, now_ms = incident.who, self._teller.now_ms
        alert_id = self.storms.current(who, now_ms)
        if not alert_id:
            if self.storms.may_tell(who, now_ms, self._paging):
                return
            alert_id = self._open_storm(incident).alert_id
        self.storms.join(who, alert_id, now_ms)
        incident.storm = alert_id
        if storm := self._register.led_by(alert_id):
            self._grow(storm, incident)

    def _open_storm(self, first: Incident) -> Incident:
        now_ms = self._teller.now_ms
        verdict = _storm_verdict(first, now_ms, self._paging.storm_pages)
        series = series_text("", verdict.labels)
        lead = OpenEpisode(content_id(series, now_ms, first.alert_id), now_ms, 0, Episode(), verdict)
        storm = Incident(first.who, (series, ""), now_ms, now_ms, now_ms, [kind_of(verdict)])
        storm.add(series, "", lead)
        self._register.of_group(series, now_ms).append(storm)
        self._register.note(storm)
        return storm

    def _grow(self, storm: Incident, incident: Incident) -> None:
        """Count one more; a storm is told at once when it opens, and of its growth from time to time."""
        lead, now_ms = storm.leading, self._teller.now_ms
        lead.worst = _grown(lead.worst, now_ms)
        storm.heard_ms = now_ms
        storm.adopt(incident.alert_id)
        if not lead.sequence:
            self._teller.tell(storm, lead, lead.worst, State.FIRING, Transition.OPENED)
        elif storm.children_due_ms is None:
            storm.children_due_ms = now_ms + CHILDREN_TOLD_MS
        self.arm(storm)

    def _end_storm(self, alert_id: str) -> None:
        storm = self._register.led_by(alert_id)
        if storm is not None:
            self.close(storm, State.RESOLVED, Transition.RESOLVED)
            self._register.remove(storm)


def about(incident: Incident) -> dict[str, str]:
    """What silences match an incident by."""
    verdict = incident.leading.worst
    return {
        **dict(incident.who.labels),
        **dict(verdict.labels),
        "signal": verdict.signal,
        "kind": kind_of(verdict),
        "severity": incident.who.severity,
        **({"owner": incident.who.owner} if incident.who.owner else {}),
    }


def _node(incident: Incident) -> Node | None:
    return node_of(incident.leading.worst.labels)


def _is_pending(incident: Incident) -> bool:
    return incident.state is State.PENDING


def _storm_verdict(first: Incident, now_ms: int, told: int) -> Verdict:
    """What opens a storm: as many as were `told` of, and more to come."""
    who = (("owner", first.who.owner or ""), ("severity", first.who.severity))
    return Verdict(
        signal=Signal.VALUE,
        labels=canonical_labels(who),
        detector="storm",
        time_ms=now_ms,
        window_start_ms=now_ms,
        window_end_ms=now_ms,
        anomalous=True,
        reason=Reason.STORM,
        change=Change.POINT,
        baseline=Baseline("storm", told, now_ms, now_ms),
        positions=first.leading.worst.positions,
        severity_score=1.0,
        unit="incidents",
        observed=float(told),
        upper=float(told),
        direction=Direction.UP,
    )


def _grown(verdict: Verdict, now_ms: int) -> Verdict:
    return msgspec.structs.replace(
        verdict, time_ms=now_ms, window_end_ms=now_ms, observed=(verdict.observed or 0) + 1
    )
