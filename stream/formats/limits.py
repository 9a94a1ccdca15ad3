"""What ingest accepts of one record: the named limits, and the checks made before a JSON parser sees a value."""

import re
from collections.abc import Sequence
from itertools import repeat

import msgspec
import numpy as np

from stream.formats.dead import DeadReason, UnreadableError

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"{}[]"))
_DELTA = np.zeros(256, np.int8)
_DELTA[list(b"{[")] = 1
_DELTA[list(b"}]")] = -1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Caps on one record and on what is kept of it.

    A record over `record_bytes_max` or `nesting_max` is dead-lettered. `sample_bytes_max` bounds what ingest writes in one
    record. The other caps shorten what is kept.
    """

    record_bytes_max: int = 1 << 20
    nesting_max: int = 64
    labels_max: int = 32
    label_chars_max: int = 256
    error_chars_max: int = 500
    schema_fields_max: int = 2_000
    schema_text_chars_max: int = 512
    datasets_max: int = 1_000
    dead_letter_bytes_max: int = 64 << 10
    sample_bytes_max: int = 4 << 20


class Guard:
    """Refuses what no parser should be given: too large, not UTF-8, nested too deep."""

    def __init__(self, limits: Limits) -> None:
        self._sizes = Sizes(limits)
        self._nesting_max = limits.nesting_max

    def passes_all(self, values: Sequence[bytes]) -> bool:
        """True when no value can need refusing, told in a few passes over the batch; False says: look at each."""
        if not values:
            return True
        if not self._sizes.passes_all(values):
            return False
        joined = b"".join(values)
        if not joined.isascii():
            return False
        openers = max(map(bytes.count, values, repeat(b"{")))
        if b"[" in joined:
            openers += max(map(bytes.count, values, repeat(b"[")))
        return openers <= self._nesting_max

    def check(self, value: bytes) -> None:
        """Look at one value.

        Raises:
            UnreadableError: `oversize`, `not_utf8` or `too_deep`.
        """
        self._sizes.check(value)
        try:
            value.isascii() or value.decode()
        except UnicodeDecodeError as error:
            raise UnreadableError(DeadReason.NOT_UTF8, f"byte {error.start}") from None
        if value.count(b"{") + value.count(b"[") > self._nesting_max and nesting(value) > self._nesting_max:
            raise UnreadableError(DeadReason.TOO_DEEP, f"nested deeper than {self._nesting_max}")


class Sizes:
    """Refuses what is too large, of values that are no text."""

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.record_bytes_max

    def passes_all(self, values: Sequence[bytes]) -> bool:
        """True when no value needs refusing."""
        return max(map(len, values), default=0) <= self._bytes_max

    def check(self, value: bytes) -> None:
        """Look at one value.

        Raises:
            UnreadableError: `oversize`.
        """
        if len(value) > self._bytes_max:
            raise UnreadableError(DeadReason.OVERSIZE, f"{len(value)} bytes; the limit is {self._bytes_max}")


def nesting(value: bytes) -> int:
    """How deep the arrays and objects of a JSON text nest, brackets inside strings left out; linear in its size."""
    brackets = _STRING.sub(b"", value).translate(None, _NO_BRACKET)
    if not brackets:
        return 0
    return int(_DELTA[np.frombuffer(brackets, np.uint8)].cumsum(dtype=np.int64).max())
