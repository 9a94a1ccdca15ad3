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
from detectors.incidents import Incident
from detectors.notes import CommandNote
from detectors.register import Register
from detectors.settings import Settings
from detectors.telling import Teller
from detectors.wording import time_text

REMEMBERED_MAX: Final = 10_000
OfAlert = Acknowledge | Unacknowledge | Snooze | Feedback | AcceptBaseline | ExpectChange


class RefusedCommandError(Exception):
    """A command cannot be done; the text says why and what would do."""


class Obeying:
    """Does commands, one after the other."""

    def __init__(self, settings: Settings, desk: Desk, register: Register, teller: Teller) -> None:
        self._config_hash = settings.config_hash
        self._desk, self._register, self._teller = desk, register, teller
        self._fences: dict[tuple[str, int], int] = {}
        self._heard: dict[str, None] = {}

    def answer(self, note: CommandNote) -> Answer | None:
        """Do a command; None when its record is a repeat."""
        place = (note.topic, note.partition)
        if note.offset <= self._fences.get(place, -1):
            return None
        self._fences[place] = note.offset
        command = note.command
        if command.command_id in self._heard:
            return self._answer(
                command, Outcome.REFUSED, "a command with this command_id was given before", ()
            )
        self._remember(command.command_id)
        try:
            alerts = self._do(command)
        except RefusedCommandError as refused:
            return self._answer(command, Outcome.REFUSED, str(refused), ())
        return self._answer(command, Outcome.DONE, "", alerts)

    def _do(self, command: Command) -> tuple[str, ...]:
        """What is asked for; the alerts that it changed."""
        match command:
            case Silence() | Maintenance():
                return self._silence(command)
            case Cancel(cancels=command_id):
                return self._cancel(command_id)
            case Feedback(opinion=Opinion.MISSED):
                return ()
            case _:
                return self._do_to(self._incident(command.alert_id), command)

    def _do_to(self, incident: Incident, command: OfAlert) -> tuple[str, ...]:
        """What is asked for of one alert."""
        match command:
            case Acknowledge() | Unacknowledge():
                return self._acknowledge(incident, command)
            case Snooze():
                return self._snooze(incident, epoch_ms(command.until))
            case Feedback(opinion=Opinion.EXPECTED | Opinion.FALSE_ALARM):
                return self._dismiss(incident, command)
            case _:
                raise RefusedCommandError("this version cannot do that yet")

    def _cancel(self, command_id: str) -> tuple[str, ...]:
        if not self._desk.silences.cancel(command_id):
            raise RefusedCommandError(f"no silence or maintenance window {command_id} is in force")
        return self._silences_changed()

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
        return self._silences_changed()

    def _silences_changed(self) -> tuple[str, ...]:
        before = {it.alert_id: it.silenced_by for it in self._register.all_open()}
        self._desk.silences_changed()
        return tuple(
            it.alert_id for it in self._register.all_open() if before.get(it.alert_id) != it.silenced_by
        )

    def _dismiss(self, incident: Incident, command: Feedback) -> tuple[str, ...]:
        incident.dismissed_by = command.author
        alerts = tuple(it.alert_id for it in incident.episodes())
        self._desk.close(incident, State.RESOLVED, Transition.DISMISSED)
        return alerts

    def _tell(self, incident: Incident, transition: Transition) -> tuple[str, ...]:
        self._teller.tell_lead(incident, transition, self._teller.now_ms)
        self._desk.arm(incident)
        return (incident.alert_id,)

    def _answer(self, command: Command, outcome: Outcome, reason: str, alerts: tuple[str, ...]) -> Answer:
        return Answer(
            command_id=command.command_id,
            author=command.author,
            time=time_text(epoch_ms(command.time)),
            answered_at=time_text(self._teller.wall_ms),
            outcome=outcome,
            reason=reason,
            config_hash=self._config_hash,
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
