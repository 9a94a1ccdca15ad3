"""Compared: the alerts of two configurations that ran on the same records, kept, new and gone."""

from collections.abc import Iterable

import msgspec

from detectors.alerts import Alert
from stream.trial.episodes import episodes, match
from stream.trial.report import Told, told_of


class Compared(msgspec.Struct, frozen=True):
    """The alerts that people were told of by both, and by one alone."""

    kept: list[Told]
    new: list[Told]
    gone: list[Told]


def compared(candidate: Iterable[Alert], live: Iterable[Alert], end_ms: int) -> Compared:
    """What the alerts of a candidate differ in from those of the live configuration; `end_ms` is when reading ended."""
    matched = match(episodes(candidate, end_ms), episodes(live, end_ms))
    return Compared(
        [told_of(pair[0]) for pair in matched.kept],
        [told_of(it) for it in matched.new],
        [told_of(it) for it in matched.gone],
    )
