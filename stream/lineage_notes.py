"""Lineage notes: what ingest tells triage of lineage, each link once a day of event time and not with every record."""

from collections.abc import Iterable
from typing import Final

from detectors.lineage import LINKS_MAX, Link
from detectors.notes import VERSION, LineageNote, encode
from detectors.outputs import Destination, Output
from stream.formats.links import AGAIN_MS

LINKS_OF_NOTE_MAX: Final = 5_000


class LineageTeller:
    """Remembers which links it has told, and when; when there are too many, those told longest ago are told again."""

    def __init__(self, links_max: int = LINKS_MAX) -> None:
        self._told_ms: dict[Link, int] = {}
        self._links_max = links_max

    def notes(self, links: Iterable[tuple[Link, int]]) -> list[Output]:
        """The notes of what is new in links, each with the event time (ms) of its record."""
        news: dict[Link, int] = {}
        for link, time_ms in links:
            told_ms = self._told_ms.get(link)
            if told_ms is None or time_ms - told_ms >= AGAIN_MS:
                self._remember(link, time_ms)
                news[link] = time_ms
        told, time_ms = tuple(news), max(news.values(), default=0)
        return [
            _note(told[first : first + LINKS_OF_NOTE_MAX], time_ms)
            for first in range(0, len(told), LINKS_OF_NOTE_MAX)
        ]

    def _remember(self, link: Link, time_ms: int) -> None:
        self._told_ms.pop(link, None)
        self._told_ms[link] = time_ms
        if len(self._told_ms) > self._links_max:
            del self._told_ms[next(iter(self._told_ms))]


def _note(links: tuple[Link, ...], time_ms: int) -> Output:
    return Output(
        Destination.ANOMALIES, key=None, value=encode(LineageNote(VERSION, time_ms, links)), partition=0
    )
