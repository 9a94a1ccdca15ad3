"""Scanning run events: the plain ones of a fetched batch, read from their bytes by a kernel.

Nearly all run events are flat ASCII objects without escapes. What the kernel takes, it reads exactly as the decoder in
`events` would; anything else (other spellings, errors, schemas, what is wrong) it leaves to that decoder.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.compiled import entry, inner
from detectors.core.layout import Record, Records
from detectors.memory import Address, byte_at
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
    blank,
    literal,
    text,
    vocabulary,
)
from stream.formats.scan_time import scan_time

Ints = npt.NDArray[np.int64]

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
_LEFT_TO_THE_DECODER: Final = (b"error", b"schema", b"inputs", b"outputs", b"after")
_STATES: Final = tuple(name.encode() for state in RunState for name in (state.name, state.name.lower()))
_NEEDED: Final = (1 << _PIPELINE) | (1 << _STATE) | (1 << _TIME)
_IDENTITY: Final = 4
"""The first fields name the series."""
_SECOND, _ABSENT = np.uint64(1), np.uint64(0x9E3779B97F4A7C15)
_N, _T, _F = 0x6E, 0x74, 0x66


_field_of = vocabulary(_NAMES + _LEFT_TO_THE_DECODER)
_state_of = vocabulary(_STATES)

SCANNED = np.dtype(
    [
        ("time_ms", "<i8"),
        ("run", "<i8"),
        ("state", "<i8"),
        ("duration_ms", "<f8"),
        ("rows", "<f8"),
        ("bytes", "<f8"),
        ("ident", "<i8", (2,)),
        ("parts", "<i8", (_IDENTITY, 2)),
        ("dataset", "<i8"),
        ("plain", "?"),
    ]
)
"""What was read of a record; it counts where `plain`. `ident` is a hash of what names the series.

NaN stands for an amount that the event did not say, run 0 for no run id. `parts` are places in the batch. `dataset` is a hash of what the run
wrote to, 0 for nothing.
"""


def scan(joined: bytes | npt.NDArray[np.uint8], ends: Ints) -> Records:
    """Read what is plain of the records that lie end to end in `joined`, record i up to `ends[i]`: SCANNED records."""
    out = np.zeros(len(ends), SCANNED)
    _scan(np.frombuffer(joined, np.uint8), ends, out)
    return out


@entry
def _scan(buffer: npt.NDArray[np.uint8], ends: Ints, out: Records) -> None:
    address, at = buffer.ctypes.data, 0
    for i in range(len(ends)):
        out[i].duration_ms = out[i].rows = out[i].bytes = math.nan
        out[i].plain = _record(address, at, ends[i], out[i])
        at = ends[i]


@inner
def _record(address: Address, at: int, end: int, out: Record) -> bool:
    """Read one object; False when it is not plain."""
    at = blank(address, at, end)
    if at >= end or byte_at(address, at) != OPEN:
        return False
    seen = 0
    at += 1
    while True:
        at = blank(address, at, end)
        stop = text(address, at, end)
        if stop < 0:
            return False
        field = _field_of(address, at + 1, stop)
        at = blank(address, stop + 1, end)
        if field >= len(_NAMES) or at >= end or byte_at(address, at) != COLON:
            return False
        if field >= 0:
            if seen & (1 << field):
                return False
            seen |= 1 << field
        at = _field(address, blank(address, at + 1, end), end, field, out)
        if at < 0:
            return False
        at = blank(address, at, end)
        if at >= end or (byte_at(address, at) != COMMA and byte_at(address, at) != CLOSE):
            return False
        at += 1
        if byte_at(address, at - 1) == CLOSE:
            break
    if seen & _NEEDED != _NEEDED or blank(address, at, end) != end:
        return False
    _name(address, out)
    return True


@inner
def _field(address: Address, at: int, end: int, field: int, out: Record) -> int:
    """Read the value of a field; where it ends, or `ERROR`."""
    if at >= end:
        return ERROR
    if field == _TIME:
        return scan_time(address, at, end, out)
    if field == _STATE:
        stop = text(address, at, end)
        state = _state_of(address, at + 1, stop) if stop > 0 else ERROR
        out.state = state >> 1
        return stop + 1 if state >= 0 else ERROR
    if field == _DURATION:
        out.duration_ms, at = _amount(address, at, end)
        return at
    if field == _ROWS:
        out.rows, at = _amount(address, at, end)
        return at
    if field == _BYTES:
        out.bytes, at = _amount(address, at, end)
        return at
    if field == _RUN_ID:
        return _run_id(address, at, end, out)
    return _named(address, at, end, field, out)


@inner
def _named(address: Address, at: int, end: int, field: int, out: Record) -> int:
    """Pass over a text, labels or (of an unknown field) any simple value, and note where what names the series lies."""
    if byte_at(address, at) == _N and field != _PIPELINE:
        return literal(address, at, end)
    if field == _LABELS:
        stop = _labels(address, at, end)
    elif field == UNKNOWN and byte_at(address, at) != QUOTE:
        return _simple_value(address, at, end)
    else:
        stop = text(address, at, end)
    if stop < 0 or (field == _PIPELINE and stop == at + 1):
        return ERROR
    if 0 <= field < _IDENTITY:
        out.parts[field, 0], out.parts[field, 1] = at + 1, stop
    elif field == _DATASET and stop > at + 1:
        out.dataset = np.int64((xxh64(address, at + 1, stop, np.uint64(0)) >> np.uint64(1)) | np.uint64(1))
    return stop + 1


@inner
def _name(address: Address, out: Record) -> None:
    """The hash of what names the series; texts of other bytes never count as equal."""
    low, high = np.uint64(0), _SECOND
    for part in range(_IDENTITY):
        start, stop = out.parts[part, 0], out.parts[part, 1]
        if start == 0:
            low, high = low * _ABSENT + _SECOND, high * _ABSENT + _SECOND
        else:
            low, high = xxh64(address, start, stop, low), xxh64(address, start, stop, high)
    out.ident[0], out.ident[1] = np.int64(low), np.int64(high)


@inner
def _run_id(address: Address, at: int, end: int, out: Record) -> int:
    """As `detectors.series.run_hash` has it."""
    if byte_at(address, at) == _N:
        return literal(address, at, end)
    if byte_at(address, at) == QUOTE:
        start, stop = at + 1, text(address, at, end)
        after = stop + 1
    else:
        start, stop = at, integer(address, at, end)
        after = stop if stop > 0 and ends_number(address, stop, end) else ERROR
    if stop < 0 or after < 0:
        return ERROR
    if stop > start:
        out.run = np.int64((xxh64(address, start, stop, np.uint64(0)) >> np.uint64(1)) | np.uint64(1))
    return after


@inner
def _labels(address: Address, at: int, end: int) -> int:
    """Where the closing brace of a flat object of texts stands."""
    if byte_at(address, at) != OPEN:
        return ERROR
    at = blank(address, at + 1, end)
    if at < end and byte_at(address, at) == CLOSE:
        return at
    while True:
        stop = text(address, blank(address, at, end), end)
        if stop < 0:
            return ERROR
        at = blank(address, stop + 1, end)
        if at >= end or byte_at(address, at) != COLON:
            return ERROR
        stop = text(address, blank(address, at + 1, end), end)
        if stop < 0:
            return ERROR
        at = blank(address, stop + 1, end)
        if at < end and byte_at(address, at) == CLOSE:
            return at
        if at >= end or byte_at(address, at) != COMMA:
            return ERROR
        at += 1


@inner
def _amount(address: Address, at: int, end: int) -> tuple[float, int]:
    """A number, NaN for null, and the place after it, or ERROR."""
    if byte_at(address, at) == _N:
        return math.nan, literal(address, at, end)
    return decimal(address, at, end)


@inner
def _simple_value(address: Address, at: int, end: int) -> int:
    if byte_at(address, at) == _T or byte_at(address, at) == _F:
        return literal(address, at, end)
    _, stop = decimal(address, at, end)
    return stop
