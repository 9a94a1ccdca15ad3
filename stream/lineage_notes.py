"""Lineage notes: what ingest tells triage of lineage, each link once a day of event time and not with every record."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from detectors.lineage import LINKS_MAX, Link
from detectors.notes import VERSION, LineageNote, encode
from detectors.outputs import Destination, Output
from stream.formats.links import AGAIN_MS

LINKS_OF_NOTE_MAX: Final = 5_000


class _Told(NamedTuple):
    """The earliest and the latest time (ms) at which a link was told."""

    first_ms: int
    last_ms: int


class LineageTeller:
    """Remembers which links it has told, and when; when there are too many, those told longest ago are told again.

    A link is told again when a record shows that it counts from an earlier time on, so that what triage knows does not depend on how records were fetched.
    """

    def __init__(self, links_max: int = LINKS_MAX) -> None:
        self._told: dict[Link, _Told] = {}
        self._links_max = links_max

    def notes(self, links: Iterable[tuple[Link, int]]) -> list[Output]:
        """The notes of what is new in links, each with the time (ms) from which on it counts."""
        news: dict[Link, int] = {}
        for link, time_ms in links:
            told = self._told.get(link)
            if told is None or time_ms < told.first_ms or time_ms - told.last_ms >= AGAIN_MS:
                self._remember(link, told, time_ms)
                news[link] = min(time_ms, news.get(link, time_ms))
        told_links = tuple(news.items())
        return [
            _note(told_links[first : first + LINKS_OF_NOTE_MAX])
            for first in range(0, len(told_links), LINKS_OF_NOTE_MAX)
        ]

    def _remember(self, link: Link, told: _Told | None, time_ms: int) -> None:
        first_ms, last_ms = told or (time_ms, time_ms)
        self._told.pop(link, None)
        self._told[link] = _Told(min(first_ms, time_ms), max(last_ms, time_ms))
        if len(self._told) > self._links_max:
            del self._told[next(iter(self._told))]


def notes_first(outputs: list[Output]) -> tuple[list[Output], list[Output]]:
    """The notes among what ingest makes of a batch, and the rest, which must not be written before those are stored.

    Else a crash in between could let triage judge what is in the samples by less lineage than it would know without one.
    """
    notes = [it for it in outputs if it.destination is Destination.ANOMALIES]
    return notes, [it for it in outputs if it.destination is not Destination.ANOMALIES] if notes else outputs


def _note(told: tuple[tuple[Link, int], ...]) -> Output:
    links, times_ms = tuple(link for link, _ in told), tuple(time_ms for _, time_ms in told)
    note = LineageNote(VERSION, times_ms, links)
    return Output(Destination.ANOMALIES, key=None, value=encode(note), partition=0)
