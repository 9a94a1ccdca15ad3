"""Triage: the third stage. Turns verdicts into episodes, and each change of an episode's state into one alert."""

from collections import Counter
from typing import Any

import msgspec

from detectors.alerts import Alert, Mode, State
from detectors.commands import Answer
from detectors.desk import Desk
from detectors.episodes import Episode, Transition
from detectors.incidents import (
    JOIN_MS,
    Incident,
    OpenEpisode,
    Who,
    apart_of,
    group_name,
    is_apart,
    stands_out,
)
from detectors.ledger import Ledger, load_ledger
from detectors.lineage import Lineage
from detectors.merging import Merger
from detectors.notes import CommandNote, LineageNote, RefusalNote, SwitchNote, read_note
from detectors.obeying import Obeying
from detectors.orders import Order, Origin
from detectors.register import Register
from detectors.series import content_id, series_text
from detectors.settings import SeriesMode, Settings
from detectors.silences import Quiet, Silences
from detectors.stage import Count
from detectors.storms import Storms
from detectors.telling import Teller, kind_of
from detectors.verdicts import AnomalyBatch, Change, Reason, Verdict
from detectors.wording import joined, time_text

FORMAT = 6
FORGET_MS = 3 * 86_400_000
"""How late something may be said of a group, beyond the time for which its incidents can go on."""
ANOMALIES = "anomalies"
"""The origin of the orders that triage gives."""
LEDGER = "budget"
"""The chunk of the state that holds the ledger."""


class Triage:
    """Every episode; a function of the anomalies topic, record by record."""

    def __init__(self, settings: Settings, mode: Mode) -> None:
        self.covered_offset = -1
        self._fences: dict[int, int] = {}
        self._merger = Merger(settings.shards)
        self._register = Register()
        self._teller = Teller(settings, mode)
        self._desk = Desk(self._register, self._teller)
        self._obeying = Obeying(self._desk, self._register, self._teller)
        self._switched = False
        self._answers: list[Answer] = []
        self._swept_ms = 0
        self._order_ms = 0
        self._counts: Counter[Count] = Counter()
        self.ledger = Ledger()

    @property
    def wall_ms(self) -> int:
        """The wall clock of the records folded in."""
        return self._teller.wall_ms

    def step(self, offset: int, payload: bytes) -> list[Alert]:
        """Fold in one record of the anomalies topic; the alerts are to be published, and `take_answers` with them.

        Raises:
            ValueError: the payload is no note of this version.
        """
        note = read_note(payload)
        self.covered_offset = offset
        if isinstance(note, AnomalyBatch):
            return self._fold(note)
        if isinstance(note, LineageNote):
            for link, time_ms in zip(note.links, note.times_ms, strict=True):
                self._desk.lineage.learn([link], time_ms)
            return []
        return self._obey(note)

    def take_answers(self) -> list[Answer]:
        """The answers to the commands that came since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def take_orders(self) -> list[Order]:
        """What detect is to be told since the last call; an order goes to the shard of its labels, or to all."""
        return self._obeying.take_orders()

    def _obey(self, note: CommandNote | SwitchNote | RefusalNote) -> list[Alert]:
        self._teller.wall_ms = max(self._teller.wall_ms, note.wall_ms)
        if isinstance(note, SwitchNote):
            answer, self._switched = self._obeying.switch(note), True
            self._end_what_changed_its_mode()
        elif isinstance(note, RefusalNote):
            answer = self._obeying.refuse(note)
        else:
            answer = self._obeying.answer(note, Origin(ANOMALIES, 0, self.covered_offset))
        if answer is None:
            self._counts["fenced", "commands"] += 1
            return []
        self._counts["commands", answer.outcome] += 1
        self._answers.append(answer)
        return self._teller.take()

    def _fold(self, batch: AnomalyBatch) -> list[Alert]:
        if batch.offset <= self._fences.get(batch.shard, -1):
            self._counts["fenced", "anomalies"] += 1
            return []
        self._fences[batch.shard] = batch.offset
        self.ledger.note(batch)
        self._merger.add(batch)
        self._teller.wall_ms = max(self._teller.wall_ms, batch.wall_ms)
        told = self._judge_all()
        self._forget()
        return told

    def finish(self) -> list[Alert]:
        """The alerts of what still waits, when the log has ended for good."""
        self._merger.finish()
        return self._judge_all()

    def _judge_all(self) -> list[Alert]:
        """Judge what every shard is past."""
        for order_ms, verdict in self._merger.ready():
            self._desk.pass_time(order_ms)
            self._order_ms = order_ms
            self._judge(verdict)
        self._desk.pass_time(self._merger.now_ms)
        return self._teller.take()

    def _forget(self) -> None:
        """Once a day, the incidents that are long over in groups of which nothing is heard any more, and old links."""
        before_ms = self._merger.now_ms - FORGET_MS
        if before_ms - self._swept_ms < JOIN_MS:
            return
        self._swept_ms = before_ms
        self._register.sweep(before_ms)
        self._desk.lineage.forget(self.ledger.now_ms)

    def _judge(self, verdict: Verdict) -> None:
        if self._mode_of(verdict) == "off":
            self._counts["switched_off",] += 1
        elif verdict.muted:
            self._counts["muted", kind_of(verdict)] += 1
            self.ledger.mute(verdict)
        elif verdict.anomalous:
            self._anomalous(verdict)
        else:
            self._ordinary(verdict)

    def _anomalous(self, verdict: Verdict) -> None:
        series, part = series_text(kind_of(verdict), verdict.labels), _part(verdict)
        incidents = self._register.of_group(group_name(verdict), verdict.time_ms)
        apart = _find(incidents, series, apart_of(verdict)) if verdict.change is Change.POINT else None
        found = apart or _find(incidents, series, part)
        if found is None:
            self._opens(incidents, series, part, verdict)
        elif not stands_out(found[1].worst, verdict):
            self._goes_on(*found, verdict)
        elif apart is None:
            self._opens(incidents, series, apart_of(verdict), verdict)
        else:
            self._comes_anew(*apart, verdict)

    def _opens(self, incidents: list[Incident], series: str, part: str, verdict: Verdict) -> None:
        who = self._who(verdict)
        incident = next((it for it in reversed(incidents) if it.may_join(verdict, who)), None)
        if incident is not None and incident.is_over and incident.lead[0] == series:
            self._reopens(incident, verdict)
            return
        if not who.in_shadow:
            self.ledger.spend(verdict)
        opened = _opened(series, part, verdict)
        if incident is not None:
            incident.add(series, part, opened)
            self._joins(incident, opened, part, verdict)
            return
        time_ms = verdict.time_ms
        incident = Incident(who, (series, part), self._order_ms, time_ms, time_ms, [kind_of(verdict)])
        incident.add(series, part, opened)
        incidents.append(incident)
        self._desk.place(incident)
        self._tell_lead(incident, verdict, Transition.OPENED)

    def _reopens(self, incident: Incident, verdict: Verdict) -> None:
        """The lead of an incident that was over has left its range again."""
        lead = incident.leading
        lead.recovered, lead.worst, lead.episode = None, verdict, _begun(verdict)
        incident.over_ms, incident.heard_ms, incident.told_ms = None, verdict.time_ms, verdict.time_ms
        self._desk.place(incident)
        self._tell_lead(incident, verdict, Transition.REOPENED)

    def _who(self, verdict: Verdict) -> Who:
        settings = self._teller.settings.for_series(verdict.signal, dict(verdict.labels))
        in_shadow = self._mode_of(verdict) == "shadow"
        return Who(settings.owner or verdict.owner or None, settings.severity, in_shadow, settings.labels)

    def _mode_of(self, verdict: Verdict) -> SeriesMode:
        """Whom alerts on a series are for; what is about Streamgauge itself is for everybody."""
        if verdict.reason.of_health or verdict.reason is Reason.STORM:
            return "live"
        return self._teller.settings.for_series(verdict.signal, dict(verdict.labels)).mode

    def _end_what_changed_its_mode(self) -> None:
        """After a switch, end what is open of series that are no longer judged, or for other people."""
        for incident in self._register.all_open():
            mode: SeriesMode = "shadow" if incident.who.in_shadow else "live"
            lead = incident.leading
            if lead.worst.reason is not Reason.STORM and self._mode_of(lead.worst) != mode:
                self._desk.expire(incident, Transition.SWITCHED_OFF)
                continue
            for series, parts in list(incident.open.items()):
                for part, known in list(parts.items()):
                    if known is not lead and self._mode_of(known.worst) != mode:
                        self._desk.tell_closed(incident, known, State.EXPIRED, Transition.SWITCHED_OFF)
                        self._drop(incident, series, part, known.worst)

    def _joins(self, incident: Incident, opened: OpenEpisode, part: str, verdict: Verdict) -> None:
        was_over, incident.over_ms = incident.is_over, None
        incident.heard_ms = max(incident.heard_ms, verdict.time_ms)
        news = incident.join(kind_of(verdict), verdict, opened.alert_id, part)
        if was_over:
            self._desk.place(incident)
            self._tell_joined(incident, verdict, Transition.REOPENED)
        self._teller.tell(incident, opened, verdict, State.SUPPRESSED, Transition.OPENED)
        if news and not was_over:
            self._tell_joined(incident, verdict, Transition.JOINED, apart=is_apart(part))
        self._desk.arm(incident)

    def _tell_lead(self, incident: Incident, verdict: Verdict, transition: Transition) -> None:
        self._teller.tell(incident, incident.leading, verdict, incident.standing, transition)
        self._desk.arm(incident)

    def _tell_joined(
        self, incident: Incident, verdict: Verdict, transition: Transition, *, apart: bool = False
    ) -> None:
        """The lead's alert once more, at the time and with the words of what has joined it."""
        lead = incident.leading
        told = self._teller.tell(incident, lead, lead.worst, incident.standing, transition, apart=apart)
        if told:
            self._teller.amend(
                transition_reason=f"{transition}: {verdict.reason}",
                updated_at=time_text(verdict.time_ms),
                detection_delay_ms=max(0, self.wall_ms - verdict.time_ms),
                summary=joined(lead.worst, verdict),
            )

    def _goes_on(self, incident: Incident, known: OpenEpisode, verdict: Verdict) -> None:
        incident.heard_ms = max(incident.heard_ms, verdict.time_ms)
        back, known.recovered = known.recovered, None
        transition = known.episode.advance(verdict.time_ms, True, verdict.severity_score)
        if back is not None and verdict.time_ms - back.time_ms > JOIN_MS:
            transition = Transition.CONTINUED
        if transition is None:
            if verdict.reason not in (
                Reason.BASELINE_SHIFT_PROPOSED,
                Reason.UNIT_CHANGED,
                Reason.VERSION_MIX,
            ):
                return
            transition = Transition.CONTINUED
        news = back is not None or verdict.reason is Reason.VERSION_MIX
        if transition is not Transition.CONTINUED or news:
            known.worst = verdict
        if incident.leads(known):
            incident.told_ms = max(incident.told_ms, verdict.time_ms)
            self._tell_lead(incident, verdict, transition)
        else:
            self._teller.tell(incident, known, verdict, State.SUPPRESSED, transition)

    def _comes_anew(self, incident: Incident, known: OpenEpisode, verdict: Verdict) -> None:
        """What stood out does so again, after it was inside its range for long."""
        known.recovered, known.worst, known.episode = None, verdict, _begun(verdict)
        incident.heard_ms = max(incident.heard_ms, verdict.time_ms)
        incident.told_ms = max(incident.told_ms, verdict.time_ms)
        if incident.leads(known):
            self._tell_lead(incident, verdict, Transition.REOPENED)
            return
        self._teller.tell(incident, known, verdict, State.SUPPRESSED, Transition.REOPENED)
        if not incident.tells_apart(verdict.time_ms, known.alert_id):
            self._tell_joined(incident, verdict, Transition.JOINED, apart=True)

    def _ordinary(self, verdict: Verdict) -> None:
        series, group = series_text(kind_of(verdict), verdict.labels), group_name(verdict)
        for incident in self._register.of_group(group, verdict.time_ms):
            if not incident.is_over:
                for part in list(incident.open.get(series, {})):
                    self._recovers(incident, series, part, verdict)
        self._register.tidy(group)

    def _recovers(self, incident: Incident, series: str, part: str, verdict: Verdict) -> None:
        """End an episode; of the lead only when no other one of its incident is open, and of the last other one the waiting lead, too."""
        known, lead = incident.open[series][part], incident.leading
        if known.recovered is not None or not known.episode.is_over(
            verdict.time_ms, conclusive=verdict.reason.conclusive
        ):
            return
        if known is lead and incident.size > 1:
            known.recovered = verdict
            return
        self._teller.tell(incident, known, verdict, *_end_by(verdict))
        if known is lead:
            known.recovered = verdict
            self._is_over(incident, verdict)
            return
        self._drop(incident, series, part, verdict)

    def _drop(self, incident: Incident, series: str, part: str, verdict: Verdict) -> None:
        """Forget an episode that has joined and ended; with the last of them ends a lead that waits for it."""
        lead = incident.leading
        incident.drop(series, part)
        if incident.size == 1 and lead.recovered is not None:
            self._tell_over(incident, verdict)
            self._is_over(incident, verdict)

    def _is_over(self, incident: Incident, last: Verdict) -> None:
        incident.over_ms = last.time_ms
        self._desk.ended(incident)

    def _tell_over(self, incident: Incident, last: Verdict) -> None:
        """The end of a lead that waited for the last of those that had joined it."""
        lead = incident.leading
        recovered = lead.recovered or last
        if self._teller.tell(incident, lead, recovered, *_end_by(recovered)):
            time_ms = max(last.time_ms, recovered.time_ms)
            self._teller.amend(
                updated_at=time_text(time_ms),
                ends_at=time_text(max(time_ms, lead.starts_at_ms)),
                detection_delay_ms=max(0, self.wall_ms - time_ms),
            )

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        if self._merger.hurried:
            counts["verdicts_not_waited_for",] = self._merger.hurried
            self._merger.hurried = 0
        return counts

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        incidents, episodes = self._register.sizes()
        return {
            "episodes": episodes,
            "incidents": incidents,
            "verdicts_waiting": len(self._merger),
            "lineage_links": len(self._desk.lineage),
            "silences": len(self._desk.silences.known),
            **self.ledger.gauges(),
        }

    def dump(self) -> dict[str, bytes]:
        """The state as chunks."""
        encode, desk = msgspec.msgpack.encode, self._desk
        head = [FORMAT, self.covered_offset, self._fences, self._swept_ms, self._teller.now_ms, self.wall_ms]
        settings = [self._switched, self._teller.settings]
        quiet = [desk.silences.known, desk.silences_due_ms, desk.storms]
        return {
            "head": encode([*head, self._merger.dump()]),
            "settings": encode(settings),
            "incidents": encode(self._register.groups),
            "desk": encode([*quiet, self._obeying.dump()]),
            "lineage": desk.lineage.dump(),
            LEDGER: self.ledger.dump(),
        }

    def changed(self) -> dict[str, bytes]:
        """The state as chunks, all of them."""
        return self.dump()

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: the state was written by another version.
        """
        decode = msgspec.msgpack.decode
        version, *head = decode(chunks["head"], type=list[Any])
        if version != FORMAT:
            raise ValueError(f"triage state of format {version}; this worker reads format {FORMAT}")
        *clocks, merger = head
        self.covered_offset, self._fences, self._swept_ms, self._teller.now_ms, self._teller.wall_ms = (
            msgspec.convert(clocks, tuple[int, dict[int, int], int, int, int])
        )
        self._switched, stored = decode(chunks["settings"], type=tuple[bool, Settings])
        if self._switched:
            self._teller.settings = self._teller.settings.tuned_as(stored)
        self._merger.load(merger)
        self._register.load(decode(chunks["incidents"], type=dict[str, list[Incident]]))
        quiet, due_ms, storms, obeyed = decode(chunks["desk"], type=tuple[dict[str, Quiet], int, Storms, Any])
        desk = self._desk
        desk.silences, desk.silences_due_ms, desk.storms = Silences(quiet), due_ms, storms
        self._obeying.load(obeyed)
        desk.lineage = Lineage(self._teller.settings.lineage)
        desk.lineage.load(chunks["lineage"])
        self.ledger = load_ledger(chunks[LEDGER])


def _end_by(verdict: Verdict) -> tuple[State, Transition]:
    """As what an episode ends that an ordinary verdict ends."""
    if verdict.reason.corrects:
        return State.CORRECTED, Transition.CORRECTED
    return State.RESOLVED, Transition.RESOLVED


def _find(incidents: list[Incident], series: str, part: str) -> tuple[Incident, OpenEpisode] | None:
    """The open episode of a part of a series, and its incident."""
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


def _part(verdict: Verdict) -> str:
    change = verdict.schema_change
    return f"{change.change} {change.path}" if change else ""


def _places(verdict: Verdict) -> list[str | int]:
    return [
        part
        for place in verdict.positions
        for part in (place.topic, place.partition, place.first_offset, place.last_offset)
    ]
