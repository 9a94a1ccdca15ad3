"""Commands come in: each well-formed one goes on to triage, and for any other the answer, which triage gives in its turn."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from detectors.commands import COMMAND_BYTES_MAX, Answer, Outcome, read_command
from detectors.notes import VERSION, CommandNote, RefusalNote, encode
from detectors.outputs import Destination, Output
from detectors.stage import Count
from detectors.wording import time_text
from stream.answers import encode as encode_answer
from stream.formats.limits import nesting
from stream.topology import Ints

TEXT_LENGTH_MAX: Final = 200
REASON_LENGTH_MAX: Final = 500
REPEATED_DEPTH_MAX: Final = 32


class CommandIntake:
    """Reads the command topic.

    Args:
        topic: its name.
    """

    def __init__(self, topic: str) -> None:
        self.topic, self._refused = topic, 0

    def batch(
        self,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        wall_ms: int,
    ) -> list[Output]:
        """A note for each command and for each record that is none; a tombstone is nothing."""
        return list(self._outputs(partition, offsets, values, wall_ms))

    def _outputs(
        self, partition: int, offsets: Sequence[int] | Ints, values: Sequence[bytes | None], wall_ms: int
    ) -> Iterator[Output]:
        for offset, value in zip(offsets, values, strict=True):
            if value is None:
                continue
            place = (self.topic, partition, int(offset))
            note: CommandNote | RefusalNote
            try:
                note = CommandNote(VERSION, *place, wall_ms, read_command(value))
            except (ValueError, RecursionError) as error:
                self._refused += 1
                answer = _refusal("/".join(map(str, place)), value, str(error), wall_ms)
                note = RefusalNote(VERSION, *place, wall_ms, encode_answer(answer))
            yield Output(Destination.ANOMALIES, key=None, value=encode(note), partition=0)

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call: `("commands_refused",)`."""
        counts: Counter[Count] = Counter({("commands_refused",): self._refused} if self._refused else {})
        self._refused = 0
        return counts


def _refusal(place: str, value: bytes, reason: str, wall_ms: int) -> Answer:
    given = _object(value)
    return Answer(
        command_id=_text(given, "command_id") or place,
        author=_text(given, "author"),
        time=_text(given, "time"),
        answered_at=time_text(wall_ms),
        outcome=Outcome.REFUSED,
        reason=f"{place}: {reason}"[:REASON_LENGTH_MAX],
        config_hash="",
        command=given,
    )


def _object(value: bytes) -> Mapping[str, Any]:
    """The JSON object in a record, if it is one and small enough to be repeated."""
    if len(value) > COMMAND_BYTES_MAX or nesting(value) > REPEATED_DEPTH_MAX:
        return {}
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(given: Mapping[str, Any], name: str) -> str:
    text = given.get(name)
    return text[:TEXT_LENGTH_MAX] if isinstance(text, str) else ""
