"""Interest: which ordinary findings triage has to see too, because they end an episode.

A record with the field `interest_ms` has it: 0 while no episode may be open, else the time from which an ordinary finding
ends the one that is. Those before it would change nothing, and a series with an open episode costs no more than any other.
"""

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.episodes import QUIET_MS


@inner
def awaited(s: Record, time_ms: int) -> bool:
    """Whether an ordinary finding at this time would end an episode."""
    return 0 < s.interest_ms <= time_ms


@inner
def wanted(s: Record, time_ms: int, anomalous: bool, conclusive: bool) -> bool:
    """Whether triage needs this finding; a `conclusive` ordinary one ends the episode without a quiet time."""
    if anomalous:
        s.interest_ms = max(s.interest_ms, time_ms + QUIET_MS)
        return True
    if awaited(s, time_ms) or (conclusive and s.interest_ms > 0):
        s.interest_ms = 0
        return True
    return False
