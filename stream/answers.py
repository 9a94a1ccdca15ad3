"""Answers to commands as records of the audit topic, keyed by the command's id."""

import msgspec

from detectors.commands import Answer
from detectors.outputs import Destination, Output

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Answer).decode
"""The answer in a record's bytes; raises `msgspec.ValidationError` when they hold none."""


def answer_output(answer: Answer) -> Output:
    """The record of an answer."""
    return Output(Destination.AUDIT, answer.command_id.encode(), encode(answer))
