"""Silences and maintenance windows: when nothing is to be said of which alerts.

An alert is matched by what stands about it (`About`): its labels, and `signal`, `kind`, `owner` and `severity`. A recurring window begins on its days
at its time on the clock of its zone; where a clock leaps over that time, at the time that `zoneinfo` gives it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from detectors.commands import DAYS, Maintenance, Recurring, Silence, epoch_ms
from detectors.zones import zone_of

SILENCES_MAX: Final = 10_000
NEVER_MS: Final = 1 << 62
_MINUTE_MS: Final = 60_000
_LONGEST_DAYS: Final = 8
"""Days before today on which a window may have begun that is still open, with one to spare for zones."""

About = Mapping[str, str]
Quiet = Silence | Maintenance
Span = tuple[int, int]
"""From and until, epoch milliseconds; the end does not belong to it."""


class Silences:
    """Every silence and window by the id of its command; those that are over are forgotten."""

    def __init__(self, known: Mapping[str, Quiet] = {}) -> None:
        self.known = dict(known)

    def add(self, quiet: Quiet) -> None:
        """Take in one.

        Raises:
            ValueError: there are too many.
        """
        if len(self.known) >= SILENCES_MAX:
            raise ValueError(f"there are {SILENCES_MAX} silences and maintenance windows; cancel some")
        self.known[quiet.command_id] = quiet

    def cancel(self, command_id: str) -> Quiet | None:
        """Forget one; it, if it was known."""
        return self.known.pop(command_id, None)

    def forget(self, now_ms: int) -> None:
        """Drop those that are over."""
        for command_id in [it for it, quiet in self.known.items() if _until_ms(quiet) <= now_ms]:
            del self.known[command_id]

    def matching(self, about: About, now_ms: int) -> str:
        """The id of the first one in force that matches, or nothing."""
        for command_id, quiet in self.known.items():
            if matches(quiet.match, about) and any(
                start <= now_ms < end for start, end in _spans(quiet, now_ms)
            ):
                return command_id
        return ""

    def changing_at(self, now_ms: int) -> list[Quiet]:
        """Those that begin or end at a time."""
        return [it for it in self.known.values() if any(now_ms in span for span in _spans(it, now_ms))]

    def next_change_ms(self, now_ms: int) -> int:
        """When the next one begins or ends."""
        edges = (edge for quiet in self.known.values() for span in _spans(quiet, now_ms) for edge in span)
        return min((edge for edge in edges if edge > now_ms), default=NEVER_MS)


def matches(globs: Mapping[str, str], about: About) -> bool:
    """Whether every glob matches, case-sensitively; what the alert lacks never matches."""
    return all(name in about and fnmatchcase(about[name], glob) for name, glob in globs.items())


def _spans(quiet: Quiet, now_ms: int) -> Iterator[Span]:
    """The times at which it is in force, of a recurring one those within some days of now; without a start it is as soon as it is known."""
    begin_ms, until_ms = 0 if quiet.starts_at is None else epoch_ms(quiet.starts_at), _until_ms(quiet)
    if isinstance(quiet, Silence) or quiet.recurring is None:
        yield begin_ms, until_ms
        return
    for start_ms, end_ms in _occurrences(quiet.recurring, now_ms):
        if start_ms < until_ms and end_ms > begin_ms:
            yield max(start_ms, begin_ms), min(end_ms, until_ms)


def _until_ms(quiet: Quiet) -> int:
    return NEVER_MS if quiet.until is None else epoch_ms(quiet.until)


def _occurrences(recurring: Recurring, now_ms: int) -> Iterator[Span]:
    zone = zone_of(recurring.time_zone)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    for days in range(-_LONGEST_DAYS, _LONGEST_DAYS + 1):
        day = today + timedelta(days)
        if DAYS[day.weekday()] in recurring.days:
            start_ms = epoch_ms(datetime.combine(day, recurring.clock, zone))
            yield start_ms, start_ms + recurring.minutes * _MINUTE_MS
