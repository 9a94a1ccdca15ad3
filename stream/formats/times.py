"""Event times: from what publishers write to milliseconds since 1970-01-01T00:00:00Z."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, cast

from msgspec import Meta

from stream.formats.dead import DeadReason, UnreadableError

TIME_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

Time = (
    datetime
    | Annotated[int, Meta(ge=0, le=TIME_MS_MAX)]
    | Annotated[float, Meta(ge=0, le=float(TIME_MS_MAX))]
)
"""What a decoder takes for a time without further ado: RFC 3339 or epoch milliseconds."""

EXPECTED = "a time: RFC 3339 text or epoch milliseconds"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_TEXT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)? ?([Zz]|[+-]\d\d(?::?\d\d)?)?(?:\[[\w/+-]{1,64}\])?",
    re.ASCII,
)


def epoch_ms(time: datetime | int | float) -> int:
    """Milliseconds since 1970, fractions dropped; a datetime without timezone is UTC. May be negative."""
    if isinstance(time, datetime):
        return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MS
    return int(time)


def epoch_ms_all(times: Sequence[datetime | int | float]) -> list[int]:
    """`epoch_ms` of each, fast when all are datetimes that have a timezone, or all are ones that have none."""
    for epoch in (_EPOCH, _EPOCH.replace(tzinfo=None)):
        try:
            return [(time - epoch) // _MS for time in cast("Sequence[datetime]", times)]
        except TypeError:
            continue
    return [time if isinstance(time, int) else epoch_ms(time) for time in times]


def read_time(time: object, path: str) -> int:
    """The time in any form that is accepted, of a decoded JSON value; for what `Time` does not take.

    Beyond RFC 3339 text may lack seconds or timezone, have a leap second, or name its zone in brackets.

    Raises:
        UnreadableError: `no_time`, `wrong_type` or `bad_time`.
    """
    if time is None:
        raise UnreadableError(DeadReason.NO_TIME, f"{path}: is missing; expected {EXPECTED}")
    if isinstance(time, str):
        time_ms = _read_text(time)
    elif isinstance(time, int | float) and not isinstance(time, bool):
        time_ms = int(time) if abs(time) <= TIME_MS_MAX else None
    else:
        raise UnreadableError(DeadReason.WRONG_TYPE, f"{path}: expected {EXPECTED}")
    if time_ms is None or not 0 <= time_ms <= TIME_MS_MAX:
        raise UnreadableError(DeadReason.BAD_TIME, f"{path}: expected {EXPECTED}, from 1970 to 9999")
    return time_ms


def _read_text(text: str) -> int | None:
    match = _TEXT.fullmatch(text)
    if not match:
        return None
    day, minute, second, fraction, zone = match.groups()
    leap = second == "60"
    moment = f"{day}T{minute}:{'59' if leap else second or '00'}.{(fraction or '0')[:6]:0<6}{(zone or 'Z').upper()}"
    try:
        return epoch_ms(datetime.fromisoformat(moment)) + 1000 * leap
    except ValueError:
        return None
