"""Interest: which findings triage has to see, because they begin an episode, make it worse or end it.

A record with the field `interest_ms` has it: 0 while no episode is open, else the time from which an ordinary finding ends
the one that is; `told_ms`, `told_severity` and `told_step` are the episode's own, as in `episodes.Episode`. While the fleet's ceiling
mutes the episode, because no finding has passed it yet, `told_step` is 0: the first one is shown for the record, then
none until one passes, which begins the episode. What triage would pass over stays here: an outage of everything costs no more than an ordinary day.

A record with the fields of SINGLES follows single samples outside their range in an episode, which also goes on while nothing but a lasting change is
known or suspected. Until the minute `single_min`, negative when they were below, one more is no news. The first one after that, and `AGAIN_MS` later where it
is on the same side, is shown anew: had the episode ended with the samples that it was about, another one would begin.
"""

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.episodes import AGAIN_MS, WORSENED_STEP, has_worsened, quiet_ms_of

INTEREST = (("interest_ms", "<i8"), ("told_ms", "<i8"), ("told_severity", "<f8"), ("told_step", "<f8"))
"""The fields of whatever can have an episode. All zero while none is open."""
SINGLES = (*INTEREST[:-1], ("told_step", "<f4"), ("single_min", "<i4"))
"""The same in the same room, for a step is a power of two, and until when single samples are no news."""
_MINUTE_MS = 60_000

_has_worsened = inner(has_worsened)
_quiet_ms_of = inner(quiet_ms_of)


@inner
def awaited(s: Record, time_ms: int) -> bool:
    """Whether an ordinary finding at this time would end an episode."""
    return 0 < s.interest_ms <= time_ms


@inner
def ends(s: Record, time_ms: int, conclusive: bool) -> bool:
    """Whether this ordinary finding ends an episode; a `conclusive` one does so without a quiet time."""
    if awaited(s, time_ms) or (conclusive and s.interest_ms > 0):
        told = s.told_step > 0
        s.interest_ms, s.told_ms, s.told_severity, s.told_step = 0, 0, 0.0, 0.0
        return told
    return False


@inner
def is_muted(s: Record) -> bool:
    """Whether an episode is open of which nothing was told, because of the fleet's ceiling."""
    return s.interest_ms > 0 and s.told_step == 0


@inner
def begins_or_worsens(s: Record, time_ms: int, severity: float, passes: bool, interval_ms: float) -> bool:
    """Whether this anomalous finding begins an episode, muted or not, or makes one so much worse that it is told again.

    `passes` says whether the fleet's ceiling lets it begin one; an episode that was told is told on. Findings usually come every
    `interval_ms`.
    """
    first = s.interest_ms <= 0
    opened = first or s.told_step == 0
    s.interest_ms = max(s.interest_ms, time_ms + _quiet_ms_of(interval_ms))
    if opened and not passes:
        if not first:
            return False
    elif opened:
        s.told_step = WORSENED_STEP
    elif _has_worsened(severity, time_ms, s.told_severity, s.told_ms, s.told_step):
        s.told_step *= 2
    else:
        return False
    s.told_ms, s.told_severity = time_ms, severity
    return True


@inner
def is_anew(s: Record, time_ms: int, side: int, passes: bool) -> bool:
    """Whether a single sample outside its range, above for a positive `side`, is news in an episode that was told of other ones."""
    again_ms = AGAIN_MS if s.single_min * side > 0 else 0
    return passes and s.told_step > 0 and time_ms > abs(s.single_min) * _MINUTE_MS + again_ms


@inner
def note_single(s: Record, time_ms: int, side: int, interval_ms: float) -> None:
    """Note that it was there."""
    until_min = max(abs(s.single_min), -(-(time_ms + _quiet_ms_of(interval_ms)) // _MINUTE_MS))
    s.single_min = until_min if side > 0 else -until_min


@inner
def tell_anew(s: Record, time_ms: int, severity: float) -> None:
    """Begin to measure by this finding what is worse."""
    s.told_ms, s.told_severity, s.told_step = time_ms, severity, WORSENED_STEP


@inner
def wanted(
    s: Record, time_ms: int, anomalous: bool, severity: float, passes: bool, interval_ms: float
) -> bool:
    """Whether triage needs this finding, which is conclusive in no case."""
    if anomalous:
        return begins_or_worsens(s, time_ms, severity, passes, interval_ms)
    return ends(s, time_ms, False)
