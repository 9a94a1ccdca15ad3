"""Incidents: what goes wrong with one pipeline at about one time, of which people get one alert.

A late run is overdue for the pipeline and for each of its tasks, a load cut short shows in rows and bytes, a run that hangs in its duration
and in the next one's absence. The first episode that opens leads: its alert fires. What opens in the same group (`series.group_of`) within
`JOIN_MS` of the last that was heard of the incident joins it: its own alert is `suppressed`, names the lead's as its root cause and is
among the lead's children. The lead's alert is told again when what joins is of a kind that the incident did not have, or
`WORSENED_GAP_MS` after it was last told: nothing new goes unsaid, and five tasks that are overdue in one minute are said once.

- What is graver than the lead, or has another owner, does not join: those who have to know of it would not be told. Nor does anything about Streamgauge itself.
- An incident ends when all of its episodes have: a lead that is back in its range waits for those that joined (`recovered`). Left again meanwhile, it
  goes on, and is told again if it was away for longer than `JOIN_MS`.
- A single sample that stands out (`stands_out`) while only a lasting change of its series is open is an episode of its own: who was told of a slow drift
  has not been told that the rows of a run are a thousandth of what they were. So is one that detect shows `anew`, because the single samples that were told were on the
  other side, or have long been inside their range. The lead is always told again of it, once for the series in which it shows.
- What opens again soon after an incident is over (`resumes`) is that incident again, not one more (flap detection, as Nagios calls it): the alert that
  led it is `reopened`, under its old `alert_id`. Within `FLAPPING_MS` of when people were last told of it, it waits as `pending`: a run that is late
  again and again is one notice and one end an hour, and an outage after a late run is told within the hour.
- A group lies within one shard, so the order of its verdicts, and so who leads, is a function of the input.
"""

import math

import msgspec

from detectors.alerts import Kind, RootCause, State
from detectors.episodes import AGAIN_MS, WORSENED_GAP_MS, Episode
from detectors.samples import NEVER
from detectors.series import Labels, group_of, series_text
from detectors.settings import Severity
from detectors.verdicts import Change, Direction, Reason, Verdict

JOIN_MS = 86_400_000
LASTING = (Change.SHIFT, Change.DRIFT)
RESUMING = (Change.POINT, *LASTING)
APART = "apart"
"""How parts of a series are named whose episodes are about single samples on one side that stand out from what was told."""
LASTING_AGAIN_MS, POINT_AGAIN_MS = 2 * 86_400_000, AGAIN_MS
"""How long after its end an incident goes on when a lasting change or a single sample of its kind comes again, the latter if it was heard of within `JOIN_MS`."""
FLAPPING_MS = 3_600_000
"""For so long after people were told of it, what ended with what was missing goes on when it comes again, and is not told."""
DISMISSED_MS = 30 * 86_400_000
OUTSTANDING = 2.0
"""How many times further from what is expected than the lasting change a single sample is news, as a factor; and of what is far outside its range, than its limit."""
REACH_MS = JOIN_MS
"""For how long after it was last heard of an incident may explain those downstream that open."""
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
    in_shadow: bool = False
    """Nobody is told who does not watch the shadow topic."""
    labels: Labels = ()
    """What alerts are routed by, beside the labels of the series."""


class Incident(msgspec.Struct):
    """The episodes of one incident, by series and part of it, and what keeps it from being told."""

    who: Who
    lead: tuple[str, str]
    opened_ms: int
    heard_ms: int
    told_ms: int
    kinds: list[Kind]
    children: list[str] = []
    open: dict[str, dict[str, OpenEpisode]] = {}
    over_ms: int | None = None
    """When the last of them ended; the lead stays for a while, for what may come again."""
    state: State = State.FIRING
    """What the lead was last told as."""
    paged: bool = False
    """Whether people were ever told."""
    notified_ms: int = NEVER
    """When they last were told that it fires."""
    cause: RootCause | None = None
    storm: str = ""
    """The alert of the storm that it is part of."""
    held_until_ms: int | None = None
    silenced_by: str = ""
    snoozed_until_ms: int | None = None
    acknowledged_by: str = ""
    dismissed_by: str = ""
    children_due_ms: int | None = None
    """When the lead is told again because of those it explains."""
    armed_ms: int | None = None
    """When something is next to be done about it without being told to."""

    @property
    def leading(self) -> OpenEpisode:
        """The episode whose alert is told for all of them."""
        series, part = self.lead
        return self.open[series][part]

    @property
    def alert_id(self) -> str:
        """The id of the alert that is told for all of them."""
        return self.leading.alert_id

    def leads(self, episode: OpenEpisode) -> bool:
        """Whether this is the one."""
        return episode.alert_id == self.alert_id

    def episodes(self) -> list[OpenEpisode]:
        """All that are open; of an incident that is over, its lead."""
        return [episode for parts in self.open.values() for episode in parts.values()]

    @property
    def standing(self) -> State:
        """As what its lead is to be told while it is open."""
        if self.silenced_by or self.snoozed_until_ms is not None or self.cause or self.storm:
            return State.SUPPRESSED
        if self.held_until_ms is not None:
            return State.PENDING
        if self.acknowledged_by:
            return State.ACKNOWLEDGED
        return State.NO_DATA if self._lacks_data else State.FIRING

    @property
    def _lacks_data(self) -> bool:
        """Whether its lead's series has stopped coming, as one that joined it says."""
        lead = self.leading
        if lead.worst.change is Change.SILENCE:
            return False
        return any(
            it.worst.change is Change.SILENCE and it.worst.labels == lead.worst.labels
            for it in self.episodes()
        )

    @property
    def is_silent(self) -> bool:
        """Whether something of it has stopped coming."""
        return any(it.worst.change is Change.SILENCE for it in self.episodes())

    def is_of_health(self) -> bool:
        """Whether it is about Streamgauge itself, or about many others."""
        return self.leading.worst.reason.of_health or self.leading.worst.reason is Reason.STORM

    def may_explain(self, other: "Incident") -> bool:
        """Whether it, upstream of another one, can be what that comes from."""
        near = other.opened_ms - self.heard_ms <= REACH_MS
        free = not (self.is_over or self.dismissed_by or self.cause or self.is_of_health())
        free = free and other.who.in_shadow == self.who.in_shadow
        alike = other.leading.worst.change is not Change.SCHEMA or Kind.SCHEMA in self.kinds
        return near and free and alike and self.leading.worst.change is not Change.DRIFT

    @property
    def is_over(self) -> bool:
        """Whether all of its episodes have ended."""
        return self.over_ms is not None

    def is_forgotten(self, time_ms: int) -> bool:
        """Whether it is over, or dismissed and not heard of, for so long that nothing can be more of it."""
        if self.dismissed_by and time_ms - self.heard_ms > DISMISSED_MS:
            return True
        return self.over_ms is not None and time_ms - self.over_ms > LASTING_AGAIN_MS

    @property
    def size(self) -> int:
        """How many episodes it has."""
        return sum(len(parts) for parts in self.open.values())

    def find(self, series: str, part: str) -> OpenEpisode | None:
        """The open episode of one part of a series; of what was dismissed, only if it was not over since."""
        known = None if self.is_over else self.open.get(series, {}).get(part)
        return None if known is not None and known.recovered and self.dismissed_by else known

    def may_join(self, verdict: Verdict, who: Who) -> bool:
        """Whether what opens with this verdict belongs here."""
        near = self._may_resume(verdict) if self.is_over else verdict.time_ms - self.heard_ms <= JOIN_MS
        whose = (who.owner, who.in_shadow) == (self.who.owner, self.who.in_shadow)
        same = whose and _GRAVITY[who.severity] <= _GRAVITY[self.who.severity]
        return near and same and not (verdict.reason.of_health or self.dismissed_by)

    def is_graver(self, other: "Incident") -> bool:
        """Whether it is more urgent than another one."""
        return _GRAVITY[self.who.severity] > _GRAVITY[other.who.severity]

    def adopt(self, alert_id: str) -> None:
        """Name an alert among its children; beyond `CHILDREN_MAX` they are not named."""
        if len(self.children) < CHILDREN_MAX and alert_id not in self.children:
            self.children.append(alert_id)

    def add(self, series: str, part: str, episode: OpenEpisode) -> None:
        """Take in an episode that opens."""
        self.open.setdefault(series, {})[part] = episode

    def drop(self, series: str, part: str) -> None:
        """Forget an episode that has ended."""
        del self.open[series][part]
        if not self.open[series]:
            del self.open[series]

    def _may_resume(self, verdict: Verdict) -> bool:
        told, ended = self.leading.worst, self.leading.recovered
        if verdict.signal != told.signal:
            return False
        if ended is not None and ended.reason.conclusive:
            return verdict.change is told.change and verdict.time_ms - self.notified_ms < FLAPPING_MS
        changes = told.change, verdict.change
        lasting = all(it in LASTING for it in changes)
        if not (lasting or (all(it in RESUMING for it in changes) and verdict.direction is told.direction)):
            return False
        since_over_ms = verdict.time_ms - (self.over_ms or 0)
        soon = since_over_ms <= (LASTING_AGAIN_MS if lasting else POINT_AGAIN_MS)
        heard = lasting or verdict.time_ms - self.heard_ms <= JOIN_MS
        return soon and heard and not _is_further(told, verdict)

    def join(self, kind: Kind, verdict: Verdict, alert_id: str, part: str) -> bool:
        """Note that an episode has joined; whether the lead's alert is to be told again."""
        self.adopt(alert_id)
        apart = is_apart(part) and not self.tells_apart(verdict.time_ms, alert_id)
        news = apart or kind not in self.kinds or verdict.time_ms - self.told_ms >= WORSENED_GAP_MS
        if kind not in self.kinds:
            self.kinds.append(kind)
        if news:
            self.told_ms = max(self.told_ms, verdict.time_ms)
        return news

    def tells_apart(self, time_ms: int, alert_id: str) -> bool:
        """Whether another episode, too, stood out from what was told at about this time."""
        return any(
            is_apart(part) and it.alert_id != alert_id and abs(time_ms - it.worst.time_ms) < WORSENED_GAP_MS
            for parts in self.open.values()
            for part, it in parts.items()
        )


def apart_of(verdict: Verdict) -> str:
    """The part of its series that a single sample belongs to which stands out."""
    return f"{APART} {verdict.direction}"


def is_apart(part: str) -> bool:
    """Whether it is such a part."""
    return part.startswith(APART)


def group_name(verdict: Verdict) -> str:
    """The group that a verdict belongs to, as text."""
    return series_text("", group_of(verdict.labels))


def stands_out(told: Verdict, verdict: Verdict) -> bool:
    """Whether a verdict is news to those who know of its series what `told` says.

    A single sample is, where only a lasting change was told, if it lies on the other side or `OUTSTANDING` times further; where a
    single sample was told, if detect shows it `anew` and it lies on the other side, no nearer, or far out.
    """
    if verdict.change is not Change.POINT:
        return False
    across = verdict.direction is not told.direction
    if told.change in LASTING:
        return across or _is_further(told, verdict)
    return verdict.anew and (across or _distance(verdict) >= _distance(told) or _is_far_out(verdict))


def _is_further(told: Verdict, verdict: Verdict) -> bool:
    return _distance(verdict) > _distance(told) + math.log(OUTSTANDING)


def _is_far_out(verdict: Verdict) -> bool:
    """Whether it lies `OUTSTANDING` times as far from what is expected as the limit that it crossed."""
    limit = verdict.lower if verdict.direction is Direction.DOWN else verdict.upper
    return limit is not None and _distance(verdict) >= OUTSTANDING * _apart(limit, verdict.expected)


def _distance(verdict: Verdict) -> float:
    """How many times more or less than expected was observed, as a logarithm."""
    return _apart(verdict.observed, verdict.expected)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0
    return abs(math.log1p(max(one, 0.0)) - math.log1p(max(other, 0.0)))
