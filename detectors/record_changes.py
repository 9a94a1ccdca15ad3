"""Changes of records as detectors find them, before they have a verdict's words."""

from typing import NamedTuple

from detectors.evidence import Evidence
from detectors.record_blocks import Place


class Found(NamedTuple):
    """One change: what it is called, where, from what to what, in which share of the records since its first, and where those lie.

    `example` is a masked value that stands there now.
    """

    change: str
    path: str
    from_: str | None
    to: str | None
    share: float
    confidence: float
    first: Place
    last: Place
    example: str | None = None

    @property
    def now_at(self) -> str:
        """The path at which is now what has changed."""
        return self.to if self.to is not None and self.from_ == self.path else self.path


def found_with(change: str, path: str, from_: str | None, to: str | None, evidence: Evidence) -> Found:
    """A change of which there is this evidence."""
    share = round(evidence.share, 6)
    return Found(change, path, from_, to, share, evidence.confidence, evidence.first, evidence.last)
