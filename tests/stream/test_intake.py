"""Intake: commands beside the sources."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.commands import COMMAND_BYTES_MAX, Acknowledge, Answer, Outcome
from detectors.notes import CommandNote, RefusalNote, read_note
from detectors.outputs import Destination, Output
from stream import answers
from stream.command_intake import CommandIntake
from stream.config import Config
from stream.config_intake import ConfigIntake
from stream.formats.limits import Limits
from stream.ingest import Ingest
from stream.intake import Intake

COMMANDS = "streamgauge.commands"
WALL_MS = 1_772_359_200_000
ACK: dict[str, Any] = {
    "command": "acknowledge",
    "command_id": "c1",
    "author": "eva@example",
    "time": "2026-03-01T10:00:00Z",
    "alert_id": "0" * 32,
}


def intake() -> Intake:
    return Intake(
        Ingest({"events": "events"}, 2, {"events": 1}, Limits(), 300_000),
        CommandIntake(COMMANDS),
        ConfigIntake(Config()),
    )


def told(*values: bytes | None, first: int = 5) -> list[Output]:
    offsets = range(first, first + len(values))
    return intake().batch(COMMANDS, 1, offsets, values, [0] * len(values), first - 1, WALL_MS, caught_up=True)


def answer(value: bytes) -> Answer:
    (output,) = told(value)
    note = read_note(output.value or b"")
    assert isinstance(note, RefusalNote)
    assert (note.topic, note.partition, note.offset, note.wall_ms) == (COMMANDS, 1, 5, WALL_MS)
    return answers.decode(note.answer)


def test_a_command_becomes_a_note_that_names_its_record() -> None:
    (output,) = told(json.dumps(ACK).encode())
    assert output[:2] == (Destination.ANOMALIES, None)
    assert output.partition == 0
    note = read_note(output.value or b"")
    assert isinstance(note, CommandNote)
    assert (note.topic, note.partition, note.offset, note.wall_ms) == (COMMANDS, 1, 5, WALL_MS)
    assert isinstance(note.command, Acknowledge)


def test_a_bad_command_is_answered_and_its_neighbours_are_not_touched() -> None:
    good = json.dumps(ACK).encode()
    outputs = told(good, b"{", None, json.dumps(ACK | {"alert_id": "x"}).encode(), good)
    assert {(it.destination, it.partition) for it in outputs} == {(Destination.ANOMALIES, 0)}
    notes = [read_note(it.value or b"") for it in outputs]
    assert [(type(it), it.offset) for it in notes] == [  # type: ignore[union-attr]
        (CommandNote, 5),
        (RefusalNote, 6),
        (RefusalNote, 8),
        (CommandNote, 9),
    ]


def test_a_refusal_says_who_asked_for_what_and_where_it_is_wrong() -> None:
    given_ = ACK | {"until": "2026-03-01T11:00:00Z"}
    found = answer(json.dumps(given_).encode())
    assert (found.command_id, found.author, found.time) == ("c1", "eva@example", "2026-03-01T10:00:00Z")
    assert (found.outcome, found.config_hash, found.command) == (Outcome.REFUSED, "", given_)
    assert found.reason == f"{COMMANDS}/1/5: Object contains unknown field `until`"
    assert found.answered_at == "2026-03-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (ACK | {"command": "ack"}, "Invalid value 'ack' - at `$.command`"),
        ({"author": "eva"}, "Object missing required field `command`"),
    ],
)
def test_a_command_that_is_not_known_is_refused_with_those_that_are(
    value: dict[str, Any], reason: str
) -> None:
    names = "acknowledge, unacknowledge, snooze, silence, maintenance, cancel, feedback, accept_baseline, expect_change"
    assert answer(json.dumps(value).encode()).reason == f"{COMMANDS}/1/5: {reason}; it is one of {names}"


@pytest.mark.parametrize(
    "value", [b"", b"[1]", b"\xff", b'"x"', b"[" * 9_000, b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_what_is_no_command_at_all_is_answered_by_its_place(value: bytes) -> None:
    found = answer(value)
    assert (found.command_id, found.author, found.command) == (f"{COMMANDS}/1/5", "", {})
    assert found.reason.startswith(f"{COMMANDS}/1/5: ")


def test_an_answer_repeats_no_command_that_is_too_large() -> None:
    found = answer(json.dumps(ACK | {"comment": "x" * COMMAND_BYTES_MAX}).encode())
    assert found.command == {}
    assert "at most" in found.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from([*ACK, "x"]), JSON).map(lambda it: json.dumps(it).encode())
)
def test_whatever_a_record_holds_it_is_told_once(value: bytes) -> None:
    (output,) = told(value)
    assert isinstance(read_note(output.value or b""), CommandNote | RefusalNote)


def test_commands_give_no_samples_and_no_marks_and_are_not_among_the_partitions() -> None:
    both = intake()
    assert both.mark(COMMANDS, 0, 7, WALL_MS, caught_up=True, idle=True) == []
    marks = both.mark("events", 0, 7, WALL_MS, caught_up=True, idle=True)
    assert [output.destination for output in marks] == [Destination.SAMPLES] * 2
    assert COMMANDS.encode() not in b"".join(output.value or b"" for output in marks)


def test_refusals_are_counted_once() -> None:
    both = intake()
    both.batch(COMMANDS, 0, [0], [b"{"], [0], -1, WALL_MS, caught_up=True)
    assert both.take_counts() == {("commands_refused",): 1}
    assert not both.take_counts()
