"""Schemas by number: what values refer to, and a reader for each, made once."""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings import Decode
from stream.formats.encodings.framing import BODY, schema_number

READERS_MAX: Final = 1_000
"""Readers kept; when there are more, all are made anew."""

Language = Literal["avro", "protobuf", "json"]


class Schema(msgspec.Struct, frozen=True):
    """A schema as it stands in a registry or a file, and what it refers to, by the names it uses.

    Of Protobuf either the text of a .proto file, or a descriptor set in bytes, and the name of the message that bare values are.
    """

    language: Language
    text: str | bytes
    references: tuple[tuple[str, "Schema"], ...] = ()
    message: str = ""


SchemaOf = Callable[[int], Schema]
"""The schema of a number. Raises `UnreadableError` (`no_schema`) when there is none, `SchemaAwaitedError` when that is not known."""


class SchemaAwaitedError(Exception):
    """Whether there is such a schema cannot be known now, so what names it can neither be read nor be given up.

    `answered` asks again, from any thread: True when it is known.
    """

    def __init__(self, detail: str, answered: Callable[[], bool]) -> None:
        super().__init__(detail)
        self.answered = answered
        self.wanted = detail.partition(": ")[0]
        """What is waited for."""


class Framed:
    """Reads framed values, each with the schema that its frame names.

    Args:
        schema_of: where schemas come from.
        compiled: makes a reader of what follows the frame.
    """

    def __init__(self, schema_of: SchemaOf, compiled: Callable[[Schema], Decode]) -> None:
        self._schema_of, self._compiled = schema_of, compiled
        self._readers: dict[int, Decode] = {}

    def decode(self, value: bytes) -> dict[str, Any]:
        """The record in a value.

        Raises:
            UnreadableError: it is not framed, it has no schema, or it is not what the schema says.
            SchemaAwaitedError: its schema cannot be had now.
        """
        number = schema_number(value)
        return (self._readers.get(number) or self._made(number))(value[BODY:])

    def _made(self, number: int) -> Decode:
        schema = self._schema_of(number)
        try:
            reader = self._compiled(schema)
        except UnreadableError as why:
            reader = _refusing(why.reason, f"schema {number}: {why.detail}")
        if len(self._readers) >= READERS_MAX:
            self._readers.clear()
        self._readers[number] = reader
        return reader


def _refusing(reason: DeadReason, detail: str) -> Decode:
    def refuse(_: bytes) -> dict[str, Any]:
        raise UnreadableError(reason, detail)

    return refuse
