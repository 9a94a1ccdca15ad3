"""Scanning numbers that JSON allows and floats hold exactly: at most 15 digits, not negative, without an exponent."""

from typing import Final

import numpy as np

from detectors.compiled import inner
from stream.formats.scan_text import CLOSE, COMMA, ERROR, Buffer

DIGITS_MAX: Final = 15
ZERO, NINE, DOT = 0x30, 0x39, 0x2E
_POWERS = 10.0 ** np.arange(DIGITS_MAX + 1)


@inner
def digits(buffer: Buffer, at: int, end: int) -> int:
    """The place after the digits that begin at `at`."""
    while at < end and ZERO <= buffer[at] <= NINE:
        at += 1
    return at


@inner
def whole(buffer: Buffer, start: int, stop: int) -> int:
    """The number that the digits there say."""
    number = 0
    for at in range(start, stop):
        number = 10 * number + int(buffer[at]) - ZERO
    return number


@inner
def integer(buffer: Buffer, at: int, end: int) -> int:
    """The place after a JSON integer of at most 15 digits, not negative; `ERROR` if there is none."""
    stop = digits(buffer, at, end)
    leading_zero = stop - at > 1 and buffer[at] == ZERO
    return ERROR if stop == at or stop - at > DIGITS_MAX or leading_zero else stop


@inner
def ends_number(buffer: Buffer, at: int, end: int) -> bool:
    """Whether a number ends here: neither an exponent nor anything else follows."""
    return at < end and (buffer[at] == COMMA or buffer[at] == CLOSE or buffer[at] <= 0x20)


@inner
def decimal(buffer: Buffer, at: int, end: int) -> tuple[float, int]:
    """A number and the place after it, `ERROR` unless it has at most 15 digits: then a quotient of floats is exact.

    W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990.
    """
    stop = integer(buffer, at, end)
    if stop < 0:
        return 0.0, ERROR
    number = float(whole(buffer, at, stop))
    if stop < end and buffer[stop] == DOT:
        last = digits(buffer, stop + 1, end)
        places = last - stop - 1
        if places == 0 or last - at - 1 > DIGITS_MAX:
            return 0.0, ERROR
        number = number * _POWERS[places] + float(whole(buffer, stop + 1, last))
        number, stop = number / _POWERS[places], last
    return number, stop if ends_number(buffer, stop, end) else ERROR
