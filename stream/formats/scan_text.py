"""Scanning texts: plain ASCII without escapes, and the words of a small vocabulary."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from detectors.compiled import inner
from detectors.memory import Address, byte_at, head_at, lowest_bit, word_at

QUOTE, COMMA, COLON, OPEN, CLOSE = 0x22, 0x2C, 0x3A, 0x7B, 0x7D
ERROR: Final = -2
"""In place of a place: what stands there is not plain."""
UNKNOWN: Final = -1
_BACKSLASH = 0x5C


_EACH = np.uint64(0x0101010101010101)
_TOP_BITS = np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES, _SPACES = (
    _EACH * np.uint64(QUOTE),
    _EACH * np.uint64(_BACKSLASH),
    _EACH * np.uint64(0x20),
)
_WORD: Final = 8
_WORD_MAX: Final = 16
"""The longest word of a vocabulary."""


@inner
def blank(address: Address, at: int, end: int) -> int:
    """The next place that is no white space."""
    while at < end and (
        byte_at(address, at) == 0x20
        or byte_at(address, at) == 0x0A
        or byte_at(address, at) == 0x0D
        or byte_at(address, at) == 0x09
    ):
        at += 1
    return at


@inner
def _special(word: np.uint64) -> np.uint64:
    """The top bits of quotes, backslashes, control characters and bytes beyond ASCII; above the lowest, others may be set.

    H. S. Warren, "Hacker's Delight", 2nd ed., 6-1.
    """
    quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
    found = (
        ((quote - _EACH) & ~quote) | ((backslash - _EACH) & ~backslash) | ((word - _SPACES) & ~word) | word
    )
    return found & _TOP_BITS


@inner
def text(address: Address, at: int, end: int) -> int:
    """Where the closing quote of the text that begins at `at` stands; ERROR if it is not plain ASCII."""
    if at >= end or byte_at(address, at) != QUOTE:
        return ERROR
    at += 1
    while at + _WORD <= end:
        found = _special(word_at(address, at))
        if found != 0:
            at += lowest_bit(found) >> 3
            return at if byte_at(address, at) == QUOTE else ERROR
        at += _WORD
    while at < end:
        byte = byte_at(address, at)
        if byte == QUOTE:
            return at
        if byte == _BACKSLASH or byte < 0x20 or byte >= 0x80:
            return ERROR
        at += 1
    return ERROR


def vocabulary(words: Sequence[bytes]) -> Callable[[Address, int, int], int]:
    """A piece of a kernel that says which of the words (of 16 bytes at most) stands from a place to another, or UNKNOWN."""
    order = sorted(range(len(words)), key=lambda place: len(words[place]))
    heads = np.array(
        [[_head(words[place][:_WORD]), _head(words[place][_WORD:])] for place in order], np.uint64
    )
    places = np.array(order, np.int64)
    lengths = [len(words[place]) for place in order]
    starts = np.searchsorted(lengths, np.arange(_WORD_MAX + 2))

    @inner
    def which(address: Address, start: int, stop: int) -> int:
        size = stop - start
        if size > _WORD_MAX:
            return UNKNOWN
        low, high = head_at(address, start, size), head_at(address, start + _WORD, max(0, size - _WORD))
        for word in range(starts[size], starts[size + 1]):
            if heads[word, 0] == low and heads[word, 1] == high:
                return int(places[word])
        return UNKNOWN

    return which


def _head(word: bytes) -> int:
    return int.from_bytes(word, "little")


_is_null_or_true = vocabulary((b"null", b"true"))
_is_false = vocabulary((b"false",))


@inner
def literal(address: Address, at: int, end: int) -> int:
    """The place after null, true or false."""
    if at + 4 <= end and _is_null_or_true(address, at, at + 4) >= 0:
        return at + 4
    return at + 5 if at + 5 <= end and _is_false(address, at, at + 5) >= 0 else ERROR
