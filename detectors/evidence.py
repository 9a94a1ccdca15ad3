"""Evidence: how often something new has come up, and where, until it is a change or known to be rare."""

from typing import Final

import msgspec

from detectors.novelty import confidence, is_new, log_p_of_new
from detectors.record_blocks import Place, Seen

NOWHERE: Final = (-1, -1)


class Evidence(msgspec.Struct, array_like=True):
    """A trait that has come up lately: `times` in `since` chances, and never in `before`; where first and last."""

    before: float
    since: float
    times: float
    first: Place
    last: Place

    @property
    def share(self) -> float:
        """How many of the chances since then had it."""
        return min(1.0, self.times / self.since) if self.since else 0.0

    @property
    def is_new(self) -> bool:
        """Whether it is a change by now."""
        return is_new(self.before, self.since, self.times)

    @property
    def log_p(self) -> float:
        """How likely it is by chance."""
        return log_p_of_new(self.before, self.since, self.times)

    @property
    def confidence(self) -> float:
        """How sure it is a change."""
        return confidence(self.log_p)

    @property
    def is_old(self) -> bool:
        """Whether as many chances have passed as before it: what is no change by now was rare all the time."""
        return self.since > self.before

    def gather(self, chances: float, times: float, seen: Seen | None, size: int) -> None:
        """Take in a block of so many payloads. Evidence begins with the first one that shows it."""
        since = float(chances)
        if seen is not None:
            if not self.times:
                self.first = seen.first_place
                since = max(float(times), chances * (1.0 - seen.first / size))
            self.last = seen.last_place
        self.since += since
        self.times += times


def evidence_after(before: float) -> Evidence:
    """None yet, after so many chances."""
    return Evidence(before, 0.0, 0.0, NOWHERE, NOWHERE)
