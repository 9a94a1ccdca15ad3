"""Findings of a shard: which of them triage is told, and in what words, by models and schedules that were declared."""

from collections.abc import Sequence
from typing import Any, Final

from detectors.core.layout import Records
from detectors.follower_layout import ARRIVED, OVERDUE
from detectors.followers import Followers
from detectors.modelled import Modelled
from detectors.reports import verdict_of
from detectors.run_errors import RunErrors
from detectors.timetable import Timetable
from detectors.verdicts import Verdict

_SILENCES: Final = (OVERDUE, ARRIVED)


class ShardFindings:
    """Makes verdicts of what the fold finds.

    Args:
        followers: whom findings are about.
        modelled: models that are asked, and what they answer.
        timetable: schedules, for which it is told what is late and what has come.
        sources: topics and partitions by their numbers.
        errors: why runs failed.
    """

    def __init__(
        self,
        followers: Followers,
        modelled: Modelled,
        timetable: Timetable,
        sources: Sequence[tuple[str, int]],
        errors: RunErrors,
    ) -> None:
        self._followers, self._modelled, self._timetable = followers, modelled, timetable
        self._sources, self._errors = sources, errors

    def verdict(self, finding: Any) -> Verdict:
        """A finding in words."""
        place = int(finding["follower"])
        model = self._followers.model(place, int(finding["part"])) if finding["asked"] else None
        error = self._errors.text(int(finding["error"]))
        key = self._followers.key(place)
        return verdict_of(finding, key, self._sources, error, model.name if model else "")

    def told(self, finding: Any, rows: Records) -> list[Verdict]:
        """What triage is told of a finding, which one of these rows gave."""
        if finding["what"] in _SILENCES:
            return self._of_silence(finding, rows)
        if not finding["asked"]:
            return [self.verdict(finding)]
        told = [self.verdict(finding)] if self._modelled.wanted(finding, self._followers) else []
        if self._modelled.troubled:
            told += self._modelled.take_troubles(finding, self.verdict(finding).positions)
        return told

    def _of_silence(self, finding: Any, rows: Records) -> list[Verdict]:
        """What freshness has learned is passed over where a schedule is declared."""
        place, said = int(finding["follower"]), self.verdict(finding)
        if finding["what"] == ARRIVED:
            arrived = self._timetable.arrived(place, said, _event_ms(finding, rows))
            return [] if arrived is None else [arrived]
        return [] if place in self._timetable else [said]


def _event_ms(finding: Any, rows: Records) -> int:
    """The event time of the row that a finding is about, however late it came."""
    same = (rows["offset"] == finding["offset"][0]) & (rows["source"] == finding["source"][0])
    return int(rows["time_ms"][same & (rows["follower"] == finding["follower"])][0])
