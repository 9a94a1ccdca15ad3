"""Interest: which ordinary findings triage has to see too, so that it can end an episode.

A record with the field `interest_ms` has it: 0 while no episode may be open, else the time from which an ordinary finding
may end the one that is.
"""

from detectors.compiled import inner
from detectors.core.layout import Record
from detectors.episodes import QUIET_MS


@inner
def interested(s: Record) -> bool:
    """Whether an episode may be open."""
    return s.interest_ms > 0


@inner
def wanted(s: Record, time_ms: int, anomalous: bool, conclusive: bool) -> bool:
    """Whether triage needs this finding; a `conclusive` ordinary one ends the episode without a quiet time."""
    if anomalous:
        s.interest_ms = max(s.interest_ms, time_ms + QUIET_MS)
        return True
    if s.interest_ms <= 0:
        return False
    if conclusive or time_ms >= s.interest_ms:
        s.interest_ms = 0
    return True
