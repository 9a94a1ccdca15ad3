"""Obeying: what becomes of a command, and the answer to it.

A command counts once: records at or below the fence of their partition are repeats, and a `command_id` that was heard lately is answered without
being done again.
"""

from typing import Any, Final

import msgspec

from detectors.alerts import State
from detectors.commands import (
    AcceptBaseline,
    Acknowledge,
    Answer,
    Cancel,
    Command,
    Configure,
    ExpectChange,
    Feedback,
    Maintenance,
    Opinion,
    Outcome,
    Silence,
    Snooze,
    Unacknowledge,
    epoch_ms,
)
from detectors.desk import Desk
from detectors.episodes import Transition
from detectors.expected_changes import TOPIC, ExpectedChange
from detectors.incidents import Incident, OpenEpisode
from detectors.notes import CommandNote, RefusalNote, SwitchNote
from detectors.orders import AcceptLevel, Expect, Order, Origin, Relearn
from detectors.register import Register
from detectors.relearning import LEVELLED, RELEARNED
from detectors.series import Signal
from detectors.telling import Teller
from detectors.wording import time_text

REMEMBERED_MAX: Final = 10_000
_answer: Final = msgspec.json.Decoder(Answer).decode
OfAlert = Acknowledge | Unacknowledge | Snooze | Feedback | AcceptBaseline | ExpectChange


class RefusedCommandError(Exception):
    """A command cannot be done; the text says why and what would do."""


class Obeying:
    """Does commands, one after the other."""

    def __init__(self, desk: Desk, register: Register, teller: Teller) -> None:
        self._orders: list[Order] = []
        self._desk, self._register, self._teller = desk, register, teller
        self._fences: dict[tuple[str, int], int] = {}
        self._heard: dict[str, None] = {}

    def answer(self, note: CommandNote, origin: Origin) -> Answer | None:
        """Do a command; None when its record is a repeat. `origin` is the record of the note, for what detect is told to do."""
        if self._is_repeat(note):
            return None
        command = note.command
        if command.command_id in self._heard:
            return self._answer(
                command, Outcome.REFUSED, "a command with this command_id was given before", ()
            )
        self._remember(command.command_id)
        try:
            alerts = self._do(command, origin)
        except RefusedCommandError as refused:
            return self._answer(command, Outcome.REFUSED, str(refused), ())
        return self._answer(command, Outcome.DONE, "", alerts)

    def switch(self, note: SwitchNote) -> Answer | None:
        """Put other settings in force; None when the record is a repeat."""
        if self._is_repeat(note):
            return None
        told, before = self._teller, self._teller.settings.config_hash
        told.settings = told.settings.tuned_as(note.settings)
        self._desk.lineage.declare(told.settings.lineage)
        reason = f"{before} -> {told.settings.config_hash}"
        if before == told.settings.config_hash:
            reason = "it was in force"
        for incident in self._register.all_open():
            self._desk.arm(incident)
        return self._answer(note.command, Outcome.DONE, reason, ())

    def refuse(self, note: RefusalNote) -> Answer | None:
        """The answer to what is no command; None when the record is a repeat."""
        if self._is_repeat(note):
            return None
        return msgspec.structs.replace(_answer(note.answer), config_hash=self._teller.settings.config_hash)

    def take_orders(self) -> list[Order]:
        """What detect is to be told since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def _is_repeat(self, note: CommandNote | SwitchNote | RefusalNote) -> bool:
        place = (note.topic, note.partition)
        if note.offset <= self._fences.get(place, -1):
            return True
        self._fences[place] = note.offset
        return False

    def _do(self, command: Command, origin: Origin) -> tuple[str, ...]:
        """What is asked for; the alerts that it changed."""
        match command:
            case Silence() | Maintenance():
                return self._silence(command)
            case Cancel(cancels=command_id):
                return self._cancel(command_id)
            case Feedback(opinion=Opinion.MISSED):
                return ()
            case _:
                return self._do_to(command, origin)

    def _do_to(self, command: OfAlert, origin: Origin) -> tuple[str, ...]:
        """What is asked for of one alert."""
        incident = self._incident(command.alert_id)
        match command:
            case Acknowledge() | Unacknowledge():
                return self._acknowledge(incident, command)
            case Snooze():
                return self._snooze(incident, epoch_ms(command.until))
            case Feedback(opinion=Opinion.EXPECTED | Opinion.FALSE_ALARM):
                return self._dismiss(incident, command)
            case Feedback() | AcceptBaseline():
                return self._relearn(incident, command, origin)
            case ExpectChange():
                return self._expect(incident, command, origin)
        raise AssertionError(command)

    def _relearn(
        self, incident: Incident, command: Feedback | AcceptBaseline, origin: Origin
    ) -> tuple[str, ...]:
        """Have the series of an alert learned anew, or its new level be the level: it is over either way."""
        verdict = self._episode(incident, command.alert_id).worst
        order, signals = (
            (AcceptLevel, LEVELLED) if isinstance(command, AcceptBaseline) else (Relearn, RELEARNED)
        )
        if verdict.reason.of_health or verdict.signal not in signals:
            raise RefusedCommandError(f"a series of {verdict.signal} has none: {_names(signals)} have")
        self._orders.append(order(origin=origin, signal=verdict.signal, labels=verdict.labels))
        return self._end(incident, command.author)

    def _expect(self, incident: Incident, command: ExpectChange, origin: Origin) -> tuple[str, ...]:
        verdict = self._episode(incident, command.alert_id).worst
        change, topic = verdict.schema_change, dict(verdict.labels).get(TOPIC)
        if change is None or topic is None:
            raise RefusedCommandError("it tells of no change of the records of a topic")
        meant = ExpectedChange(topic, change.path, change.change)
        self._orders.append(Expect(origin=origin, change=meant))
        return self._end(incident, command.author)

    def _episode(self, incident: Incident, alert_id: str | None) -> OpenEpisode:
        return next(it for it in incident.episodes() if it.alert_id == alert_id)

    def _end(self, incident: Incident, author: str) -> tuple[str, ...]:
        """End an incident for good: what its series do from here on is another one."""
        incident.dismissed_by = author
        alerts = tuple(it.alert_id for it in incident.episodes())
        self._desk.close(incident, State.RESOLVED, Transition.DISMISSED)
        self._register.remove(incident)
        return alerts

    def _cancel(self, command_id: str) -> tuple[str, ...]:
        cancelled = self._desk.silences.cancel(command_id)
        if cancelled is None:
            raise RefusedCommandError(f"no silence or maintenance window {command_id} is in force")
        return self._desk.silences_changed([cancelled])

    def _incident(self, alert_id: str | None) -> Incident:
        incident = self._register.with_episode(alert_id or "")
        if incident is None:
            raise RefusedCommandError(f"no alert {alert_id} is open")
        return incident

    def _acknowledge(self, incident: Incident, command: Acknowledge | Unacknowledge) -> tuple[str, ...]:
        given = isinstance(command, Acknowledge)
        incident.acknowledged_by = command.author if given else ""
        return self._tell(incident, Transition.ACKNOWLEDGED if given else Transition.UNACKNOWLEDGED)

    def _snooze(self, incident: Incident, until_ms: int) -> tuple[str, ...]:
        if until_ms <= self._teller.now_ms:
            raise RefusedCommandError(f"until: {time_text(until_ms)} is over")
        incident.snoozed_until_ms = until_ms
        return self._tell(incident, Transition.SNOOZED)

    def _silence(self, quiet: Silence | Maintenance) -> tuple[str, ...]:
        if quiet.until is not None and epoch_ms(quiet.until) <= self._teller.now_ms:
            raise RefusedCommandError(f"until: {time_text(epoch_ms(quiet.until))} is over")
        try:
            self._desk.silences.add(quiet)
        except ValueError as error:
            raise RefusedCommandError(str(error)) from None
        return self._desk.silences_changed([quiet])

    def _dismiss(self, incident: Incident, command: Feedback) -> tuple[str, ...]:
        incident.dismissed_by = command.author
        alerts = tuple(it.alert_id for it in incident.episodes())
        self._desk.close(incident, State.RESOLVED, Transition.DISMISSED)
        return alerts

    def _tell(self, incident: Incident, transition: Transition) -> tuple[str, ...]:
        self._teller.tell_lead(incident, transition, self._teller.now_ms)
        self._desk.arm(incident)
        return (incident.alert_id,)

    def _answer(
        self, command: Command | Configure, outcome: Outcome, reason: str, alerts: tuple[str, ...]
    ) -> Answer:
        return Answer(
            command_id=command.command_id,
            author=command.author,
            time=time_text(epoch_ms(command.time)),
            answered_at=time_text(self._teller.wall_ms),
            outcome=outcome,
            reason=reason,
            config_hash=self._teller.settings.config_hash,
            command=msgspec.to_builtins(command, str_keys=True),
            alerts=alerts,
        )

    def _remember(self, command_id: str) -> None:
        self._heard[command_id] = None
        if len(self._heard) > REMEMBERED_MAX:
            del self._heard[next(iter(self._heard))]

    def dump(self) -> list[Any]:
        """The state as plain values."""
        return [list(self._fences.items()), list(self._heard)]

    def load(self, state: list[Any]) -> None:
        """Take over a dumped state."""
        fences, heard = msgspec.convert(state, tuple[list[tuple[tuple[str, int], int]], list[str]])
        self._fences, self._heard = dict(fences), dict.fromkeys(heard)


def _names(signals: frozenset[Signal]) -> str:
    return ", ".join(sorted(signals))
