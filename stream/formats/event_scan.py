"""Scanning run events: the plain ones of a fetched batch, read from their bytes by a kernel.

Nearly all run events are flat ASCII objects without escapes. What the kernel takes, it reads exactly as the decoder in
`events` would; anything else (other spellings, errors, schemas, what is wrong) it leaves to that decoder.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.compiled import borrowed, entry, inner
from detectors.samples import RunState
from detectors.xxh64 import xxh64
from stream.formats.scan_number import decimal, ends_number, integer
from stream.formats.scan_text import (
    CLOSE,
    COLON,
    COMMA,
    ERROR,
    OPEN,
    QUOTE,
    UNKNOWN,
    Buffer,
    Ints,
    blank,
    literal,
    text,
    vocabulary,
    which,
)
from stream.formats.scan_time import scan_time

_PIPELINE, _TASK, _OWNER, _LABELS, _STATE, _TIME, _RUN_ID, _DURATION, _ROWS, _BYTES, _DATASET = range(11)
_NAMES: Final = (
    b"pipeline",
    b"task",
    b"owner",
    b"labels",
    b"state",
    b"time",
    b"run_id",
    b"duration_ms",
    b"rows",
    b"bytes",
    b"dataset",
)
_LEFT_TO_THE_DECODER: Final = (b"error", b"schema")
_STATES: Final = tuple(name.encode() for state in RunState for name in (state.name, state.name.lower()))
_NEEDED: Final = (1 << _PIPELINE) | (1 << _STATE) | (1 << _TIME)
_IDENTITY: Final = 4
"""The first fields name the series."""
_SECOND, _ABSENT = np.uint64(1), np.uint64(0x9E3779B97F4A7C15)
_N, _T, _F = 0x6E, 0x74, 0x66


_NAME_TABLE, _NAME_SIZES = vocabulary(_NAMES + _LEFT_TO_THE_DECODER)
_STATE_TABLE, _STATE_SIZES = vocabulary(_STATES)


class Scanned(NamedTuple):
    """Columns of the records of a batch; what they hold counts where `plain`. `ident` is a hash of what names the series.

    NaN stands for an amount that the event did not say, run 0 for no run id.
    """

    plain: npt.NDArray[np.bool_]
    time_ms: Ints
    run: Ints
    state: Ints
    duration_ms: npt.NDArray[np.float64]
    rows: npt.NDArray[np.float64]
    bytes: npt.NDArray[np.float64]
    ident: Ints


def scan(joined: bytes, ends: Ints) -> Scanned:
    """Read what is plain of the records that lie end to end in `joined`, record i up to `ends[i]`."""
    n = len(ends)
    amounts = np.full((3, n), math.nan)
    scanned = Scanned(
        np.zeros(n, np.bool_),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        amounts[0],
        amounts[1],
        amounts[2],
        np.zeros((n, 2), np.int64),
    )
    _scan(np.frombuffer(joined, np.uint8), ends, scanned)
    return scanned


@entry
def _scan(buffer: Buffer, ends: Ints, out: Scanned) -> None:
    buffer = borrowed(buffer)
    out = Scanned(
        borrowed(out.plain),
        borrowed(out.time_ms),
        borrowed(out.run),
        borrowed(out.state),
        borrowed(out.duration_ms),
        borrowed(out.rows),
        borrowed(out.bytes),
        borrowed(out.ident),
    )
    parts = np.zeros((_IDENTITY, 2), np.int64)
    at = 0
    for i in range(len(ends)):
        out.plain[i] = _record(buffer, at, ends[i], out, i, parts)
        at = ends[i]


@inner
def _record(buffer: Buffer, at: int, end: int, out: Scanned, i: int, parts: Ints) -> bool:
    """Read one object; False when it is not plain."""
    at = blank(buffer, at, end)
    if at >= end or buffer[at] != OPEN:
        return False
    parts[:, :] = 0
    seen = 0
    at += 1
    while True:
        at = blank(buffer, at, end)
        stop = text(buffer, at, end)
        if stop < 0:
            return False
        field = which(_NAME_TABLE, _NAME_SIZES, buffer, at + 1, stop)
        at = blank(buffer, stop + 1, end)
        if field >= len(_NAMES) or at >= end or buffer[at] != COLON:
            return False
        if field >= 0:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        at = _field(buffer, blank(buffer, at + 1, end), end, field, out, i, parts)
        if at < 0:
            return False
        at = blank(buffer, at, end)
        if at >= end or (buffer[at] != COMMA and buffer[at] != CLOSE):
            return False
        at += 1
        if buffer[at - 1] == CLOSE:
            break
    if seen & _NEEDED != _NEEDED or blank(buffer, at, end) != end:
        return False
    _name(buffer, parts, out.ident, i)
    return True


@inner
def _field(buffer: Buffer, at: int, end: int, field: int, out: Scanned, i: int, parts: Ints) -> int:
    """Read the value of a field; where it ends, or `ERROR`."""
    if at >= end:
        return ERROR
    if field == _TIME:
        return scan_time(buffer, at, end, out.time_ms, i)
    if field == _STATE:
        stop = text(buffer, at, end)
        state = which(_STATE_TABLE, _STATE_SIZES, buffer, at + 1, stop) if stop > 0 else ERROR
        out.state[i] = state >> 1
        return stop + 1 if state >= 0 else ERROR
    if field == _DURATION:
        return _amount(buffer, at, end, out.duration_ms, i)
    if field == _ROWS:
        return _amount(buffer, at, end, out.rows, i)
    if field == _BYTES:
        return _amount(buffer, at, end, out.bytes, i)
    if field == _RUN_ID:
        return _run_id(buffer, at, end, out.run, i)
    return _named(buffer, at, end, field, parts)


@inner
def _named(buffer: Buffer, at: int, end: int, field: int, parts: Ints) -> int:
    """Pass over a text, labels or (of an unknown field) any simple value, and note where what names the series lies."""
    if buffer[at] == _N and field != _PIPELINE:
        return literal(buffer, at, end)
    if field == _LABELS:
        stop = _labels(buffer, at, end)
    elif field == UNKNOWN and buffer[at] != QUOTE:
        return _simple_value(buffer, at, end)
    else:
        stop = text(buffer, at, end)
    if stop < 0 or (field == _PIPELINE and stop == at + 1):
        return ERROR
    if 0 <= field < _IDENTITY:
        parts[field, 0], parts[field, 1] = at + 1, stop
    return stop + 1


@inner
def _name(buffer: Buffer, parts: Ints, ident: Ints, i: int) -> None:
    """The hash of what names the series; texts of other bytes never count as equal."""
    low, high = np.uint64(0), _SECOND
    for part in range(_IDENTITY):
        start, stop = parts[part, 0], parts[part, 1]
        if start == 0:
            low, high = low * _ABSENT + _SECOND, high * _ABSENT + _SECOND
        else:
            low, high = xxh64(buffer, start, stop, low), xxh64(buffer, start, stop, high)
    ident[i, 0], ident[i, 1] = np.int64(low), np.int64(high)


@inner
def _run_id(buffer: Buffer, at: int, end: int, column: Ints, i: int) -> int:
    """As `detectors.series.run_hash` has it."""
    if buffer[at] == _N:
        return literal(buffer, at, end)
    if buffer[at] == QUOTE:
        start, stop = at + 1, text(buffer, at, end)
        after = stop + 1
    else:
        start, stop = at, integer(buffer, at, end)
        after = stop if stop > 0 and ends_number(buffer, stop, end) else ERROR
    if stop < 0 or after < 0:
        return ERROR
    if stop > start:
        column[i] = np.int64((xxh64(buffer, start, stop, np.uint64(0)) >> np.uint64(1)) | np.uint64(1))
    return after


@inner
def _labels(buffer: Buffer, at: int, end: int) -> int:
    """Where the closing brace of a flat object of texts stands."""
    if buffer[at] != OPEN:
        return ERROR
    at = blank(buffer, at + 1, end)
    if at < end and buffer[at] == CLOSE:
        return at
    while True:
        stop = text(buffer, blank(buffer, at, end), end)
        if stop < 0:
            return ERROR
        at = blank(buffer, stop + 1, end)
        if at >= end or buffer[at] != COLON:
            return ERROR
        stop = text(buffer, blank(buffer, at + 1, end), end)
        if stop < 0:
            return ERROR
        at = blank(buffer, stop + 1, end)
        if at < end and buffer[at] == CLOSE:
            return at
        if at >= end or buffer[at] != COMMA:
            return ERROR
        at += 1


@inner
def _amount(buffer: Buffer, at: int, end: int, column: npt.NDArray[np.float64], i: int) -> int:
    if buffer[at] == _N:
        return literal(buffer, at, end)
    number, stop = decimal(buffer, at, end)
    column[i] = number
    return stop


@inner
def _simple_value(buffer: Buffer, at: int, end: int) -> int:
    if buffer[at] == _T or buffer[at] == _F:
        return literal(buffer, at, end)
    _, stop = decimal(buffer, at, end)
    return stop
