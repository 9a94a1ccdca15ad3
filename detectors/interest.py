"""Interest: which ordinary verdicts triage has to see too, so that it can end an episode."""

import msgspec

from detectors.episodes import QUIET_MS


class Interest(msgspec.Struct, array_like=True):
    """Triage sees every anomalous verdict of a series, and the ordinary ones after it until the episode is over."""

    until_ms: int = -1

    def wants(self, time_ms: int, anomalous: bool, conclusive: bool = False) -> bool:
        """Whether triage needs this verdict; a `conclusive` ordinary one ends the episode without a quiet time."""
        if anomalous:
            self.until_ms = max(self.until_ms, time_ms + QUIET_MS)
            return True
        if self.until_ms < 0:
            return False
        if conclusive or time_ms >= self.until_ms:
            self.until_ms = -1
        return True

    @property
    def alive(self) -> bool:
        """Whether an episode may be open."""
        return self.until_ms >= 0
