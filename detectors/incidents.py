"""Incidents: what goes wrong with one pipeline at about one time, of which people get one alert.

A late run is overdue for the pipeline and for each of its tasks, a load cut short shows in rows and bytes, a run that hangs in its duration
and in the next one's absence. The first episode that opens leads: its alert fires. What opens in the same group (`series.group_of`) within
`JOIN_MS` of the last that was heard of the incident joins it: its own alert is `suppressed`, names the lead's as its root cause and is
among the lead's children. The lead's alert is told again when what joins is of a kind that the incident did not have, or
`WORSENED_GAP_MS` after it was last told: nothing new goes unsaid, and five tasks that are overdue in one minute are said once.

- What is graver than the lead, or has another owner, does not join: those who have to know of it would not be told. Nor does anything about Streamgauge itself.
- An incident ends when all of its episodes have: a lead that is back in its range waits for those that joined (`recovered`). Left again meanwhile, it
  goes on, and is told again if it was away for longer than `JOIN_MS`.
- A group lies within one shard, so the order of its verdicts, and so who leads, is a function of the input.
"""

import msgspec

from detectors.alerts import Kind
from detectors.episodes import WORSENED_GAP_MS, Episode
from detectors.series import group_of, series_text
from detectors.settings import Severity
from detectors.verdicts import Verdict

JOIN_MS = 86_400_000
CHILDREN_MAX = 1000
"""An alert names no more children; what is beyond joins all the same."""

_GRAVITY: dict[Severity, int] = {"info": 0, "warning": 1, "error": 2, "critical": 3}


class OpenEpisode(msgspec.Struct):
    """An episode that has not ended: who it is, and how far its story has been told."""

    alert_id: str
    starts_at_ms: int
    sequence: int
    episode: Episode
    worst: Verdict
    recovered: Verdict | None = None
    """What would have ended it, if others of its incident were not still open."""


class Who(msgspec.Struct, frozen=True):
    """Whom an alert is for, and how urgent it is to them."""

    owner: str | None
    severity: Severity


class Incident(msgspec.Struct):
    """The episodes of one incident, by series and part of it."""

    who: Who
    lead: tuple[str, str]
    heard_ms: int
    told_ms: int
    kinds: list[Kind]
    children: list[str] = []
    open: dict[str, dict[str, OpenEpisode]] = {}

    @property
    def leading(self) -> OpenEpisode:
        """The episode whose alert is told for all of them."""
        series, part = self.lead
        return self.open[series][part]

    def leads(self, episode: OpenEpisode) -> bool:
        """Whether this is the one."""
        return episode.alert_id == self.leading.alert_id

    @property
    def size(self) -> int:
        """Its open episodes."""
        return sum(len(parts) for parts in self.open.values())

    def find(self, series: str, part: str) -> OpenEpisode | None:
        """The open episode of one part of a series."""
        return self.open.get(series, {}).get(part)

    def may_join(self, verdict: Verdict, who: Who) -> bool:
        """Whether what opens with this verdict belongs here."""
        near = verdict.time_ms - self.heard_ms <= JOIN_MS
        same = who.owner == self.who.owner and _GRAVITY[who.severity] <= _GRAVITY[self.who.severity]
        return near and same and not verdict.reason.of_health

    def add(self, series: str, part: str, episode: OpenEpisode) -> None:
        """Take in an episode that opens."""
        self.open.setdefault(series, {})[part] = episode

    def drop(self, series: str, part: str) -> None:
        """Forget an episode that has ended."""
        del self.open[series][part]
        if not self.open[series]:
            del self.open[series]

    def join(self, kind: Kind, verdict: Verdict, alert_id: str) -> bool:
        """Note that an episode has joined; whether the lead's alert is to be told again."""
        if len(self.children) < CHILDREN_MAX:
            self.children.append(alert_id)
        news = kind not in self.kinds or verdict.time_ms - self.told_ms >= WORSENED_GAP_MS
        if kind not in self.kinds:
            self.kinds.append(kind)
        if news:
            self.told_ms = max(self.told_ms, verdict.time_ms)
        return news


def group_name(verdict: Verdict) -> str:
    """The group that a verdict belongs to, as text."""
    return series_text("", group_of(verdict.labels))
