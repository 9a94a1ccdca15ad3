"""Intake: commands beside the sources."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.commands import COMMAND_BYTES_MAX, Acknowledge, Answer, Outcome
from detectors.notes import CommandNote, read_note
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
        CommandIntake(COMMANDS, "abc"),
        ConfigIntake(Config()),
    )


def told(*values: bytes | None, first: int = 5) -> list[Output]:
    offsets = range(first, first + len(values))
    return intake().batch(COMMANDS, 1, offsets, values, [0] * len(values), first - 1, WALL_MS, caught_up=True)


def answer(value: bytes) -> Answer:
    (output,) = told(value)
    assert output.destination is Destination.AUDIT
    found = answers.decode(output.value or b"")
    assert output.key == found.command_id.encode()
    return found


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
    assert [output.destination for output in outputs] == ["anomalies", "audit", "audit", "anomalies"]
    assert [read_note(it.value or b"").offset for it in (outputs[0], outputs[3])] == [5, 9]  # type: ignore[union-attr]


def test_a_refusal_says_who_asked_for_what_and_where_it_is_wrong() -> None:
    given_ = ACK | {"until": "2026-03-01T11:00:00Z"}
    found = answer(json.dumps(given_).encode())
    assert (found.command_id, found.author, found.time) == ("c1", "eva@example", "2026-03-01T10:00:00Z")
    assert (found.outcome, found.config_hash, found.command) == (Outcome.REFUSED, "abc", given_)
    assert found.reason == f"{COMMANDS}/1/5: Object contains unknown field `until`"
    assert found.answered_at == "2026-03-01T10:00:00.000Z"


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
    assert output.destination in (Destination.ANOMALIES, Destination.AUDIT)


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
