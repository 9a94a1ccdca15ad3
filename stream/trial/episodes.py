"""Episodes: the alerts of a run, one value for each that opened, and how those of two runs are matched."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from detectors.alerts import Alert
from detectors.series import canonical_labels, series_text
from stream.formats.times import read_time


class Episode(NamedTuple):
    """An alert from its opening to its end, or to the end of the reading while it is open.

    `alone` says that people were told of it (`notify`), not only by another alert that it joined or waited for. `told_ms` is the event time at which they
    first were, or else at which it opened.
    """

    first: Alert
    from_ms: int
    to_ms: int
    told_ms: int
    ended: bool
    alone: bool

    @property
    def series(self) -> str:
        """The name of its series."""
        return series_text(self.first.series.signal, canonical_labels(self.first.series.labels))


class Matched(NamedTuple):
    """The alerts of two runs: those that both have (the later configuration's first), and those of one alone."""

    kept: list[tuple[Episode, Episode]]
    new: list[Episode]
    gone: list[Episode]


def episodes(alerts: Iterable[Alert], end_ms: int) -> list[Episode]:
    """The episodes of a run in the order of their opening; `end_ms` is when reading ended."""
    told: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        told[alert.alert_id].append(alert)
    found = [_episode(events, end_ms) for events in told.values()]
    return sorted(found, key=lambda it: (it.told_ms, it.first.alert_id))


def _episode(events: Sequence[Alert], end_ms: int) -> Episode:
    first, last = events[0], events[-1]
    notice = next((it for it in events if it.notify), None)
    from_ms, told_ms = _ms(first.starts_at), _ms((notice or first).updated_at)
    ended = last.state.is_final and last.ends_at is not None
    to_ms = _ms(last.ends_at or "") if ended else max(end_ms, told_ms)
    return Episode(first, from_ms, max(to_ms, from_ms), told_ms, ended, notice is not None)


def match(new: Iterable[Episode], old: Iterable[Episode]) -> Matched:
    """Pair the episodes of two runs: same series, same kind, overlapping in time, each with one at most.

    What was told alone in either run counts; what joined another alert in one run only is kept, for it was told there, too.
    """
    ours, theirs = _by_series(new), _by_series(old)
    kept: list[tuple[Episode, Episode]] = []
    for key, group in ours.items():
        kept += _pairs(group, theirs.get(key, []))
    mine, others = ({pair[side].first.alert_id for pair in kept} for side in (0, 1))
    return Matched(
        sorted((pair for pair in kept if pair[0].alone or pair[1].alone), key=lambda pair: pair[0].told_ms),
        _alone(ours, mine),
        _alone(theirs, others),
    )


def _by_series(found: Iterable[Episode]) -> dict[tuple[str, str], list[Episode]]:
    groups: dict[tuple[str, str], list[Episode]] = defaultdict(list)
    for it in found:
        groups[it.series, it.first.kind].append(it)
    return groups


def _pairs(mine: list[Episode], theirs: list[Episode]) -> list[tuple[Episode, Episode]]:
    """Of each, in the order of their ends, the partner that ends first of those that have none yet."""
    left = sorted(theirs, key=lambda it: (it.to_ms, it.from_ms))
    pairs = []
    for it in sorted(mine, key=lambda it: (it.to_ms, it.from_ms)):
        partner = next(
            (other for other in left if other.from_ms <= it.to_ms and it.from_ms <= other.to_ms), None
        )
        if partner is not None:
            left.remove(partner)
            pairs.append((it, partner))
    return pairs


def _alone(groups: dict[tuple[str, str], list[Episode]], paired: set[str]) -> list[Episode]:
    found = [it for group in groups.values() for it in group if it.alone and it.first.alert_id not in paired]
    return sorted(found, key=lambda it: (it.told_ms, it.first.alert_id))


def _ms(time: str) -> int:
    return read_time(time, "time")
