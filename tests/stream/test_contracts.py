import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from detectors import alerts
from detectors.alerts import Alert, Kind, State
from detectors.commands import read_command
from detectors.outputs import Destination
from detectors.settings import Settings
from stream.alert_records import alert_outputs
from stream.command_intake import CommandIntake
from stream.config import Config
from stream.contracts import ALERT, ANSWER, ASYNCAPI, COMMAND, RUN_EVENT, generated, shipped, shipped_text
from stream.formats.dead import DeadReason, Position, UnreadableError, dead_letter
from stream.stages import triage_stage
from tests.stream.alert_examples import FIRING, RESOLVED

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


@pytest.fixture(params=[FIRING, RESOLVED], ids=["firing", "resolved"])
def alert(request: pytest.FixtureRequest) -> Alert:
    given: Alert = request.param
    return given


@pytest.fixture
def asyncapi() -> dict[str, Any]:
    return shipped(ASYNCAPI)


@pytest.mark.parametrize("name", generated())
def test_a_shipped_schema_is_the_one_that_its_struct_has_now(name: str):
    assert shipped_text(name) == generated()[name], "run: python -m stream.contracts"


@pytest.mark.parametrize("name", [*generated(), RUN_EVENT])
def test_a_shipped_schema_is_a_valid_schema(name: str):
    jsonschema.Draft202012Validator.check_schema(shipped(name))


def test_every_field_of_the_alert_is_described_and_required():
    schema = shipped(ALERT)
    assert set(schema["required"]) == set(schema["properties"]) == set(Alert.__struct_fields__)
    assert all(field["description"] for field in schema["properties"].values())


def test_the_reference_describes_every_field_and_state_and_its_example_fits_the_schema():
    text = (Path(__file__).parents[2] / "docs/reference/alerts.md").read_text()
    described = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert set(described) >= {*Alert.__struct_fields__, *State}
    for name, field in shipped(ALERT)["properties"].items():
        assert field["description"] in text, name
    example = json.loads(text.partition("```json")[2].partition("```")[0])
    jsonschema.validate(example, shipped(ALERT), format_checker=FORMATS)


def test_an_alert_as_it_is_published_fits_its_schema(alert: Alert):
    jsonschema.validate(json.loads(alerts.encode(alert)), shipped(ALERT), format_checker=FORMATS)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", Kind)
def test_every_state_and_kind_fits_the_schema(state: State, kind: Kind):
    written = json.loads(alerts.encode(msgspec.structs.replace(FIRING, state=state, kind=kind)))
    jsonschema.validate(written, shipped(ALERT))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "on fire"),
        ("updated_at", "yesterday"),
        ("sequence", 0),
        ("alert_id", "1"),
        ("severity", "bad"),
        ("observed", "5"),
    ],
)
def test_what_is_no_alert_does_not_fit_the_schema(alert: Alert, field: str, value: Any):
    wrong = {**json.loads(alerts.encode(alert)), field: value}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, shipped(ALERT), format_checker=FORMATS)


COMMANDS: list[dict[str, Any]] = [
    {"command": "acknowledge", "alert_id": "0" * 32},
    {"command": "snooze", "alert_id": "0" * 32, "until": "2026-03-01T12:00:00Z"},
    {
        "command": "silence",
        "match": {"pipeline": "*"},
        "until": "2026-03-01T12:00:00+01:00",
        "starts_at": None,
    },
    {
        "command": "maintenance",
        "match": {"a": "b"},
        "recurring": {"days": ["sat"], "at": "02:00", "minutes": 60},
    },
    {"command": "cancel", "cancels": "c1"},
    {"command": "feedback", "opinion": "reset", "alert_id": "0" * 32},
    {"command": "feedback", "opinion": "missed", "series": "volume{pipeline=orders}"},
    {"command": "silence", "match": {}, "until": "2026-03-01T12:00:00Z"},
    {"command": "silence", "match": {"a": 5}, "until": "2026-03-01T12:00:00Z"},
    {"command": "silence", "match": {"a": "b"}, "until": "soon"},
    {
        "command": "maintenance",
        "match": {"a": "b"},
        "recurring": {"days": ["so"], "at": "02:00", "minutes": 60},
    },
    {"command": "acknowledge", "alert_id": "0" * 31},
    {"command": "acknowledge", "alert_id": "0" * 32, "more": 1},
    {"command": "feedback", "opinion": "good", "alert_id": "0" * 32},
    {"command": "hush"},
    {},
]


@pytest.mark.parametrize("said", COMMANDS, ids=str)
def test_the_schema_of_commands_takes_what_is_read_and_nothing_else(said: dict[str, Any]):
    command = {"command_id": "c", "author": "eva", "time": "2026-03-01T10:00:00Z", **said}
    try:
        read_command(json.dumps(command).encode())
    except ValueError:
        is_read = False
    else:
        is_read = True
    schema = jsonschema.Draft202012Validator(shipped(COMMAND), format_checker=FORMATS)
    assert schema.is_valid(command) == is_read


def test_an_answer_as_it_is_published_fits_its_schema():
    notes = CommandIntake("c").batch(0, [0, 1], [b"{", b'{"command_id": "x", "author": "eva"}'], 0)
    stage = triage_stage(Settings())
    outputs = [
        output for offset, note in enumerate(notes) for output in stage.step(offset, note.value or b"")
    ]
    assert len(outputs) == 2
    for output in outputs:
        jsonschema.validate(json.loads(output.value or b""), shipped(ANSWER), format_checker=FORMATS)


def test_a_field_added_later_fits_the_schema_of_today(alert: Alert):
    jsonschema.validate({**json.loads(alerts.encode(alert)), "added_later": 1}, shipped(ALERT))


def test_the_asyncapi_document_is_a_valid_one(asyncapi: dict[str, Any]):
    specification = json.loads(gzip.decompress((FIXTURES / "asyncapi/3.0.0.json.gz").read_bytes()))
    jsonschema.Draft7Validator(specification).validate(asyncapi)


def test_every_reference_in_the_asyncapi_document_leads_somewhere(asyncapi: dict[str, Any]):
    found = list(references(asyncapi))
    assert len(found) > 20
    for reference in found:
        if reference.startswith("#/"):
            resolve(asyncapi, reference)
        elif reference.startswith("./"):
            jsonschema.Draft202012Validator.check_schema(shipped(reference.removeprefix("./")))
        else:
            assert reference.startswith("https://openlineage.io/spec/")


def test_the_asyncapi_document_names_the_topics_of_the_default_configuration(asyncapi: dict[str, Any]):
    config = Config()
    named = {channel["address"] for channel in asyncapi["channels"].values()}
    assert named == {
        *(source.topic for source in config.sources),
        config.dead_letters.topic,
        config.alerts.topic,
        config.alerts.state_topic,
        config.commands.topic,
        config.audit.topic,
    }


def test_the_headers_of_an_alert_are_those_of_the_asyncapi_document(alert: Alert, asyncapi: dict[str, Any]):
    headers = {name: value.decode() for name, value in alert_outputs(alert)[0].headers}
    described = asyncapi["components"]["schemas"]["cloudEventHeaders"]
    assert headers.keys() == described["properties"].keys()
    jsonschema.validate(headers, described, format_checker=FORMATS)


def test_the_headers_of_a_dead_letter_are_those_of_the_asyncapi_document(asyncapi: dict[str, Any]):
    described = asyncapi["components"]["messages"]["deadLetter"]["headers"]
    why = UnreadableError(DeadReason.NO_TIME, "$.time: is missing")
    letter = dead_letter(Position("orders", 3, 17, 1_772_359_200_000), b"x" * 100, why, 10)
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers.keys() | {"bridge"} == described["properties"].keys()
    jsonschema.validate(headers, described)
    assert described["properties"]["reason"]["enum"] == list(DeadReason)


def test_the_examples_of_the_asyncapi_document_fit_its_schemas(asyncapi: dict[str, Any]):
    messages = asyncapi["components"]["messages"]
    jsonschema.validate(messages["runEvent"]["examples"][0]["payload"], shipped(RUN_EVENT))
    for name, contract in (("command", COMMAND), ("answer", ANSWER)):
        jsonschema.validate(
            messages[name]["examples"][0]["payload"], shipped(contract), format_checker=FORMATS
        )
    jsonschema.validate(messages["metric"]["examples"][0]["payload"], messages["metric"]["payload"]["schema"])


def test_both_alert_channels_are_written(alert: Alert):
    assert [output.destination for output in alert_outputs(alert)] == [
        Destination.ALERTS,
        Destination.ALERT_STATE,
    ]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document
