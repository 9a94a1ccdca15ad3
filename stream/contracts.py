"""The published contracts: JSON Schemas and the AsyncAPI document, shipped in `stream/schemas`.

The alert schema is generated from `detectors.alerts.Alert`, with what each field means added here, and those of commands and answers in
`stream.command_contract`; after a change, `python -m stream.contracts` writes them anew.
"""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from detectors.alerts import SCHEMA_VERSION, Alert
from stream.command_contract import answer_schema, command_schema

ALERT: Final = "alert.schema.json"
RUN_EVENT: Final = "run-event.schema.json"
COMMAND: Final = "command.schema.json"
ANSWER: Final = "answer.schema.json"
ASYNCAPI: Final = "asyncapi.yaml"

_ID: Final = {"pattern": "^[0-9a-f]{32}$"}
_TIME: Final = {
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
}

_ALERT_FIELDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "schema_version": ("Version of this contract; fields are only added while the first number stays.", {}),
    "event_id": ("This record. A repeated record has the same id.", _ID),
    "alert_id": ("The episode: the same from first crossing to recovery, and the record's key.", _ID),
    "fingerprint": ("The kind and series: the same in every episode of a series.", _ID),
    "sequence": ("Counts the records of an episode, from 1.", {"minimum": 1}),
    "state": ("Where the episode stands after this transition.", {}),
    "transition_reason": ("Why it went there.", {}),
    "starts_at": ("Event time of the first crossing.", _TIME),
    "updated_at": ("Event time of this transition.", _TIME),
    "ends_at": ("Event time of the end; null while the episode is open.", _TIME),
    "detected_at": (
        "Wall time at which this transition was found; differs when a record is repeated.",
        _TIME,
    ),
    "detection_delay_ms": ("From `updated_at` to `detected_at`.", {"minimum": 0}),
    "kind": ("What the alert is about: a signal, very many alerts at once, or the detector itself.", {}),
    "severity": ("One of PagerDuty's four.", {"enum": ["critical", "error", "warning", "info"]}),
    "summary": ("One sentence: what was observed, what was expected, and since when.", {}),
    "labels": (
        "The series' labels, the kind, and what the configuration adds; they map to Alertmanager's labels.",
        {},
    ),
    "annotations": (
        "More to read, such as the error text of a failed run; they map to Alertmanager's annotations.",
        {},
    ),
    "owner": ("Who is responsible, from the configuration or the run events.", {}),
    "runbook_url": ("What to read: from the configuration, else the runbook of its kind.", {}),
    "series": ("The series that left its range.", {}),
    "window": ("The span of event time that was judged.", {}),
    "observed": ("What was measured, in the series' unit.", {}),
    "expected": ("What was expected, in the series' unit.", {}),
    "lower": ("Lower end of the ordinary range; null when there is none.", {}),
    "upper": ("Upper end of the ordinary range; null when there is none.", {}),
    "p_value": ("How probable such an observation is when all is well.", {}),
    "effect": ("How far the observation lies from what was expected.", {}),
    "direction": ("The side on which the range was left.", {}),
    "change": ("The form of what happened.", {}),
    "baseline": ("What the observation was compared with.", {}),
    "source_positions": ("The source records behind the verdict.", {}),
    "schema_change": ("What changed in the schema; null for every other kind.", {}),
    "root_cause": ("The alert that explains this one; null when none does.", {}),
    "children": ("The `alert_id`s of the alerts that this one explains.", {}),
    "config_hash": ("The configuration that was in force.", {}),
    "mode": ("Which run of the detectors produced the alert.", {}),
    "notify": (
        "Whether to tell people: true when it fires anew, got materially worse or is to be remembered, and when what they were told of ends.",
        {},
    ),
}


def alert_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the alert, from the Struct.

    Raises:
        KeyError: the alert has a field that is not described here.
    """
    schema = msgspec.json.schema(Alert)
    definitions: dict[str, Any] = schema["$defs"]
    alert = definitions.pop("Alert")
    for name, field in alert["properties"].items():
        description, constraints = _ALERT_FIELDS[name]
        field["description"] = description
        _constrain(field, constraints)
    for moment in ("from", "to"):
        definitions["AlertBaseline"]["properties"][moment] |= _TIME
    for moment in ("start", "end"):
        definitions["Window"]["properties"][moment] |= _TIME
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:streamgauge:alert:{SCHEMA_VERSION.partition('.')[0]}",
        **alert,
        "title": "Streamgauge alert",
        "description": "One state transition of one episode. Times are RFC 3339 in UTC with milliseconds.",
        "$defs": dict(sorted(definitions.items())),
    }


def alert_schema_text() -> str:
    """The alert schema as it is shipped."""
    return _text(alert_schema())


def generated() -> dict[str, str]:
    """The schemas that are generated, as they are shipped, by name."""
    return {
        ALERT: alert_schema_text(),
        COMMAND: _text(command_schema()),
        ANSWER: _text(answer_schema()),
    }


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def shipped(name: str) -> dict[str, Any]:
    """A shipped contract, `ALERT`, `RUN_EVENT`, `COMMAND`, `ANSWER` or `ASYNCAPI`, as plain data."""
    text = shipped_text(name)
    document: dict[str, Any] = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    return document


def shipped_text(name: str) -> str:
    """A shipped contract as it lies in the package."""
    return _folder().joinpath(name).read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("stream") / "schemas"


def _constrain(field: dict[str, Any], constraints: dict[str, Any]) -> None:
    for option in field.get("anyOf", [field]):
        if option.get("type") != "null":
            option.update(constraints)


if __name__ == "__main__":
    for file_name, written in generated().items():
        Path(str(_folder() / file_name)).write_text(written, encoding="utf-8")
