"""Accuracy: alerts of a run judged against what really happened.

An alert belongs to an incident if its series has what the incident matches, and it was open, by event time, between the incident's start and its end plus
the grace. It finds it if it is of a kind that does, and was told by then. What joined another alert finds, for it was told, but is not counted as false.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from stream.trial.episodes import Episode
from stream.trial.labels import Incident, Labels

WEEK_MS = 7 * 86_400_000


class Finding(NamedTuple):
    """The alert that found an incident first, and how long after its start that was."""

    episode: Episode
    delay_ms: int


class Accuracy(NamedTuple):
    """How a run did. `false` are the alerts that belong to no incident, `found` what found each incident, in order.

    Without labels nothing is known to be false, and every alert counts in `a_week`.
    """

    alerts: int
    false: list[Episode]
    a_week: float
    owners: dict[str, Incident]
    """The incident of each alert that belongs to one, by the alert's id."""
    found: list[Finding | None]
    to_be_found: int

    @property
    def recall(self) -> float | None:
        """Share of the incidents that were found, less those that were expected; None where there are none."""
        return self.times_found / self.to_be_found if self.to_be_found else None

    @property
    def times_found(self) -> int:
        """How many of those were found."""
        return len(self._delays())

    @property
    def delay_ms(self) -> float | None:
        """The median of the delays of those that were found."""
        delays = self._delays()
        return median(delays) if delays else None

    def _delays(self) -> list[int]:
        return [it.delay_ms for it in self.found if it is not None]


def judge(episodes: Sequence[Episode], labels: Labels | None, span_ms: int) -> Accuracy:
    """How a run did over so long a time."""
    alone = [it for it in episodes if it.alone]
    weeks = max(span_ms / WEEK_MS, 1e-9)
    if labels is None:
        return Accuracy(len(alone), [], len(alone) / weeks, {}, [], 0)
    owners = {it.first.alert_id: owner for it in episodes if (owner := _owner(it, labels))}
    false = [it for it in alone if it.first.alert_id not in owners]
    found = [None if it.expected else _finding(it, episodes, labels.grace_ms) for it in labels.incidents]
    counted = sum(not it.expected for it in labels.incidents)
    return Accuracy(len(alone), false, len(false) / weeks, owners, found, counted)


def _owner(episode: Episode, labels: Labels) -> Incident | None:
    """The latest of the incidents that an alert belongs to, those that it finds before others."""
    own = [it for it in labels.incidents if _belongs(episode, it, labels.grace_ms)]
    return max(own, key=lambda it: (it.is_found_by(episode.first.kind), it.from_ms), default=None)


def _belongs(episode: Episode, incident: Incident, grace_ms: int) -> bool:
    during = episode.from_ms <= incident.to_ms + grace_ms and episode.to_ms >= incident.from_ms
    return during and incident.concerns(episode.first.series.signal, episode.first.series.labels)


def _finding(incident: Incident, episodes: Sequence[Episode], grace_ms: int) -> Finding | None:
    for episode in episodes:
        if (
            episode.told_ms <= incident.to_ms + grace_ms
            and incident.is_found_by(episode.first.kind)
            and _belongs(episode, incident, grace_ms)
        ):
            return Finding(episode, max(0, episode.told_ms - incident.from_ms))
    return None
