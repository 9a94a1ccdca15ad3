"""The encodings of records: each turns the bytes of a value into the object that JSON would have there.

`avro` and `protobuf` read theirs; `framing` is what Confluent's serializers put before a value, `schemas` what that refers to, and
`choice` says which encoding a topic is in.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.formats.declarations.compared import Declaration

Decode = Callable[[bytes], dict[str, Any]]
"""Gives the record in a value. Raises `UnreadableError`, or what msgspec raises, when there is none."""


class DataNames(dict[str, Any]):
    """An object whose names are data, as a map's are: they are told apart by nobody."""

    __slots__ = ()


class DeclaredRecord(dict[str, Any]):
    """A record with what its own schema declares of it."""

    __slots__ = ("declaration",)

    def __init__(self, record: dict[str, Any], declaration: "Declaration") -> None:
        super().__init__(record)
        self.declaration = declaration


def bytes_text(data: bytes) -> str:
    """Bytes as text, one character a byte, as in Avro's own JSON."""
    return data.decode("latin-1")
