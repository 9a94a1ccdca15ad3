"""Scanning numbers that JSON allows and floats hold exactly: at most 15 digits, not negative, without an exponent."""

from typing import Final

import numpy as np

from detectors.compiled import inner
from detectors.memory import Address, byte_at
from stream.formats.scan_text import CLOSE, COMMA, ERROR

DIGITS_MAX: Final = 15
ZERO, NINE, DOT = 0x30, 0x39, 0x2E
_POWERS = 10.0 ** np.arange(DIGITS_MAX + 1)


@inner
def digits(address: Address, at: int, end: int) -> int:
    """The place after the digits that begin at `at`."""
    while at < end and ZERO <= byte_at(address, at) <= NINE:
        at += 1
    return at


@inner
def whole(address: Address, start: int, stop: int) -> int:
    """The number that the digits there say."""
    number = 0
    for at in range(start, stop):
        number = 10 * number + int(byte_at(address, at)) - ZERO
    return number


@inner
def integer(address: Address, at: int, end: int) -> int:
    """The place after a JSON integer of at most 15 digits, not negative; `ERROR` if there is none."""
    stop = digits(address, at, end)
    leading_zero = stop - at > 1 and byte_at(address, at) == ZERO
    return ERROR if stop == at or stop - at > DIGITS_MAX or leading_zero else stop


@inner
def ends_number(address: Address, at: int, end: int) -> bool:
    """Whether a number ends here: neither an exponent nor anything else follows."""
    return at < end and (
        byte_at(address, at) == COMMA or byte_at(address, at) == CLOSE or byte_at(address, at) <= 0x20
    )


@inner
def decimal(address: Address, at: int, end: int) -> tuple[float, int]:
    """A number and the place after it, `ERROR` unless it has at most 15 digits: then a quotient of floats is exact.

    W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990.
    """
    stop = integer(address, at, end)
    if stop < 0:
        return 0.0, ERROR
    number = float(whole(address, at, stop))
    if stop < end and byte_at(address, stop) == DOT:
        last = digits(address, stop + 1, end)
        places = last - stop - 1
        if places == 0 or last - at - 1 > DIGITS_MAX:
            return 0.0, ERROR
        number = number * _POWERS[places] + float(whole(address, stop + 1, last))
        number, stop = number / _POWERS[places], last
    return number, stop if ends_number(address, stop, end) else ERROR
