"""Scanning times: epoch milliseconds, and RFC 3339 in UTC or with an offset."""

from typing import Final

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.memory import Address, byte_at
from stream.formats.scan_number import DOT, NINE, ZERO, digits, ends_number, integer, whole
from stream.formats.scan_text import COLON, ERROR, QUOTE, text
from stream.formats.times import TIME_MS_MAX

_MINUS, _PLUS, _T, _Z = 0x2D, 0x2B, 0x54, 0x5A
_NO_OFFSET: Final = 10_000


@inner
def scan_time(address: Address, at: int, end: int, out: Record) -> int:
    """Read a time into the record's `time_ms`; the place after it, or ERROR."""
    if byte_at(address, at) != QUOTE:
        stop = integer(address, at, end)
        if stop < 0 or not ends_number(address, stop, end):
            return ERROR
        out.time_ms = whole(address, at, stop)
        return stop if out.time_ms <= TIME_MS_MAX else ERROR
    stop = text(address, at, end)
    if stop < 0:
        return ERROR
    time_ms = _rfc3339(address, at + 1, stop)
    out.time_ms = time_ms
    return stop + 1 if time_ms >= 0 else ERROR


@inner
def _pair(address: Address, at: int, least: int, greatest: int) -> int:
    """Two digits within bounds, or `ERROR`."""
    if not (ZERO <= byte_at(address, at) <= NINE and ZERO <= byte_at(address, at + 1) <= NINE):
        return ERROR
    number = whole(address, at, at + 2)
    return number if least <= number <= greatest else ERROR


@inner
def _rfc3339(address: Address, at: int, stop: int) -> int:
    """`2026-01-31T23:59:59[.123456](Z|+01:00)` as epoch milliseconds, fractions dropped; `ERROR` for anything else."""
    if (
        stop - at < 20
        or byte_at(address, at + 4) != _MINUS
        or byte_at(address, at + 7) != _MINUS
        or byte_at(address, at + 10) != _T
    ):
        return ERROR
    if (
        byte_at(address, at + 13) != COLON
        or byte_at(address, at + 16) != COLON
        or digits(address, at, at + 4) != at + 4
    ):
        return ERROR
    year, month, day = (
        whole(address, at, at + 4),
        _pair(address, at + 5, 1, 12),
        _pair(address, at + 8, 1, 31),
    )
    hour, minute = _pair(address, at + 11, 0, 23), _pair(address, at + 14, 0, 59)
    second = _pair(address, at + 17, 0, 59)
    if year < 1970 or month < 0 or day < 0 or hour < 0 or minute < 0 or second < 0:
        return ERROR
    if day > _days_in(year, month):
        return ERROR
    fraction_ms, zone = _fraction(address, at + 19, stop)
    if zone < 0:
        return ERROR
    offset_min = _offset(address, zone, stop)
    if offset_min == _NO_OFFSET:
        return ERROR
    minutes = (_days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_min
    return (minutes * 60 + second) * 1000 + fraction_ms


@inner
def _fraction(address: Address, at: int, stop: int) -> tuple[int, int]:
    """Milliseconds of a fraction of at most six digits, if there is one, and the place after it."""
    if byte_at(address, at) != DOT:
        return 0, at
    last = digits(address, at + 1, stop)
    places = last - at - 1
    if places < 1 or places > 6 or last >= stop:
        return 0, ERROR
    micro = whole(address, at + 1, last)
    for _ in range(6 - places):
        micro *= 10
    return micro // 1000, last


@inner
def _offset(address: Address, at: int, stop: int) -> int:
    """Minutes ahead of UTC."""
    if stop - at == 1 and byte_at(address, at) == _Z:
        return 0
    if (
        stop - at != 6
        or byte_at(address, at + 3) != COLON
        or (byte_at(address, at) != _PLUS and byte_at(address, at) != _MINUS)
    ):
        return _NO_OFFSET
    hours, minutes = _pair(address, at + 1, 0, 23), _pair(address, at + 4, 0, 59)
    if hours < 0 or minutes < 0:
        return _NO_OFFSET
    total = 60 * hours + minutes
    return total if byte_at(address, at) == _PLUS else -total


@inner
def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@inner
def _days_since_1970(year: int, month: int, day: int) -> int:
    """Proleptic Gregorian calendar, years counted from March (H. Hinnant, "chrono-compatible low-level date algorithms")."""
    years = year - 1 if month <= 2 else year
    months = (month + 9) % 12
    return 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 719469
