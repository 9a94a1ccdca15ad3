"""Episodes: one incident of one series is one episode, from its first anomalous sample to its recovery.

Rules, and why:

- It opens with an anomalous sample.
- It resolves with the first ordinary sample a quiet time after the last anomalous one, or with one that settles
  the matter (`conclusive`, such as the run that was missing). Only a sample resolves: missing data never does.
- While it is open it has worsened when its severity exceeds the one last told by a step, which starts at
  `WORSENED_STEP` and doubles with each telling, and `WORSENED_GAP_MS` have passed since. So an incident that only goes
  on is told once, and one that grows k steps about log2(k) times more.

The quiet time is `QUIET_MS`, or `QUIET_INTERVALS` usual intervals between samples where those are longer (hysteresis in time, as Nagios damps
flapping): of a daily job the next good run is no recovery yet, the one after it is.

One hour of quiet: within an incident the score sinks below the threshold now and then, as the fast filter follows. On
the labelled NAB series in tests (29, mostly at five minutes) no quiet time at all gives 275 false alerts and loses 10
points of NAB's score; 1, 2 and 4 hours lie within 2 points of one another, far below that score's own uncertainty, and
a day loses 8 points because separate incidents merge. Of those equal choices the shortest lets a second incident two
hours after the first alert anew.
"""

from enum import StrEnum

import msgspec

QUIET_MS = 3_600_000
QUIET_INTERVALS = 1.5
QUIET_MS_MAX = 3 * 86_400_000
AGAIN_MS = 4 * 3_600_000
"""For how long after its quiet time a sample outside its range, on the same side, is the same again."""
WORSENED_STEP = 1.0
"""In units of the severity; for the core's score, about as much as four times fewer false alarms."""
WORSENED_GAP_MS = 1_800_000


def quiet_ms_of(interval_ms: float) -> int:
    """The quiet time of a series with a sample every `interval_ms`. Also compiled, see `interest`."""
    wanted = QUIET_INTERVALS * interval_ms
    return int(min(wanted, QUIET_MS_MAX)) if wanted > QUIET_MS else QUIET_MS


def has_worsened(severity: float, time_ms: int, told_severity: float, told_ms: int, step: float) -> bool:
    """Whether an open episode, last told at `told_ms`, is to be told again. Also compiled, see `interest`."""
    return not (severity < told_severity + step or time_ms - told_ms < WORSENED_GAP_MS)


class Transition(StrEnum):
    """What changed. The first four come of samples of the series itself."""

    OPENED = "opened"
    WORSENED = "worsened"
    CONTINUED = "continued"
    RESOLVED = "resolved"
    JOINED = "joined"
    """Another series has joined the incident."""
    REOPENED = "reopened"
    """It had resolved shortly before."""
    EXPLAINED = "explained"
    """Another alert was found to be its cause, or it is one of very many."""
    RELEASED = "released"
    """Nothing keeps it from being told any more."""
    REMINDED = "reminded"
    """It still fires a long time after it was told."""
    EXPIRED = "expired"
    """Nothing was heard of it for very long."""
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SNOOZED = "snoozed"
    SILENCED = "silenced"
    CORRECTED = "corrected"
    """What came late showed that nothing had been wrong."""
    SWITCHED_OFF = "switched_off"
    """Its series is no longer judged, or no longer for the same people."""
    DISMISSED = "dismissed"
    """Somebody said that it was expected or no incident."""


class Episode(msgspec.Struct, array_like=True):
    """Where one series stands: in an episode or not. May be used again after it has resolved.

    >>> episode = Episode()
    >>> episode.advance(0, True, 5.0)
    <Transition.OPENED: 'opened'>
    >>> episode.advance(60_000, False, 1.0) is None
    True
    >>> episode.advance(3_600_000, False, 1.0)
    <Transition.RESOLVED: 'resolved'>
    """

    firing: bool = False
    anomalous_ms: int = 0
    """Time of the last anomalous sample."""
    told_ms: int = 0
    told_severity: float = 0.0
    step: float = WORSENED_STEP

    def advance(
        self,
        time_ms: int,
        anomalous: bool,
        severity: float,
        *,
        conclusive: bool = False,
        quiet_ms: int = QUIET_MS,
    ) -> Transition | None:
        """Take in one sample; larger `severity` is worse and only counts for anomalous ones, `quiet_ms` for the others."""
        if anomalous:
            return self._anomalous(time_ms, severity)
        if self.is_over(time_ms, conclusive=conclusive, quiet_ms=quiet_ms):
            self.firing = False
            return Transition.RESOLVED
        return None

    def is_over(self, time_ms: int, *, conclusive: bool = False, quiet_ms: int = QUIET_MS) -> bool:
        """Whether an ordinary sample would end it."""
        return self.firing and (conclusive or time_ms - self.anomalous_ms >= quiet_ms)

    def _anomalous(self, time_ms: int, severity: float) -> Transition | None:
        if not self.firing:
            self.firing, self.anomalous_ms, self.step = True, time_ms, WORSENED_STEP
            self.told_ms, self.told_severity = time_ms, severity
            return Transition.OPENED
        self.anomalous_ms = max(self.anomalous_ms, time_ms)
        if not has_worsened(severity, time_ms, self.told_severity, self.told_ms, self.step):
            return None
        self.told_ms, self.told_severity = time_ms, severity
        self.step *= 2
        return Transition.WORSENED
