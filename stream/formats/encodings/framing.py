"""Confluent's framing: a zero, the number of a schema in four bytes, and then the value.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import struct
from typing import Final

from stream.formats.dead import DeadReason, UnreadableError

BODY: Final = 5
"""How many bytes stand before the value."""
_FRAME: Final = struct.Struct(">BI")
_MAGIC: Final = 0


def schema_number(value: bytes) -> int:
    """The number of the schema that a value was written with; the value begins at `BODY`.

    >>> schema_number(bytes([0, 0, 0, 1, 2, 42]))
    258

    Raises:
        UnreadableError: `not_framed`.
    """
    if len(value) < BODY or value[0] != _MAGIC:
        expected = "expected a zero and the number of a schema in four bytes before the value"
        raise UnreadableError(DeadReason.NOT_FRAMED, expected)
    return int(_FRAME.unpack_from(value)[1])
