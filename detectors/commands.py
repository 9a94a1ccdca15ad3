"""Commands: what people and programs tell Streamgauge about alerts, and how each is answered.

A command is one JSON object on the command topic, with its name under `command`. Times are RFC 3339 with a zone. Whoever
reads one checks its form here (`read_command`); whether it can be done, triage says in its `Answer`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from detectors.zones import nearest_names, zone_names

COMMAND_BYTES_MAX: Final = 64 << 10
CONFIGURE_BYTES_MAX: Final = 1 << 20
Id = Annotated[str, Meta(pattern="^[0-9a-zA-Z._:-]{1,64}$")]
AlertId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Comment = Annotated[str, Meta(max_length=2_000)]
Time = Annotated[datetime, Meta(tz=True)]
Globs = Annotated[dict[Text, Text], Meta(min_length=1, max_length=20)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DURATION_MAX: Final = timedelta(days=366)


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command"):
    """What every command says: which one it is, who gives it, when, and why.

    A command that is repeated under its `command_id` is done once.
    """

    command_id: Id
    author: Text
    time: Time
    comment: Comment = ""


class Acknowledge(_Command, frozen=True, tag="acknowledge"):
    """Somebody works on an alert: it is not told again unless it ends."""

    alert_id: AlertId


class Unacknowledge(_Command, frozen=True, tag="unacknowledge"):
    """Nobody does any more."""

    alert_id: AlertId


class Snooze(_Command, frozen=True, tag="snooze"):
    """Say nothing of one alert until a time; if it is still open then, it fires again."""

    alert_id: AlertId
    until: Time


class Silence(_Command, frozen=True, tag="silence"):
    """Say nothing of the alerts that globs match, until a time. `match` is by label, and by `signal`, `kind`, `owner`, `severity`."""

    match: Globs
    until: Time
    starts_at: Time | None = None


class Recurring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window that comes again: on `days`, from `at` (`HH:MM` on the clock of `time_zone`) for `minutes`."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] = DAYS
    at: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    minutes: Annotated[int, Meta(ge=1, le=7 * 1440)]
    time_zone: Text = "UTC"

    @property
    def clock(self) -> time:
        """When it begins, on the zone's clock."""
        return time.fromisoformat(self.at)


class Maintenance(_Command, frozen=True, tag="maintenance"):
    """A window in which alerts that globs match are not told: once (`starts_at` to `until`), or recurring until `until`, if that is given."""

    match: Globs
    starts_at: Time | None = None
    until: Time | None = None
    recurring: Recurring | None = None


class Cancel(_Command, frozen=True, tag="cancel"):
    """End a silence or a maintenance window, by the `command_id` that set it."""

    cancels: Id


class Opinion(StrEnum):
    """What people think of an alert, or of a time without one."""

    EXPECTED = "expected"
    FALSE_ALARM = "false_alarm"
    MISSED = "missed"
    RESET = "reset"


class Feedback(_Command, frozen=True, tag="feedback"):
    """What somebody thinks of an alert: `expected` and `false_alarm` end it; `reset` has its series learned anew. `missed` names a series."""

    opinion: Opinion
    alert_id: AlertId | None = None
    series: Text | None = None


class AcceptBaseline(_Command, frozen=True, tag="accept_baseline"):
    """The level that an alert tells of is the new normal one."""

    alert_id: AlertId


class ExpectChange(_Command, frozen=True, tag="expect_change"):
    """The schema change that an alert tells of is meant: it becomes what is known."""

    alert_id: AlertId


Command = (
    Acknowledge
    | Unacknowledge
    | Snooze
    | Silence
    | Maintenance
    | Cancel
    | Feedback
    | AcceptBaseline
    | ExpectChange
)


class Configure(_Command, frozen=True, tag="configure"):
    """What may change of the configuration while workers run is to be as in `config`, which has the form of the file; what it leaves out is as by default.

    It has a topic of its own, which keeps the last one. `origin` says where it was written.
    """

    config: dict[str, Any]
    origin: Text = "a command"


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of the audit topic: who asked for what and when, and what became of it.

    `command` is as it was given; `alerts` the alerts whose state it changed at once.
    """

    command_id: str
    author: str
    time: str
    answered_at: str
    outcome: Outcome
    reason: str
    config_hash: str
    command: Mapping[str, object]
    alerts: tuple[str, ...] = ()


NAMES: Final = tuple(str(it.__struct_config__.tag) for it in get_args(Command))
"""What stands under `command`."""
_decode = msgspec.json.Decoder(Command).decode
_decode_configure = msgspec.json.Decoder(Configure).decode


def read_command(payload: bytes) -> Command:
    """The command in a record's bytes.

    Raises:
        ValueError: it is none, with the place and what was expected there.
    """
    if len(payload) > COMMAND_BYTES_MAX:
        raise ValueError(f"{len(payload)} bytes; a command has at most {COMMAND_BYTES_MAX}")
    try:
        command = _decode(payload)
    except msgspec.ValidationError as error:
        unnamed = str(error).endswith(("`command`", "`$.command`"))
        raise ValueError(f"{error}; it is one of {', '.join(NAMES)}" if unnamed else str(error)) from None
    if faults := list(_faults(command)):
        raise ValueError("; ".join(faults))
    return command


def read_configure(payload: bytes) -> Configure:
    """The configuration in a record's bytes, of which only the form is checked.

    Raises:
        ValueError: it holds none, with the place and what was expected there.
    """
    if len(payload) > CONFIGURE_BYTES_MAX:
        raise ValueError(f"{len(payload)} bytes; a configuration has at most {CONFIGURE_BYTES_MAX}")
    return _decode_configure(payload)


def _faults(command: Command) -> list[str]:
    match command:
        case Snooze(until=until):
            return _ends_later(command.time, until)
        case Silence(until=until):
            return _ends_later(command.starts_at or command.time, until)
        case Maintenance():
            return _window_faults(command)
        case Feedback(opinion=Opinion.MISSED, series=None):
            return ["$.series: required when something was missed"]
        case Feedback(opinion=opinion, alert_id=None) if opinion is not Opinion.MISSED:
            return [f"$.alert_id: required for {opinion}"]
    return []


def _ends_later(starts_at: datetime, until: datetime) -> list[str]:
    if until <= starts_at:
        return ["$.until: must be later than it begins"]
    return [f"$.until: more than {DURATION_MAX.days} days later"] if until - starts_at > DURATION_MAX else []


def _window_faults(command: Maintenance) -> list[str]:
    recurring = command.recurring
    if recurring is None:
        if command.until is None:
            return ["$.until: required unless the window is recurring"]
        return _ends_later(command.starts_at or command.time, command.until)
    if recurring.time_zone not in zone_names():
        near = nearest_names(recurring.time_zone)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        return [f"$.recurring.time_zone: {recurring.time_zone!r} is no time zone of the IANA database{meant}"]
    return []


def epoch_ms(moment: datetime) -> int:
    """Epoch milliseconds of a time with a zone."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
