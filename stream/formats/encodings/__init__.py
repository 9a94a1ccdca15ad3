"""The encodings of records: each turns the bytes of a value into the object that JSON would have there.

`avro` and `protobuf` read theirs; `framing` is what Confluent's serializers put before a value, `schemas` what that refers to, and
`choice` says which encoding a topic is in.
"""

from collections.abc import Callable
from typing import Any

Decode = Callable[[bytes], dict[str, Any]]
"""Gives the record in a value. Raises `UnreadableError`, or what msgspec raises, when there is none."""


class DataNames(dict[str, Any]):
    """An object whose names are data, as a map's are: they are told apart by nobody."""

    __slots__ = ()


def bytes_text(data: bytes) -> str:
    """Bytes as text, one character a byte, as in Avro's own JSON."""
    return data.decode("latin-1")
