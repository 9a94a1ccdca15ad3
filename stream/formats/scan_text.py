"""Scanning texts: plain ASCII without escapes, and the words of a small vocabulary."""

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.compiled import inner

Buffer = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

QUOTE, COMMA, COLON, OPEN, CLOSE = 0x22, 0x2C, 0x3A, 0x7B, 0x7D
ERROR: Final = -2
"""In place of a place: what stands there is not plain."""
UNKNOWN: Final = -1
_BACKSLASH = 0x5C


def vocabulary(words: tuple[bytes, ...]) -> tuple[Buffer, Ints]:
    """The words side by side, and their lengths, for `which`."""
    table = np.zeros((len(words), max(map(len, words))), np.uint8)
    for row, word in enumerate(words):
        table[row, : len(word)] = np.frombuffer(word, np.uint8)
    return table, np.array([len(word) for word in words], np.int64)


_LITERALS, _LITERAL_SIZES = vocabulary((b"null", b"true", b"false"))


@inner
def blank(buffer: Buffer, at: int, end: int) -> int:
    """The next place that is no white space."""
    while at < end and (buffer[at] == 0x20 or buffer[at] == 0x0A or buffer[at] == 0x0D or buffer[at] == 0x09):
        at += 1
    return at


@inner
def text(buffer: Buffer, at: int, end: int) -> int:
    """Where the closing quote of the text that begins at `at` stands; `ERROR` if it is not plain ASCII."""
    if at >= end or buffer[at] != QUOTE:
        return ERROR
    at += 1
    while at < end:
        byte = buffer[at]
        if byte == QUOTE:
            return at
        if byte == _BACKSLASH or byte < 0x20 or byte >= 0x7F:
            return ERROR
        at += 1
    return ERROR


@inner
def which(table: Buffer, sizes: Ints, buffer: Buffer, start: int, stop: int) -> int:
    """Which of the words the buffer holds there, or `UNKNOWN`."""
    for word in range(len(sizes)):
        if sizes[word] == stop - start and table[word, 0] == buffer[start]:
            same = True
            for k in range(1, stop - start):
                same &= table[word, k] == buffer[start + k]
            if same:
                return word
    return UNKNOWN


@inner
def literal(buffer: Buffer, at: int, end: int) -> int:
    """The place after null, true or false."""
    for size in range(4, 6):
        if at + size <= end and which(_LITERALS, _LITERAL_SIZES, buffer, at, at + size) >= 0:
            return at + size
    return ERROR
