"""Dates and times as RFC 3339 writes them, of the counts that binary encodings have; one out of range stays a count."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final

PER_SECOND: Final = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  the zone is written behind it


def date_text(days: int, *_: Any) -> str:
    """The day so many days after 1970 began."""
    try:
        return (date(1970, 1, 1) + timedelta(days)).isoformat()
    except OverflowError:
        return f"{days} days"


def timestamp_text(unit: str, zone: str) -> Callable[..., str]:
    """What writes a moment that is so many of a unit after 1970 began, with a zone behind it."""
    per_second = PER_SECOND[unit]
    digits = len(str(per_second)) - 1

    def text(ticks: int, *_: Any) -> str:
        seconds, fraction = divmod(ticks, per_second)
        try:
            moment = _EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return f"{ticks} {unit}"
        return f"{moment.isoformat()}.{fraction:0{digits}}{zone}"

    return text


def time_text(unit: str) -> Callable[..., str]:
    """What writes the time of a day that is so many of a unit after midnight."""
    per_second = PER_SECOND[unit]
    digits = len(str(per_second)) - 1

    def text(ticks: int, *_: Any) -> str:
        seconds, fraction = divmod(ticks, per_second)
        if not 0 <= seconds < 86_400:
            return f"{ticks} {unit}"
        moment = time(seconds // 3600, seconds // 60 % 60, seconds % 60)
        return f"{moment.isoformat()}.{fraction:0{digits}}"

    return text
