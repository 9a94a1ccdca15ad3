"""Commands come in: each well-formed one goes on to triage, any other is answered here and now."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from detectors.commands import COMMAND_BYTES_MAX, Answer, Outcome, read_command
from detectors.notes import VERSION, CommandNote, encode
from detectors.outputs import Destination, Output
from detectors.stage import Count
from detectors.wording import time_text
from stream.answers import answer_output
from stream.formats.limits import nesting
from stream.topology import Ints

TEXT_LENGTH_MAX: Final = 200
REASON_LENGTH_MAX: Final = 500
REPEATED_DEPTH_MAX: Final = 32


class CommandIntake:
    """Reads the command topic.

    Args:
        topic: its name.
        config_hash: of the settings in force, for answers.
    """

    def __init__(self, topic: str, config_hash: str) -> None:
        self.topic, self._config_hash = topic, config_hash
        self._refused = 0

    def batch(
        self,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        wall_ms: int,
    ) -> list[Output]:
        """A note for each command, and the answer to each record that is none; a tombstone is nothing."""
        return list(self._outputs(partition, offsets, values, wall_ms))

    def _outputs(
        self, partition: int, offsets: Sequence[int] | Ints, values: Sequence[bytes | None], wall_ms: int
    ) -> Iterator[Output]:
        for offset, value in zip(offsets, values, strict=True):
            if value is None:
                continue
            try:
                command = read_command(value)
            except (ValueError, RecursionError) as error:
                yield self._refusal(f"{self.topic}/{partition}/{offset}", value, str(error), wall_ms)
            else:
                note = CommandNote(VERSION, self.topic, partition, int(offset), wall_ms, command)
                yield Output(Destination.ANOMALIES, key=None, value=encode(note), partition=0)

    def _refusal(self, place: str, value: bytes, reason: str, wall_ms: int) -> Output:
        self._refused += 1
        given = _object(value)
        answer = Answer(
            command_id=_text(given, "command_id") or place,
            author=_text(given, "author"),
            time=_text(given, "time"),
            answered_at=time_text(wall_ms),
            outcome=Outcome.REFUSED,
            reason=f"{place}: {reason}"[:REASON_LENGTH_MAX],
            config_hash=self._config_hash,
            command=given,
        )
        return answer_output(answer)

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call: `("commands_refused",)`."""
        counts: Counter[Count] = Counter({("commands_refused",): self._refused} if self._refused else {})
        self._refused = 0
        return counts


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
