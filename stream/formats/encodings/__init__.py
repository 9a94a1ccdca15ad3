"""The encodings of records: each turns the bytes of a value into the object that JSON would have there.

`json_text` reads JSON, `avro` and `protobuf` read theirs; `framing` is what Confluent's serializers put before a value, and
`schemas` what those values refer to.
"""

from collections.abc import Callable
from typing import Any

Decode = Callable[[bytes], dict[str, Any]]
"""Gives the record in a value. Raises `UnreadableError`, or what msgspec raises, when there is none."""


class DataNames(dict[str, Any]):
    """An object whose names are data, as a map's are: they are told apart by nobody."""

    __slots__ = ()
