"""The contracts of commands and their answers as JSON Schemas, from the Structs, with what each field means added here."""

from typing import Any, Final

import msgspec

from detectors.commands import Answer, Command

_FIELDS: Final[dict[str, str]] = {
    "command": "Which command it is.",
    "command_id": "Made up by who gives it. Repeated, a command is done once; a silence or window is cancelled by it.",
    "author": "Who gives it.",
    "time": "When it is given: RFC 3339 with a zone.",
    "comment": "Why.",
    "alert_id": "The alert that it is about.",
    "match": "Globs by label, and by `signal`, `kind`, `owner`, `severity`; all must match.",
    "starts_at": "From when on; from `time` on unless given.",
    "until": "Until when.",
    "recurring": "When the window comes again; it is open once unless given.",
    "cancels": "The `command_id` of the silence or window.",
    "opinion": "What the author thinks.",
    "series": "The series that should have alarmed, like `volume{pipeline=orders}`; for `missed`.",
    "days": "The days on which it begins.",
    "at": "When it begins on the clock of `time_zone`.",
    "minutes": "For how long.",
    "time_zone": "A zone of the IANA database.",
}
_ANSWER_FIELDS: Final[dict[str, str]] = {
    "command_id": "The command's, or the place of the record (`topic/partition/offset`) from which none can be read; the record's key.",
    "author": "Who gave the command; empty when that cannot be read.",
    "time": "When it was given, as it says; empty when that cannot be read.",
    "answered_at": "Wall time at which a worker read it; differs when an answer is repeated.",
    "outcome": "What became of it.",
    "reason": "Why it was refused; empty when it was done.",
    "config_hash": "The configuration that was in force.",
    "command": "The command as it was given; empty when it is no JSON object, or too large.",
    "alerts": "The `alert_id`s of the alerts whose state it changed at once; absent when there are none.",
}


def command_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a command.

    Raises:
        KeyError: a command has a field that is not described here.
    """
    schema = msgspec.json.schema(Command)
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        for name, field in definition.get("properties", {}).items():
            field["description"] = _FIELDS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:streamgauge:command:1",
        "title": "Streamgauge command",
        "description": "What people and programs tell Streamgauge about alerts: one JSON object for each record of the command topic.",
        "type": "object",
        "required": ["command"],
        "oneOf": schema["anyOf"],
        "$defs": dict(sorted(definitions.items())),
    }


def answer_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of an answer.

    Raises:
        KeyError: an answer has a field that is not described here.
    """
    schema = msgspec.json.schema(Answer, schema_hook=lambda _: {"description": "Any value."})
    definitions: dict[str, Any] = schema["$defs"]
    answer = definitions.pop("Answer")
    for name, field in answer["properties"].items():
        field["description"] = _ANSWER_FIELDS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:streamgauge:answer:1",
        **answer,
        "title": "Streamgauge answer",
        "description": "Who asked for what and when, and what became of it: one record of the audit topic.",
        "$defs": dict(sorted(definitions.items())),
    }
